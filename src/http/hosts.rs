//! Whom a request may be addressed to.
//!
//! A page in a browser can point a name of its own at 127.0.0.1 and then read what a daemon on loopback answers ("DNS
//! rebinding"). Such a request carries that name as its Host, so on loopback only names that cannot be the page's own
//! are accepted: addresses, `localhost`, and what the operator lists.

use std::net::IpAddr;

use hyper::http::uri::Authority;

use crate::config::HttpConfig;

/// The names a request may be addressed to.
#[derive(Debug)]
pub(super) struct Hosts {
    checked: bool,
    names: Vec<String>,
}

impl Hosts {
    /// On an address other hosts can reach, every name is accepted: they know the daemon by names it cannot know.
    pub(super) fn new(config: &HttpConfig) -> Self {
        Self { checked: config.listen.ip().is_loopback(), names: config.hosts.clone() }
    }

    /// Whether a request with this Host header is meant for us.
    pub(super) fn accept(&self, header: &[u8]) -> bool {
        if !self.checked {
            return true;
        }
        let Ok(authority) = Authority::try_from(header) else { return false };
        let host = authority.host();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let is = |name: &str| host.eq_ignore_ascii_case(name);
        address.parse::<IpAddr>().is_ok() || is("localhost") || self.names.iter().any(|name| is(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_loopback_only_names_that_cannot_be_a_pages_own_are_accepted() {
        let hosts = Hosts { checked: true, names: vec!["films.example".to_owned()] };
        for host in [
            "127.0.0.1",
            "127.0.0.1:8000",
            "[::1]:8000",
            "192.0.2.7",
            "localhost",
            "LOCALHOST:80",
            "Films.Example:8000",
        ] {
            assert!(hosts.accept(host.as_bytes()), "{host}");
        }
        for host in ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "", "a b"]
        {
            assert!(!hosts.accept(host.as_bytes()), "{host}");
        }
        assert!(!hosts.accept(b"\xff"));
    }

    #[test]
    fn elsewhere_every_name_is_accepted() {
        assert!(Hosts { checked: false, names: Vec::new() }.accept(b"films.example"));
    }
}
