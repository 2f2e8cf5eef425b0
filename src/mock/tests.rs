//! Tests of the mock server: its pure parts, and a running server as a raw
//! socket sees it.

mod client;
mod endpoints;
mod faults;
mod http;
mod limit_scopes;
mod limit_styles;
mod limits;
mod pace;
mod pure;
mod stats;
