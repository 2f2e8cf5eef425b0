//! Whom requests go to.

use super::TransportError;
use std::fmt;
use url::{Host, Url};

/// Whom requests go to. Ordered by nothing; compared to find the server's connections.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Target {
    pub(super) secure: bool,
    /// A name, or an address without brackets.
    pub(super) host: Box<str>,
    pub(super) port: u16,
}

impl Target {
    pub(super) fn of(url: &Url) -> Result<Self, TransportError> {
        let bad = || TransportError::BadRequest("the URL is not one of http or https".to_owned());
        let host = match url.host().ok_or_else(bad)? {
            Host::Domain(name) => name.into(),
            Host::Ipv4(address) => address.to_string().into(),
            Host::Ipv6(address) => address.to_string().into(),
        };
        let secure = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(bad()),
        };
        let port = url.port_or_known_default().ok_or_else(bad)?;
        Ok(Self { secure, host, port })
    }
}

/// `host:port`, as CONNECT has it.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}
