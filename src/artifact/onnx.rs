//! Refuses graphs that a native loader must not see: those that keep tensors in other files, because external data can
//! name any path or even an address and would void the verified hashes; those whose weights are not numbers, or not as
//! many as their shape says.
//!
//! Walks the protobuf wire format of an ONNX `ModelProto` along every path that leads to a `TensorProto`, which
//! [`super::tensor`] reads. Field numbers are those of `onnx.proto` (IR version 13).

use std::io::{self, BufRead, Seek, SeekFrom};

use super::ArtifactError;
use super::tensor::{Tensor, is_number};

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

pub(super) enum WalkError {
    Io(io::Error),
    Malformed(&'static str),
    External,
    /// The name of what holds the weights, and what is wrong with them.
    Weights(String, &'static str),
}

impl From<io::Error> for WalkError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

pub(super) struct Walker<R> {
    reader: R,
    pub(super) position: u64,
}

impl<R> Walker<R> {
    /// At the beginning of what it reads.
    pub(super) fn new(reader: R) -> Self {
        Self { reader, position: 0 }
    }
}

/// Walks the graph; `name` is for messages, `length` the number of bytes of the graph.
pub(super) fn check_graph<R: BufRead + Seek>(name: &str, reader: R, length: u64) -> Result<(), ArtifactError> {
    let mut walker = Walker::new(reader);
    walker.message(Message::Model, length, 0).map_err(|error| match error {
        WalkError::Io(source) => ArtifactError::Io { path: name.to_owned(), source },
        WalkError::Malformed(reason) => {
            ArtifactError::Graph { file: name.to_owned(), reason, position: walker.position }
        }
        WalkError::External => ArtifactError::ExternalData { file: name.to_owned() },
        WalkError::Weights(tensor, problem) => {
            ArtifactError::Weights { file: name.to_owned(), tensor: tensor.escape_debug().to_string(), problem }
        }
    })
}

impl<R: BufRead + Seek> Walker<R> {
    fn message(&mut self, message: Message, end: u64, depth: usize) -> Result<(), WalkError> {
        if depth > DEPTH_LIMIT {
            return Err(WalkError::Malformed("it is nested too deeply"));
        }
        if matches!(message, Message::Tensor) {
            return Tensor::read(self, end)?.check();
        }
        while self.position < end {
            let tag = self.varint(end)?;
            let field = tag >> 3;
            match (tag & 7, message, field) {
                // AttributeProto: `f` and `floats`, where boosted trees keep their thresholds and values.
                (5, Message::Attribute, 2 | 7) => is_attribute_number(f32::from_le_bytes(self.bytes(end)?))?,
                (2, Message::Attribute, 7) => {
                    let floats_end = self.payload_end(end)?;
                    while self.position < floats_end {
                        is_attribute_number(f32::from_le_bytes(self.bytes(floats_end)?))?;
                    }
                }
                (2, _, _) => match message.child(field) {
                    Some(child) => {
                        let child_end = self.payload_end(end)?;
                        self.message(child, child_end, depth + 1)?;
                    }
                    None => self.skip_field(2, end)?,
                },
                (wire, _, _) => self.skip_field(wire, end)?,
            }
        }
        Ok(())
    }

    /// Passes over a field of this wire type.
    pub(super) fn skip_field(&mut self, wire: u64, end: u64) -> Result<(), WalkError> {
        match wire {
            0 => self.varint(end).map(|_| ()),
            1 => self.skip(8, end),
            5 => self.skip(4, end),
            2 => {
                let length = self.varint(end)?;
                self.skip(length, end)
            }
            _ => Err(WalkError::Malformed("an unknown wire type stands")),
        }
    }

    /// Where a length-delimited payload ends that begins with its length here.
    pub(super) fn payload_end(&mut self, end: u64) -> Result<u64, WalkError> {
        let length = self.varint(end)?;
        if length > end - self.position {
            return Err(WalkError::Malformed("a field is longer than its message"));
        }
        Ok(self.position + length)
    }

    /// The next bytes, as many as the caller takes.
    pub(super) fn bytes<const N: usize>(&mut self, end: u64) -> Result<[u8; N], WalkError> {
        if (N as u64) > end - self.position {
            return Err(WalkError::Malformed("a field ends too early"));
        }
        let mut bytes = [0_u8; N];
        self.reader.read_exact(&mut bytes)?;
        self.position += N as u64;
        Ok(bytes)
    }

    /// Fills the buffer, which must not reach beyond the end.
    pub(super) fn fill(&mut self, buffer: &mut [u8], end: u64) -> Result<(), WalkError> {
        if buffer.len() as u64 > end - self.position {
            return Err(WalkError::Malformed("a field ends too early"));
        }
        self.reader.read_exact(buffer)?;
        self.position += buffer.len() as u64;
        Ok(())
    }

    pub(super) fn varint(&mut self, end: u64) -> Result<u64, WalkError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.bytes(end)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WalkError::Malformed("a number is too long"))
    }

