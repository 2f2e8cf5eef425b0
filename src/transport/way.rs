//! How a server is reached: directly, or through a proxy.

use super::Head;
use super::proxy::ProxyServer;
use super::target::Target;
use http::HeaderValue;
use http::header::PROXY_AUTHORIZATION;
use std::sync::Arc;
use url::Url;

/// A server, and the proxy through which it is reached, if it is through one.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) target: Target,
    pub(super) proxy: Option<Arc<ProxyServer>>,
}

impl Way {
    /// The proxy where it passes requests on, which it does with plain ones over HTTP/1.1; for all
    /// others it only opens a tunnel.
    fn passed_on_by(&self) -> Option<&ProxyServer> {
        self.proxy.as_deref().filter(|_| !self.target.secure)
    }

    /// Whether a proxy sees nothing of a request over HTTP/1.1.
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
