//! The transport of a Worker: to which server a request goes, and over which version of HTTP.
//!
//! No redirect is followed here; within a server an exchange follows it (`redirect.rs`).

use super::connect::Connector;
use super::neighbours::Neighbours;
use super::proxy::{Proxy, Rules};
use super::recent::Recent;
use super::site::{Prepared, Site};
use super::sweep::Sweeper;
use super::target::Target;
use super::way::Way;
use super::{
    Head, Request, Response, TlsSettings, Transport, TransportError, TransportFactory, http1, http2,
};
use crate::error;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use url::Url;

/// So many heads are remembered, or twice as many. An operation has one.
const MOST_HEADS: usize = 64;
/// The same of servers, with their connections.
const MOST_SITES: usize = 128;

/// Which version of HTTP is spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.1: a connection for each request in flight.
    #[default]
    Http1,
    /// HTTP/2: many requests over few connections. Over TLS where the server agrees, and else
    /// HTTP/1.1; in clear text by prior knowledge.
    Http2,
}

/// How connections are made.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// The version of HTTP. Default HTTP/1.1.
    pub version: HttpVersion,
    /// The proxy that requests go through. Default: as the environment says.
    pub proxy: Proxy,
    /// The longest that opening a connection may take, names, proxy and TLS included. Default 4 s.
    pub connect_timeout: Duration,
    /// Which servers are trusted.
    pub tls: TlsSettings,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            version: HttpVersion::default(),
            proxy: Proxy::default(),
            connect_timeout: Duration::from_secs(4),
            tls: TlsSettings::default(),
        }
    }
}

impl HttpSettings {
    /// A factory that makes one transport a Worker, all with the same TLS configuration.
    ///
    /// # Errors
    ///
    /// When the TLS or proxy settings cannot be used.
    pub fn factory(&self) -> error::Result<TransportFactory> {
        let rules = Arc::new(self.proxy.rules()?);
        let tls = self.tls.build()?;
        let (version, connect_timeout) = (self.version, self.connect_timeout);
        let neighbours = Neighbours::new();
        Ok(Arc::new(move || {
            let connector = Connector::new(connect_timeout, tls.clone());
            Rc::new(Http(Rc::new(Inner {
                version,
                connector,
                rules: Arc::clone(&rules),
                sites: RefCell::new(Recent::new(MOST_SITES)),
                sweeper: Rc::default(),
                neighbours: neighbours.clone(),
                is_listening: Cell::default(),
                prepared: RefCell::new(Recent::new(MOST_HEADS)),
            })))
        }))
    }
}

/// The transport of one Worker.
struct Http(Rc<Inner>);

struct Inner {
    version: HttpVersion,
    connector: Connector,
    rules: Arc<Rules>,
    sites: RefCell<Recent<Target, Rc<Site>>>,
    sweeper: Rc<Sweeper>,
    neighbours: Neighbours,
    is_listening: Cell<bool>,
    /// By the identity of the head, which each holds: its address is not given to another.
    prepared: RefCell<Recent<usize, Rc<Prepared>>>,
}

impl Transport for Http {
    fn send(&self, request: Request) -> LocalBoxFuture<'static, Result<Response, TransportError>> {
        let inner = Rc::clone(&self.0);
        async move { inner.send(request).await }.boxed_local()
    }

    fn longest_connect(&self) -> Duration {
        self.0.connector.timeout()
    }
}

impl Inner {
    async fn send(self: &Rc<Self>, request: Request) -> Result<Response, TransportError> {
        let prepared = self.prepared(&request.head)?;
        if self.version == HttpVersion::Http2
            && let Some(answer) = http2::send(&self.connector, &prepared, &request).await?
        {
            return Ok(answer);
        }
        let answer = http1::send(&self.connector, &prepared, request).await;
        if matches!(answer, Err(TransportError::Exhausted(_))) {
            // What others keep for later is needed now.
            for site in self.sites.borrow().values() {
                site.http1.clear();
            }
        }
        answer
    }

    fn prepared(self: &Rc<Self>, head: &Arc<Head>) -> Result<Rc<Prepared>, TransportError> {
        let identity = Arc::as_ptr(head) as usize;
        if let Some(prepared) = self.prepared.borrow_mut().get(&identity) {
            return Ok(prepared);
        }
        let url =
            Url::parse(&head.url).map_err(|cause| TransportError::BadRequest(cause.to_string()))?;
        let site = self.site(Target::of(&url)?)?;
        let prepared = Rc::new(Prepared::new(head, &url, site));
        let mut kept = self.prepared.borrow_mut();
        kept.insert(identity, Rc::clone(&prepared));
        Ok(prepared)
    }

    /// Hears of requests of other Workers that wait where this one may have connections to close.
    fn listen(self: &Rc<Self>) {
        let own = Rc::downgrade(self);
        let mut words = self.neighbours.listen();
        actix_rt::spawn(async move {
            loop {
                let heard = match words.recv().await {
                    Ok(heard) => heard,
                    Err(RecvError::Lagged(_)) => continue,
                    Err(RecvError::Closed) => return,
                };
                let Some(own) = own.upgrade() else { return };
                if let Some(site) = own.sites.borrow_mut().get(&heard.target) {
                    site.http1.give_way(&heard);
                }
            }
        });
    }

    fn site(self: &Rc<Self>, target: Target) -> Result<Rc<Site>, TransportError> {
        let mut sites = self.sites.borrow_mut();
        if let Some(site) = sites.get(&target) {
            return Ok(site);
        }
        let proxy = self.rules.server_for(&target)?;
        let way = Way {
            target: target.clone(),
            proxy,
        };
        let site = Site::new(way, &self.sweeper, &self.neighbours);
        if !self.is_listening.replace(true) {
            self.listen();
        }
        // The connections of one that is forgotten are closed once what is in flight has ended.
        sites.insert(target, Rc::clone(&site));
        Ok(site)
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}