    pub(super) fn skip(&mut self, length: u64, end: u64) -> Result<(), WalkError> {
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

fn is_attribute_number(value: f32) -> Result<(), WalkError> {
    is_number(f64::from(value)).map_err(|problem| WalkError::Weights("an attribute".to_owned(), problem))
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
        check_graph("g.onnx", io::Cursor::new(bytes), bytes.len() as u64)
    }

    #[test]
    fn external_tensors_are_found_wherever_they_hide() {
        // One dimension of two numbers of one byte each.
        let inline = [&[1 << 3, 2, 2 << 3, 2][..], &field(9, b"ab")].concat();
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
        let inside = [&inline[..], &[14 << 3, 0]].concat();
        assert!(check(&field(7, &field(5, &inside))).is_ok());
    }

    #[test]
    fn what_is_cut_off_or_not_protobuf_is_refused() {
        let whole = field(7, &field(5, &field(9, b"raw")));
        for bytes in [&whole[..whole.len() - 1], &b"PK\x03\x04"[..], &[0xff; 12], &[0x3a, 0x80]] {
            assert!(matches!(check(bytes), Err(ArtifactError::Graph { .. })), "{bytes:?}");
        }
    }

    #[test]
    fn weights_that_are_no_numbers_or_not_as_many_as_the_shape_says_are_refused() {
        let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let tensor = |n: u8, element: u8, data: Vec<u8>| {
            let head = [1 << 3, n, 2 << 3, element];
            field(7, &field(5, &[&head[..], &field(8, b"layer.weight"), &data].concat()))
        };
        let attribute = |data: &[u8]| field(7, &field(1, &field(5, &field(7, data))));
        let half = |bits: u16| field(9, &[bits.to_le_bytes(), 0_u16.to_le_bytes()].concat());
        for sound in [
            tensor(2, 1, field(9, &floats(&[1.0, -2.5]))),
            tensor(2, 1, field(4, &floats(&[1.0, f32::MIN]))),
            // A mask's constant.
            tensor(1, 1, field(9, &floats(&[f32::NEG_INFINITY]))),
            tensor(2, 10, half(0x3c00)),
            tensor(2, 7, field(9, &[0xff; 16])),
            tensor(2, 7, field(7, &[5, 0xff, 1])),
            attribute(&floats(&[0.5, f32::INFINITY])),
        ] {
            check(&sound).unwrap();
        }
        let nan = "a number that is none (NaN)";
        for (graph, expected) in [
            (tensor(2, 1, field(9, &floats(&[1.0, f32::NAN]))), nan),
            (tensor(2, 1, field(4, &floats(&[f32::NAN, 0.0]))), nan),
            (tensor(2, 11, field(9, &[1.0_f64, f64::NAN].map(f64::to_le_bytes).concat())), nan),
            (tensor(2, 11, field(10, &[1.0_f64, f64::NAN].map(f64::to_le_bytes).concat())), nan),
            (tensor(2, 10, half(0x7e00)), nan),
            (tensor(2, 16, half(0x7fc0)), nan),
            (tensor(2, 10, field(5, &[0, 0x80, 0xfc, 1])), nan),
            (tensor(2, 1, field(9, &floats(&[1.0, f32::INFINITY]))), "an infinite number"),
            (tensor(2, 10, half(0x7c00)), "an infinite number"),
            (attribute(&floats(&[0.5, f32::NAN])), nan),
            (tensor(3, 1, field(9, &floats(&[1.0, 2.0]))), "its shape and its data differ"),
            (tensor(100, 1, Vec::new()), "its shape and its data differ"),
            (tensor(3, 7, field(7, &[5, 0xff, 1])), "its shape and its data differ"),
        ] {
            let message = check(&graph).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        let raw_first = field(7, &field(5, &[&field(9, &floats(&[1.0])), &[2 << 3, 1][..]].concat()));
        assert!(check(&raw_first).unwrap_err().to_string().contains("before its type"));
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = check(&bytes);
        }
    }
}
