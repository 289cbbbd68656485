//! SHA-256 as the lower-case hexadecimal text that manifests and sidecar files hold.

use std::fmt::{self, Write as _};
use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

/// How much of a stream is hashed at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// A SHA-256 as 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sha256Hex(String);

impl Sha256Hex {
    /// Checks the digits.
    pub fn parse(text: &str) -> Option<Self> {
        let valid = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        valid.then(|| Self(text.to_owned()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(hasher: Sha256) -> Self {
        let mut digits = String::with_capacity(64);
        for byte in hasher.finalize() {
            write!(digits, "{byte:02x}").expect("writing to a string does not fail");
        }
        Self(digits)
    }
}

impl fmt::Display for Sha256Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hash of some bytes.
pub fn sha256(bytes: &[u8]) -> Sha256Hex {
    let mut hasher = Sha256::new();
    hasher.update(bytes);
    Sha256Hex::of(hasher)
}

/// Hash and length of a stream, read to its end.
pub(super) fn sha256_stream(mut reader: impl Read) -> io::Result<(Sha256Hex, u64)> {
    let mut hasher = Sha256::new();
    let mut chunk = vec![0_u8; CHUNK_BYTES];
    let mut length = 0_u64;
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return Ok((Sha256Hex::of(hasher), length)),
            Ok(n) => {
                hasher.update(&chunk[..n]);
                length += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hash_and_stream_agree() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc").as_str(), expected);
        let (hash, length) = sha256_stream(&b"abc"[..]).unwrap();
        assert_eq!((hash.as_str(), length), (expected, 3));
    }

    #[test]
    fn only_lower_case_hexadecimal_digits_are_a_hash() {
        assert!(Sha256Hex::parse(&"a".repeat(64)).is_some());
        for text in ["", "abc", &"A".repeat(64), &"g".repeat(64), &"a".repeat(65)] {
            assert!(Sha256Hex::parse(text).is_none(), "{text}");
        }
    }
}
