//! Behaviour tests, one binary. What a test claims of requests, the server counted.

// What they share: clients, the hostile server, a fake network with a clock that can be paused.
mod support;

// Texts in, matrix out: batches, order, encodings, what is told about each request.
mod embed;

// The known faults of the client that this one replaces, by their number.
mod points;

// Reranking, classification, posts; MessagePack.
mod operations;

// What a connection can do to a client: cut, reset, stall, compress, redirect, lie.
mod transport;

// Our HTTP/1.1 beside hyper's and awc's: the same bytes to all three.
mod differential;

// HTTP/2: many requests over one connection.
mod http2;

// Certificates.
mod tls;

// Proxies, of which one is real: tinyproxy has to be installed.
mod proxy;

// Requests beside the data path, which awc makes.
mod control;

// Pauses, attempts, budgets; twins of slow requests. In simulated time.
mod resilience;

// "Too much" and "not now": shared pauses, a shared budget, one probe first. In simulated time.
mod refusals;

// Servers that are away, and come back. In simulated time.
mod outages;

// Servers with limits, over sockets.
mod limits;

// So many requests or tokens a minute: set, or told in headers.
mod rates;

// What a server says of another try: when, whether, and for how long it is listened to.
mod retry_after;

// Requests that are too large for a server, and inputs that it refuses: what is cut, and what it costs.
mod shape;

// What had finished is never lost.
mod partial;

// Long jobs: a window of batches at a time, progress, a handle to cancel by.
mod stream;

// Timeouts, deadlines, tokens, dropped futures: nothing hangs, nothing stays open.
mod cancel;

// Thousands of operations of every kind under everything at once, from a seed.
mod chaos;

// The ways in: async on any runtime, threads, actix messages.
mod facade;

// Starting, stopping, several systems, Workers that panic.
mod system;

// A process at its limits: descriptors, threads.
#[cfg(target_os = "linux")]
mod exhaustion;

// The mock server, asked by a client that is not ours.
mod independent;

// The demo, the examples, the command.
mod programs;

// A benchmark's report, read back by other programs and looked at in a browser.
mod outputs;

// The examples that are services, and the one of plain threads: as their callers see them.
mod services;

// No key in any log, error or Debug output.
mod secrets;

// The benchmark harness, rule by rule.
mod bench;

// Answers that take a while to unpack or decode.
mod large;

// The code itself: imports that point down, files that are not too long.
mod house;

// What must hold nobody up, and storm no server. In simulated time.
mod held_up;
