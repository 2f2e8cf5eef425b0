//! What the machine gives the client, and what the client costs it.

mod cpu;

mod limits;

pub(super) use cpu::{cores, process_time};
pub(super) use limits::{connections, make_room};
