//! Who may ask for what: API keys from a file, or being on this machine.
//!
//! The file has one key per line, `write KEY` or `read KEY`; blank lines and lines that begin with `#` do not count. A
//! write key opens everything. With a read key in the file, reading needs a key too; with no key at all, what changes
//! something answers only to loopback.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HOST, ORIGIN};
use subtle::{Choice, ConstantTimeEq};

use super::error::{ErrorCode, HttpError};
use crate::config::HttpConfig;

/// Shorter keys can be guessed.
const MIN_KEY_BYTES: usize = 16;
/// No sane file is larger.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// What a route does, as far as access depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Says nothing about people or the catalogue.
    Open,
    /// Reads.
    Read,
    /// Changes something.
    Write,
}

/// The keys of this daemon. Their text is never shown.
#[derive(Default)]
pub struct Keys {
    write: Vec<Vec<u8>>,
    read: Vec<Vec<u8>>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("n_write", &self.write.len()).field("n_read", &self.read.len()).finish()
    }
}

/// Why a file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the keys in {path} cannot be used: {reason}")]
pub struct KeysError {
    path: String,
    reason: String,
}

impl Keys {
    /// The keys of the settings' file; none without one.
    pub fn of(config: &HttpConfig) -> Result<Self, KeysError> {
        config.keys_file.as_deref().map_or_else(|| Ok(Self::default()), Self::read)
    }

    /// Reads a file of keys.
    pub fn read(path: &Path) -> Result<Self, KeysError> {
        let error = |reason: String| KeysError { path: path.display().to_string(), reason };
        let size = std::fs::metadata(path).map_err(|cause| error(cause.to_string()))?.len();
        if size > MAX_FILE_BYTES {
            return Err(error(format!("it has more than {MAX_FILE_BYTES} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|cause| error(cause.to_string()))?;
        let keys = Self::parse(&text).map_err(error)?;
        if keys.write.is_empty() {
            return Err(error("it has no line `write KEY`".to_owned()));
        }
        Ok(keys)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut keys = Self::default();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            let (list, key) = match words[..] {
                ["write", key] => (&mut keys.write, key),
                ["read", key] => (&mut keys.read, key),
                _ => return Err(format!("line {number} is neither `write KEY` nor `read KEY`")),
            };
            if key.len() < MIN_KEY_BYTES {
                return Err(format!("the key in line {number} has fewer than {MIN_KEY_BYTES} bytes"));
            }
            list.push(key.as_bytes().to_vec());
        }
        Ok(keys)
    }

    /// Whether a request may have what it asks for.
    pub(super) fn check(&self, access: Access, headers: &HeaderMap, peer: IpAddr) -> Result<(), HttpError> {
        if access == Access::Write {
            check_origin(headers)?;
        }
        let needs_key = match access {
            Access::Open => false,
            Access::Read => !self.read.is_empty(),
            Access::Write => !self.write.is_empty(),
        };
        if !needs_key {
            if access == Access::Write && !peer.to_canonical().is_loopback() {
                let detail =
                    "Without API keys (the setting http.keys_file) only this machine itself may change anything.";
                return Err(HttpError::new(ErrorCode::Forbidden, detail));
            }
            return Ok(());
        }
        let Some(given) = bearer(headers) else {
            let detail = "This needs the header `Authorization: Bearer KEY` with a key of this daemon.";
            return Err(HttpError::new(ErrorCode::Unauthorized, detail));
        };
        let opens = is_one_of(given, &self.write);
        if bool::from(opens) || (access == Access::Read && bool::from(is_one_of(given, &self.read))) {
            return Ok(());
        }
        if bool::from(is_one_of(given, &self.read)) {
            return Err(HttpError::new(ErrorCode::Forbidden, "This key may read, but not change anything."));
        }
        Err(HttpError::new(ErrorCode::Unauthorized, "The key is none of this daemon's."))
    }
}

/// All keys are compared, each in the same time whatever its bytes are.
fn is_one_of(given: &[u8], keys: &[Vec<u8>]) -> Choice {
    keys.iter().fold(Choice::from(0), |found, key| found | key.as_slice().ct_eq(given))
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, key) = value.split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
}

/// A page of another site, open in a browser on this machine, could send changes here; browsers then say whose it is.
fn check_origin(headers: &HeaderMap) -> Result<(), HttpError> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let own = headers.get(HOST).map(|host| host.as_bytes());
    let host = origin.as_bytes().splitn(2, |&byte| byte == b'/').nth(1).map(|rest| rest.trim_ascii_start());
    let host = host.and_then(|rest| rest.strip_prefix(b"/"));
    if host.is_some() && host == own {
        return Ok(());
    }
    Err(HttpError::new(ErrorCode::Forbidden, "A page of another site may not change anything here."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn elsewhere() -> IpAddr {
        "192.0.2.7".parse().unwrap()
    }

    fn with_key(key: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(key))])
    }

