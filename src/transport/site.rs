//! What a transport knows of one server, and of the requests that share a head.

use super::http1::{self, LastHead, Pool};
use super::http2::{self, Sessions};
use super::proxy::ProxyServer;
use super::trace::OwnHeader;
use super::{Head, TransportError};
use http::HeaderName;
use http::header::PROXY_AUTHORIZATION;
use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
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

/// One server, and the connections to it.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) target: Target,
    pub(super) proxy: Option<Arc<ProxyServer>>,
    pub(super) http1: Rc<Pool>,
    pub(super) last_head: RefCell<LastHead>,
    pub(super) http2: Sessions,
}

impl Site {
    pub(super) fn new(target: Target, proxy: Option<Arc<ProxyServer>>) -> Self {
        Self {
            target,
            proxy,
            http1: Rc::default(),
            last_head: RefCell::default(),
            http2: Sessions::default(),
        }
    }
}

/// What requests with one head have in common, in the form in which it is sent.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) site: Rc<Site>,
    /// For HTTP/1.1: the head, up to the headers of one request.
    pub(super) written: Box<[u8]>,
    /// Which headers of its own a request has.
    pub(super) own: Box<[(OwnHeader, HeaderName)]>,
    http2: OnceCell<http::Request<()>>,
    head: Arc<Head>,
}

impl Prepared {
    pub(super) fn new(head: &Arc<Head>, url: &Url, site: Rc<Site>) -> Self {
        // A proxy passes plain requests on, and only opens a tunnel for others.
        let passes_on = site.proxy.as_ref().filter(|_| !site.target.secure);
        let target = match passes_on {
            Some(_) => url.as_str(),
            None => &url[url::Position::BeforePath..],
        };
        let has_own = head
            .headers
            .iter()
            .any(|(name, _)| *name == PROXY_AUTHORIZATION);
        let tunnelled = site.proxy.is_some() && passes_on.is_none();
        let mut written = http1::write_shared(head, target, tunnelled);
        // What the caller says to the proxy stands in place of what its URL says.
        if !has_own && let Some(value) = passes_on.and_then(|proxy| proxy.authorization.as_ref()) {
            http1::write_header(&mut written, &PROXY_AUTHORIZATION, value);
        }
        Self {
            site,
            written: written.into(),
            own: OwnHeader::of(head).map(|own| (own, own.name())).collect(),
            http2: OnceCell::new(),
            head: Arc::clone(head),
        }
    }

    /// For HTTP/2: a request, with nothing yet in the headers that are its own.
    pub(super) fn http2(&self) -> Result<http::Request<()>, TransportError> {
        if let Some(request) = self.http2.get() {
            return Ok(request.clone());
        }
        let request = http2::shared_head(&self.head, &self.own, self.site.proxy.is_some())?;
        Ok(self.http2.get_or_init(|| request).clone())
    }
}

/// A connection that nothing uses is not used again after so long: below the 60 s after which common
/// load balancers close it, or what stands between forgets it and tells nobody.
pub(super) const IDLE: Duration = Duration::from_secs(55);

/// A connection gets no more requests after so long, so that a change of address is noticed.
pub(super) const LIFETIME: Duration = Duration::from_mins(10);
