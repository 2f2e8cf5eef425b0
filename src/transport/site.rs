//! What a transport knows of one server, and of the requests that share a head.

use super::http1::{self, LastHead, Pool};
use super::http2::{self, Sessions};
use super::proxy::ProxyServer;
use super::trace::OwnHeader;
use super::{Head, TransportError};
use http::header::PROXY_AUTHORIZATION;
use http::{HeaderName, HeaderValue};
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

    /// The proxy where it passes requests on, which it does with plain ones; for others it only
    /// opens a tunnel.
    fn passed_on_by(&self) -> Option<&ProxyServer> {
        self.proxy.as_deref().filter(|_| !self.target.secure)
    }

    /// Whether a proxy sees nothing of a request.
    pub(super) fn is_tunnelled(&self) -> bool {
        self.proxy.is_some() && self.target.secure
    }

    /// What the first line of a request over HTTP/1.1 asks for: a path, or the whole URL where a
    /// proxy passes the request on.
    pub(super) fn asked_for<'a>(&self, url: &'a Url) -> &'a str {
        match self.passed_on_by() {
            Some(_) => url.as_str(),
            None => &url[url::Position::BeforePath..],
        }
    }

    /// What a request with `head` says to the proxy by our own doing. What the caller says to it
    /// stands in place of what its URL says.
    pub(super) fn proxy_authorization(&self, head: &Head) -> Option<&HeaderValue> {
        let mut names = head.headers.iter().map(|(name, _)| name);
        if names.any(|name| *name == PROXY_AUTHORIZATION) {
            return None;
        }
        self.passed_on_by()?.authorization.as_ref()
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
        let target = site.asked_for(url);
        let mut written = http1::write_shared(head, target, site.is_tunnelled());
        if let Some(value) = site.proxy_authorization(head) {
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
