//! What the client itself can do at most on this machine, and what it costs.

mod calibrate;

mod null_server;

mod cpu;

mod limits;

pub(super) use calibrate::ceiling;
pub(super) use cpu::{cores, process_time};
pub(super) use limits::{connections, make_room};