    fn code(outcome: Result<(), HttpError>) -> Option<ErrorCode> {
        outcome.err().map(|error| error.code)
    }

    #[test]
    fn without_keys_only_this_machine_changes_anything() {
        let keys = Keys::default();
        for (access, peer, refused) in [
            (Access::Read, elsewhere(), None),
            (Access::Open, elsewhere(), None),
            (Access::Write, LOOPBACK, None),
            (Access::Write, "::1".parse().unwrap(), None),
            (Access::Write, "::ffff:127.0.0.1".parse().unwrap(), None),
            (Access::Write, elsewhere(), Some(ErrorCode::Forbidden)),
        ] {
            assert_eq!(code(keys.check(access, &HeaderMap::new(), peer)), refused, "{access:?} {peer}");
        }
    }

    #[test]
    fn a_write_key_opens_everything_and_a_read_key_reading() {
        let keys = Keys::parse("# ours\nwrite wwwwwwwwwwwwwwww\n\nread  rrrrrrrrrrrrrrrr\n").unwrap();
        let (unauthorized, forbidden) = (Some(ErrorCode::Unauthorized), Some(ErrorCode::Forbidden));
        for (access, key, refused) in [
            (Access::Open, "", None),
            (Access::Read, "", unauthorized),
            (Access::Read, "Bearer rrrrrrrrrrrrrrrr", None),
            (Access::Read, "bearer wwwwwwwwwwwwwwww", None),
            (Access::Read, "Bearer xxxxxxxxxxxxxxxx", unauthorized),
            (Access::Write, "Bearer wwwwwwwwwwwwwwww", None),
            (Access::Write, "Bearer rrrrrrrrrrrrrrrr", forbidden),
            (Access::Write, "Bearer wwwwwwwwwwwwwwwww", unauthorized),
            (Access::Write, "Basic wwwwwwwwwwwwwwww", unauthorized),
            (Access::Write, "", unauthorized),
        ] {
            let headers = if key.is_empty() { HeaderMap::new() } else { with_key(key) };
            assert_eq!(code(keys.check(access, &headers, LOOPBACK)), refused, "{access:?} {key}");
        }
        let only_write = Keys::parse("write wwwwwwwwwwwwwwww").unwrap();
        assert_eq!(code(only_write.check(Access::Read, &HeaderMap::new(), elsewhere())), None);
    }

    #[test]
    fn pages_of_other_sites_change_nothing() {
        let keys = Keys::default();
        for (origin, refused) in [
            ("http://127.0.0.1:8000", None),
            ("http://evil.example", Some(ErrorCode::Forbidden)),
            ("http://127.0.0.1:9000", Some(ErrorCode::Forbidden)),
            ("null", Some(ErrorCode::Forbidden)),
        ] {
            let headers = HeaderMap::from_iter([
                (HOST, HeaderValue::from_static("127.0.0.1:8000")),
                (ORIGIN, HeaderValue::from_static(origin)),
            ]);
            assert_eq!(code(keys.check(Access::Write, &headers, LOOPBACK)), refused, "{origin}");
            assert_eq!(code(keys.check(Access::Read, &headers, LOOPBACK)), None, "{origin}");
        }
    }

    #[test]
    fn bad_files_are_refused_without_showing_a_key() {
        for (text, reason) in [
            ("write short", "line 1 has fewer than 16 bytes"),
            ("\nadmin wwwwwwwwwwwwwwww", "line 2 is neither"),
            ("write wwwwwwwwwwwwwwww more", "line 1 is neither"),
        ] {
            let error = Keys::parse(text).unwrap_err();
            assert!(error.contains(reason) && !error.contains("wwww"), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        assert!(Keys::read(&path).is_err());
        std::fs::write(&path, "read rrrrrrrrrrrrrrrr\n").unwrap();
        assert!(Keys::read(&path).unwrap_err().to_string().contains("no line `write KEY`"));
        std::fs::write(&path, "write wwwwwwwwwwwwwwww\n").unwrap();
        assert_eq!(format!("{:?}", Keys::read(&path).unwrap()), "Keys { n_write: 1, n_read: 0 }");
    }
}
