//! The decisions, as pure types: no actor, no clock, no I/O.
//!
//! Time and randomness are arguments, so that every rule here is tested by calling it.

pub(crate) mod split;

pub(crate) mod pieces;

pub(crate) mod shape;

pub(crate) mod suspicion;

pub(crate) mod tokens;

pub(crate) mod retry;

pub(crate) mod budget;

pub(crate) mod gate;

pub(crate) mod limit;

pub(crate) mod notice;

pub(crate) mod pace;

pub(crate) mod paths;

pub(crate) mod refusals;

pub(crate) mod window;

pub(crate) mod hedge;

pub(crate) mod route;

pub(crate) mod encoding;

pub(crate) mod timers;
