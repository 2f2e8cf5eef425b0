//! What all threads of a server share.

use std::sync::atomic::{AtomicU64, Ordering};

use super::config::MockConfig;
use super::limiter::Limiter;
use super::memory::Memory;
use super::pacer::Pacer;
use super::rules::RuleBook;
use super::stats::Ledger;

/// One of these a server.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: MockConfig,
    pub(super) ledger: Ledger,
    pub(super) rules: RuleBook,
    pub(super) limiter: Limiter,
    pub(super) pacer: Pacer,
    pub(super) memory: Memory,
    /// Numbers the requests, for the sequences that are drawn from the seed.
    draws: AtomicU64,
}

impl Shared {
    /// Takes the configuration's rules and limits, as the first that are in force.
    pub(super) fn new(mut config: MockConfig) -> Self {
        let rules = RuleBook::default();
        rules.add(std::mem::take(&mut config.rules));
        let limiter = Limiter::new(std::mem::take(&mut config.limits));
        Self {
            config,
            ledger: Ledger::default(),
            rules,
            limiter,
            pacer: Pacer::default(),
            memory: Memory::default(),
            draws: AtomicU64::new(0),
        }
    }

    pub(super) fn next_draw(&self) -> u64 {
        self.draws.fetch_add(1, Ordering::Relaxed)
    }

    /// Begins counting anew, and drawing too, so that a run can be repeated.
    pub(super) fn reset_stats(&self) {
        self.ledger.reset();
        self.draws.store(0, Ordering::Relaxed);
    }
}
