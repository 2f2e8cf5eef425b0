//! What a mock server is started with.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::latency::Latency;
use super::limits::Limits;
use super::rules::Rule;

/// The settings of a [`MockServer`](super::MockServer). `Default` serves tests;
/// set the fields that are to differ.
#[derive(Debug, Clone)]
pub struct MockConfig {
    /// Where to listen; port 0 takes a free one. Default `127.0.0.1:0`.
    pub addr: SocketAddr,
    /// How many threads share the connections, each with a runtime of its own.
    /// Connections are dealt out in turn. Default 1.
    pub threads: usize,
    /// How long every answer but those of `/health` is held back. Default none.
    pub latency: Latency,
    /// Dimensions of an embedding when the request names none. Default 8.
    pub dimensions: usize,
    /// Tokens of a completion when the request names none. Default 16.
    pub tokens: usize,
    /// Time to first token of a completion. Default zero.
    pub ttft: Duration,
    /// Time between two tokens of a completion. Default zero.
    pub itl: Duration,
    /// The seed of latencies and of the `share` of rules. Default 0.
    pub seed: u64,
    /// Rules that hold from the start. [`MockServer::clear`](super::MockServer::clear)
    /// forgets these too.
    pub rules: Vec<Rule>,
    /// What the server takes in before it says no. Default no limit.
    pub limits: Limits,
}

impl Default for MockConfig {
    fn default() -> Self {
        Self {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            threads: 1,
            latency: Latency::None,
            dimensions: 8,
            tokens: 16,
            ttft: Duration::ZERO,
            itl: Duration::ZERO,
            seed: 0,
            rules: Vec::new(),
            limits: Limits::default(),
        }
    }
}
