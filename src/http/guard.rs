//! Who may change something: whoever asks from this host, and no page in a browser there.

use std::net::SocketAddr;

use hyper::Request;
use hyper::header::ORIGIN;

use super::error::{ErrorCode, HttpError};

/// Who is at the other end of a connection, as an extension of its requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Refuses a request that changes something unless it comes from loopback. A browser says which page asks (`Origin`);
/// pages of others must not steer the daemon just because they are looked at on its host.
pub(super) fn may_change<Body>(request: &Request<Body>) -> Result<(), HttpError> {
    let is_local = request.extensions().get::<Peer>().is_some_and(|Peer(address)| address.ip().is_loopback());
    if is_local && !request.headers().contains_key(ORIGIN) {
        return Ok(());
    }
    Err(HttpError::new(ErrorCode::Forbidden, "Changes are taken from programs on the daemon's own host only."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_taken_from_programs_on_this_host() {
        for (peer, origin, expected) in [
            (Some("127.0.0.1:5000"), None, true),
            (Some("[::1]:5000"), None, true),
            (Some("10.0.0.7:5000"), None, false),
            (None, None, false),
            (Some("127.0.0.1:5000"), Some("http://page.example"), false),
        ] {
            let mut request = Request::new(());
            if let Some(peer) = peer {
                request.extensions_mut().insert(Peer(peer.parse().unwrap()));
            }
            if let Some(origin) = origin {
                request.headers_mut().insert(ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(may_change(&request).is_ok(), expected, "{peer:?} {origin:?}");
        }
    }
}
