//! One `TensorProto`: whether its data lie in the graph, are as many as its shape says, and are numbers.
//!
//! A tensor of one element may be infinite, as the constants of masks are; anything larger holds weights.

use std::io::{BufRead, Seek};

use super::onnx::{WalkError, Walker};

/// Bytes that are looked at together.
const CHUNK_BYTES: usize = 64 * 1024;
/// Most bytes of a name that a message quotes.
pub(super) const NAME_LIMIT_BYTES: u64 = 200;

const NO_NUMBER: &str = "a number that is none (NaN)";
const INFINITE: &str = "an infinite number";

/// What a walk along a tensor's fields found.
#[derive(Default)]
pub(super) struct Tensor {
    name: String,
    /// Product of the dimensions; none when there is no such number.
    n_elements: Option<u64>,
    element: u64,
    /// Elements of the payloads, where the element's type says how they are counted.
    n_stored: u64,
    has_uncounted: bool,
    has_nan: bool,
    has_infinite: bool,
}

impl Tensor {
    pub(super) fn read<R: BufRead + Seek>(walker: &mut Walker<R>, end: u64) -> Result<Self, WalkError> {
        let mut tensor = Self { n_elements: Some(1), ..Self::default() };
        while walker.position < end {
            let tag = walker.varint(end)?;
            match (tag >> 3, tag & 7) {
                (1, 0) => tensor.add_dimension(walker.varint(end)?),
                (1, 2) => {
                    let dims_end = walker.payload_end(end)?;
                    while walker.position < dims_end {
                        tensor.add_dimension(walker.varint(dims_end)?);
                    }
                }
                (2, 0) => tensor.element = walker.varint(end)?,
                (4, 5) => tensor.add(f64::from(f32::from_le_bytes(walker.bytes(end)?))),
                (4, 2) => tensor.read_fixed::<R, 4>(walker, end, |bytes| f64::from(f32::from_le_bytes(bytes)))?,
                (10, 1) => tensor.add(f64::from_le_bytes(walker.bytes(end)?)),
                (10, 2) => tensor.read_fixed::<R, 8>(walker, end, f64::from_le_bytes)?,
                (5 | 7 | 11, 2) => {
                    let numbers_end = walker.payload_end(end)?;
                    while walker.position < numbers_end {
                        let bits = walker.varint(numbers_end)?;
                        tensor.add_integer(bits);
                    }
                }
                (5 | 7 | 11, 0) => {
                    let bits = walker.varint(end)?;
                    tensor.add_integer(bits);
                }
                (8, 2) => tensor.name = read_name(walker, end)?,
                (9, 2) => tensor.read_raw(walker, end)?,
                (6, 2) => {
                    tensor.has_uncounted = true;
                    walker.skip_field(2, end)?;
                }
                (13, _) => return Err(WalkError::External),
                (14, 0) => {
                    if walker.varint(end)? != 0 {
                        return Err(WalkError::External);
                    }
                }
                (_, wire) => walker.skip_field(wire, end)?,
            }
        }
        Ok(tensor)
    }

    /// Says what is wrong with the data, if anything is.
    pub(super) fn check(self) -> Result<(), WalkError> {
        let problem = if self.has_nan {
            Some(NO_NUMBER)
        } else if self.has_infinite && self.n_elements != Some(1) {
            Some(INFINITE)
        } else if !self.is_packed() && !self.has_uncounted && self.n_elements != Some(self.n_stored) {
            Some("another number of elements than it should: its shape and its data differ")
        } else {
            None
        };
        problem.map_or(Ok(()), |problem| Err(WalkError::Weights(self.name, problem)))
    }

    fn add_dimension(&mut self, dimension: u64) {
        // A negative dimension is a huge one here, and never fits its data.
        self.n_elements = self.n_elements.and_then(|n| n.checked_mul(dimension));
    }

    fn add(&mut self, value: f64) {
        self.n_stored += 1;
        self.has_nan |= value.is_nan();
        self.has_infinite |= value.is_infinite();
    }

    /// `int32_data` also holds the bits of half-precision numbers.
    fn add_integer(&mut self, bits: u64) {
        match self.element {
            10 | 16 => self.add(half(self.element, bits as u16)),
            _ => self.n_stored += 1,
        }
    }

    /// Complex numbers and those of less than a byte: several, or less than one, in each place.
    fn is_packed(&self) -> bool {
        matches!(self.element, 0 | 14..) && self.element != 16
    }

    fn read_raw<R: BufRead + Seek>(&mut self, walker: &mut Walker<R>, end: u64) -> Result<(), WalkError> {
        let element = self.element;
        match element {
            0 => Err(WalkError::Malformed("a tensor's data stand before its type")),
            1 => self.read_fixed::<R, 4>(walker, end, |bytes| f64::from(f32::from_le_bytes(bytes))),
            10 | 16 => self.read_fixed::<R, 2>(walker, end, |bytes| half(element, u16::from_le_bytes(bytes))),
            11 => self.read_fixed::<R, 8>(walker, end, f64::from_le_bytes),
            _ => {
                let raw_end = walker.payload_end(end)?;
                let length = raw_end - walker.position;
                walker.skip(length, raw_end)?;
                match element {
                    2 | 3 | 9 => self.n_stored += length,
                    4 | 5 => self.n_stored += length / 2,
                    6 | 12 => self.n_stored += length / 4,
                    7 | 13 => self.n_stored += length / 8,
                    _ => self.has_uncounted = true,
                }
                Ok(())
            }
        }
    }

    /// A payload of numbers of the same width, looked at a chunk at a time.
    fn read_fixed<R: BufRead + Seek, const N: usize>(
        &mut self,
        walker: &mut Walker<R>,
        end: u64,
        value: impl Fn([u8; N]) -> f64,
    ) -> Result<(), WalkError> {
        let payload_end = walker.payload_end(end)?;
        let mut chunk = vec![0_u8; CHUNK_BYTES.min((payload_end - walker.position) as usize)];
        while walker.position < payload_end {
            let length = CHUNK_BYTES.min((payload_end - walker.position) as usize);
            walker.fill(&mut chunk[..length], payload_end)?;
            let (numbers, rest) = chunk[..length].as_chunks::<N>();
            if !rest.is_empty() {
                return Err(WalkError::Malformed("a tensor's data end within a number"));
            }
            for bytes in numbers {
                self.add(value(*bytes));
            }
        }
        Ok(())
    }
}

/// What is wrong with a number that is none.
pub(super) fn is_number(value: f64) -> Result<(), &'static str> {
    if value.is_nan() { Err(NO_NUMBER) } else { Ok(()) }
}

/// As far as it matters here: whether it is a number, and a finite one. Type 10 has five bits of exponent, 16 eight.
fn half(element: u64, bits: u16) -> f64 {
    let n_fraction = if element == 10 { 10 } else { 7 };
    let exponent = (bits & 0x7fff) >> n_fraction;
    let is_special = exponent == 0x7fff >> n_fraction;
    match (is_special, bits & ((1 << n_fraction) - 1)) {
        (false, _) => 0.0,
        (true, 0) => f64::INFINITY,
        (true, _) => f64::NAN,
    }
}

pub(super) fn read_name<R: BufRead + Seek>(walker: &mut Walker<R>, end: u64) -> Result<String, WalkError> {
    let name_end = walker.payload_end(end)?;
    let mut bytes = vec![0_u8; (name_end - walker.position).min(NAME_LIMIT_BYTES) as usize];
    walker.fill(&mut bytes, name_end)?;
    let left = name_end - walker.position;
    walker.skip(left, name_end)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
