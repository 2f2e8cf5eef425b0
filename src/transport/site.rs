//! What a transport knows of one server, and of the requests that share a head.

use super::http1::head::{LastHead, write_header, write_shared};
use super::http1::pool::Pool;
use super::http1::trial::Trial;
use super::http2::head::shared_head;
use super::http2::session::Sessions;
use super::neighbours::{Neighbours, Voice};
use super::sweep::{Sweep, Sweeper};
use super::trace::OwnHeader;
use super::way::Way;
use super::{Head, TransportError};
use http::HeaderName;
use http::header::PROXY_AUTHORIZATION;
use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::Instant;
use url::Url;

/// One server, and the connections to it.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) way: Rc<Way>,
    pub(super) http1: Rc<Pool>,
    /// For those whose connections ended under them.
    pub(super) http1_trial: Trial,
    pub(super) last_head: RefCell<LastHead>,
    pub(super) http2: Rc<Sessions>,
    pub(super) sweeper: Rc<Sweeper>,
}

impl Site {
    /// `sweeper` looks after its idle connections, and other Workers are its `neighbours`.
    pub(super) fn new(way: Way, sweeper: &Rc<Sweeper>, neighbours: &Neighbours) -> Rc<Self> {
        let voice = Voice::new(neighbours, &way.target);
        let site = Rc::new(Self {
            way: Rc::new(way),
            http1: Rc::new(Pool::new(sweeper, voice)),
            http1_trial: Trial::default(),
            last_head: RefCell::default(),
            http2: Rc::default(),
            sweeper: Rc::clone(sweeper),
        });
        let swept: Rc<dyn Sweep> = Rc::<Self>::clone(&site);
        sweeper.add(Rc::downgrade(&swept));
        site
    }
}

impl Sweep for Site {
    fn sweep(&self, now: Instant) -> bool {
        let http1 = self.http1.sweep(now);
        self.http2.sweep() || http1
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
        let target = site.way.asked_for(url);
        let mut written = write_shared(head, target, site.way.is_tunnelled());
        if let Some(value) = site.way.proxy_authorization(head) {
            write_header(&mut written, &PROXY_AUTHORIZATION, value);
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
        let request = shared_head(&self.head, &self.own, self.site.way.proxy.is_some())?;
        Ok(self.http2.get_or_init(|| request).clone())
    }
}
