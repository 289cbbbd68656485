//! The large tables of a graph, read from it so that several sessions can share one copy: the rows of an embedding, which
//! ONNX Runtime looks up as they are. What it multiplies with it packs anew, for each session.

use std::io::{BufRead, BufReader, Seek};

use super::onnx::{WalkError, Walker};
use super::tensor::{NAME_LIMIT_BYTES, read_name};
use super::{Artifact, ArtifactError};

/// Tables of signed bytes: `INT8` of `onnx.proto`.
const SIGNED_BYTE: u64 = 3;

/// An initializer of the graph.
#[derive(Debug, PartialEq, Eq)]
pub struct ByteTable {
    /// Its name in the graph.
    pub name: String,
    /// Its dimensions.
    pub dims: Vec<i64>,
    /// Its values, row after row.
    pub values: Vec<i8>,
}

impl Artifact {
    /// The initializers of signed bytes of a verified graph that take at least so many bytes.
    pub fn byte_tables(&self, file: &str, least_bytes: u64) -> Result<Vec<ByteTable>, ArtifactError> {
        let (path, length) = (self.checked_path(file)?, self.size_of(file)?);
        let opened = std::fs::File::open(&path).map_err(|source| ArtifactError::io(&path, source))?;
        let mut walker = Walker::new(BufReader::new(opened));
        let tables = of_model(&mut walker, length, least_bytes);
        // It was read by itself, so that what was read is held against what was verified.
        self.check_again(file)?;
        // Then the walk cannot fail where the verification did not.
        Ok(tables.unwrap_or_default())
    }
}

fn of_model<R: BufRead + Seek>(walker: &mut Walker<R>, end: u64, least: u64) -> Result<Vec<ByteTable>, WalkError> {
    let mut tables = Vec::new();
    while walker.position < end {
        let tag = walker.varint(end)?;
        // ModelProto: `graph`.
        if (tag >> 3, tag & 7) != (7, 2) {
            walker.skip_field(tag & 7, end)?;
            continue;
        }
        let graph_end = walker.payload_end(end)?;
        while walker.position < graph_end {
            let tag = walker.varint(graph_end)?;
            // GraphProto: `initializer`.
            if (tag >> 3, tag & 7) == (5, 2) {
                let tensor_end = walker.payload_end(graph_end)?;
                tables.extend(of_tensor(walker, tensor_end, least)?);
            } else {
                walker.skip_field(tag & 7, graph_end)?;
            }
        }
    }
    Ok(tables)
}

fn of_tensor<R: BufRead + Seek>(walker: &mut Walker<R>, end: u64, least: u64) -> Result<Option<ByteTable>, WalkError> {
    let (mut name, mut dims, mut element, mut bytes) = (String::new(), Vec::new(), 0, Vec::new());
    while walker.position < end {
        let tag = walker.varint(end)?;
        match (tag >> 3, tag & 7) {
            (1, 0) => dims.push(walker.varint(end)?.cast_signed()),
            (1, 2) => {
                let dims_end = walker.payload_end(end)?;
                while walker.position < dims_end {
                    dims.push(walker.varint(dims_end)?.cast_signed());
                }
            }
            (2, 0) => element = walker.varint(end)?,
            (8, 2) => name = read_name(walker, end)?,
            (9, 2) => {
                let raw_end = walker.payload_end(end)?;
                let length = raw_end - walker.position;
                if element == SIGNED_BYTE && length >= least {
                    bytes = vec![0_u8; length as usize];
                    walker.fill(&mut bytes, raw_end)?;
                } else {
                    walker.skip(length, raw_end)?;
                }
            }
            (_, wire) => walker.skip_field(wire, end)?,
        }
    }
    let values: Vec<i8> = bytes.into_iter().map(u8::cast_signed).collect();
    let is_named_whole = (name.len() as u64) < NAME_LIMIT_BYTES;
    Ok((!values.is_empty() && is_named_whole).then_some(ByteTable { name, dims, values }))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn field(number: u8, payload: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(payload.len()).unwrap()][..], payload].concat()
    }

    #[test]
    fn tables_of_bytes_are_read_and_small_ones_and_others_passed_over() {
        let tensor = |element: u8, name: &[u8], raw: &[u8]| {
            let head = [1 << 3, 2, 1 << 3, raw.len() as u8 / 2, 2 << 3, element];
            field(5, &[&head[..], &field(8, name), &field(9, raw)].concat())
        };
        let graph = [
            field(2, b"the name of the graph"),
            tensor(3, b"small", &[1, 2]),
            tensor(3, b"words", &[1, 0xff, 3, 0x80]),
            tensor(2, b"unsigned", &[1, 2, 3, 4]),
            tensor(1, b"float", &[0; 8]),
        ];
        let model = [&field(2, b"a producer")[..], &field(7, &graph.concat())].concat();
        let tables = |bytes: &[u8], least| of_model(&mut Walker::new(Cursor::new(bytes)), bytes.len() as u64, least);
        let words = ByteTable { name: "words".to_owned(), dims: vec![2, 2], values: vec![1, -1, 3, -128] };
        assert_eq!(tables(&model, 4).ok().unwrap(), [words]);
        assert_eq!(tables(&model, 5).ok().unwrap(), []);
        assert_eq!(tables(&model, 1).ok().unwrap().len(), 2);
        assert!(tables(&model[..model.len() - 1], 4).is_err());
    }
}
