//! Refuses graphs that keep tensors in other files, before a native loader sees them: external data can name any path
//! or even an address, so it would void the verified hashes.
//!
//! Walks the protobuf wire format of an ONNX `ModelProto` along every path that leads to a `TensorProto` and looks at
//! its fields `external_data` (13) and `data_location` (14); the payloads are skipped. Field numbers are those of
//! `onnx.proto` (IR version 13).

use std::io::{self, BufRead, Seek, SeekFrom};

use super::ArtifactError;

/// Graphs nest by attributes (`If`, `Loop`); real ones stay far below.
const DEPTH_LIMIT: usize = 64;

#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Function,
    Training,
    Tensor,
    SparseTensor,
}

impl Message {
    /// What a length-delimited field of this message holds, if it can lead to a tensor.
    fn child(self, field: u64) -> Option<Self> {
        match (self, field) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) | (Self::Training, 1 | 2) => Some(Self::Graph),
            (Self::Model, 20) => Some(Self::Training),
            (Self::Model, 25) => Some(Self::Function),
            (Self::Graph, 1) | (Self::Function, 7) => Some(Self::Node),
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::SparseTensor, 1 | 2) => Some(Self::Tensor),
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Some(Self::SparseTensor),
            (Self::Node, 5) | (Self::Function, 11) => Some(Self::Attribute),
            _ => None,
        }
    }
}

enum WalkError {
    Io(io::Error),
    Malformed(&'static str),
    External,
}

impl From<io::Error> for WalkError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

struct Walker<R> {
    reader: R,
    position: u64,
}

/// Walks the graph; `name` is for messages, `length` the number of bytes of the graph.
pub(super) fn refuse_external_data<R: BufRead + Seek>(name: &str, reader: R, length: u64) -> Result<(), ArtifactError> {
    let mut walker = Walker { reader, position: 0 };
    walker.message(Message::Model, length, 0).map_err(|error| match error {
        WalkError::Io(source) => ArtifactError::Io { path: name.to_owned(), source },
        WalkError::Malformed(reason) => {
            ArtifactError::Graph { file: name.to_owned(), reason, position: walker.position }
        }
        WalkError::External => ArtifactError::ExternalData { file: name.to_owned() },
    })
}

impl<R: BufRead + Seek> Walker<R> {
    fn message(&mut self, message: Message, end: u64, depth: usize) -> Result<(), WalkError> {
        if depth > DEPTH_LIMIT {
            return Err(WalkError::Malformed("it is nested too deeply"));
        }
        while self.position < end {
            let tag = self.varint(end)?;
            let field = tag >> 3;
            match tag & 7 {
                0 => {
                    let value = self.varint(end)?;
                    if matches!((message, field), (Message::Tensor, 14)) && value != 0 {
                        return Err(WalkError::External);
                    }
                }
                1 => self.skip(8, end)?,
                5 => self.skip(4, end)?,
                2 => {
                    let length = self.varint(end)?;
                    if matches!((message, field), (Message::Tensor, 13)) {
                        return Err(WalkError::External);
                    }
                    match message.child(field) {
                        Some(child) if length <= end - self.position => {
                            self.message(child, self.position + length, depth + 1)?;
                        }
                        _ => self.skip(length, end)?,
                    }
                }
                _ => return Err(WalkError::Malformed("an unknown wire type stands")),
            }
        }
        Ok(())
    }

    fn varint(&mut self, end: u64) -> Result<u64, WalkError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            if self.position >= end {
                return Err(WalkError::Malformed("a field ends too early"));
            }
            let mut byte = [0_u8];
            self.reader.read_exact(&mut byte)?;
            self.position += 1;
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WalkError::Malformed("a number is too long"))
    }

    fn skip(&mut self, length: u64, end: u64) -> Result<(), WalkError> {
        if length > end - self.position {
            return Err(WalkError::Malformed("a field is longer than its message"));
        }
        let buffered = self.reader.fill_buf()?.len() as u64;
        if length <= buffered {
            self.reader.consume(length as usize);
        } else {
            self.reader.seek(SeekFrom::Current(i64::try_from(length).unwrap_or(i64::MAX)))?;
        }
        self.position += length;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn field(number: u8, payload: &[u8]) -> Vec<u8> {
        // Numbers from 16 on have a tag of two bytes.
        let tag = u32::from(number) << 3 | 2;
        let mut bytes = if tag < 128 { vec![tag as u8] } else { vec![(tag & 0x7f | 0x80) as u8, (tag >> 7) as u8] };
        bytes.push(u8::try_from(payload.len()).unwrap());
        bytes.extend(payload);
        bytes
    }

    fn check(bytes: &[u8]) -> Result<(), ArtifactError> {
        refuse_external_data("g.onnx", io::Cursor::new(bytes), bytes.len() as u64)
    }

    #[test]
    fn external_tensors_are_found_wherever_they_hide() {
        let inline = field(9, b"raw bytes of the tensor");
        let location = [14 << 3, 1];
        let entry = field(13, b"location");
        for external in [&location[..], &entry] {
            let in_attribute = field(7, &field(1, &field(5, &field(5, external))));
            let in_subgraph = field(7, &field(1, &field(5, &field(6, &field(5, external)))));
            let in_function = field(25, &field(7, &field(5, &field(10, external))));
            let in_sparse = field(7, &field(15, &field(1, external)));
            let in_training = field(20, &field(1, &field(5, external)));
            let initializer = field(7, &field(5, external));
            for graph in [in_attribute, in_subgraph, in_function, in_sparse, in_training, initializer] {
                assert!(matches!(check(&graph), Err(ArtifactError::ExternalData { .. })), "{graph:?}");
            }
        }
        assert!(check(&field(7, &field(5, &inline))).is_ok());
        assert!(check(&field(7, &field(5, &[14 << 3, 0]))).is_ok());
    }

    #[test]
    fn what_is_cut_off_or_not_protobuf_is_refused() {
        let whole = field(7, &field(5, &field(9, b"raw")));
        for bytes in [&whole[..whole.len() - 1], &b"PK\x03\x04"[..], &[0xff; 12], &[0x3a, 0x80]] {
            assert!(matches!(check(bytes), Err(ArtifactError::Graph { .. })), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = check(&bytes);
        }
    }
}
