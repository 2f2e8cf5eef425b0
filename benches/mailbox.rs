//! What a message costs: on the same arbiter, across arbiters, alone and in batches.
//!
//! These figures are why messages are collected by turn: between threads the wake-up costs, not
//! the message.

use actix::{Actor, Arbiter, Context, Handler, Message};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

struct Echo;

impl Actor for Echo {
    type Context = Context<Self>;
}

/// As large as an attempt.
#[derive(Message)]
#[rtype(result = "usize")]
struct Batch(Vec<[u64; 12]>);

impl Handler<Batch> for Echo {
    type Result = usize;

    fn handle(&mut self, Batch(items): Batch, _: &mut Self::Context) -> usize {
        black_box(items).len()
    }
}

fn mailbox(criterion: &mut Criterion) {
    let runner = actix::System::new();
    let (near, far) = runner.block_on(async {
        let arbiter = Arbiter::new();
        let far = Echo::start_in_arbiter(&arbiter.handle(), |_| Echo);
        (Echo.start(), far)
    });
    let mut group = criterion.benchmark_group("mailbox");
    for (place, address) in [("same arbiter", &near), ("across arbiters", &far)] {
        for items in [1usize, 64] {
            group.throughput(Throughput::Elements(items as u64));
            let id = BenchmarkId::new(place, items);
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    let batch = Batch(vec![[0; 12]; items]);
                    runner.block_on(address.send(batch)).expect("it lives")
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, mailbox);
criterion_main!(benches);
