//! What it costs to cut an operation into requests: by count, and by characters too.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hedgerow::internals::{Limits, Weight, split};
use std::hint::black_box;

fn planner(criterion: &mut Criterion) {
    let texts: Vec<String> = (0..100_000)
        .map(|index| "a line of some text, as it stands in a book ".repeat(1 + index % 4))
        .collect();
    let mut group = criterion.benchmark_group("planner");
    group.throughput(Throughput::Elements(texts.len() as u64));
    for (name, max_chars) in [("count", None), ("characters", Some(8000))] {
        let limits = Limits {
            max_chars,
            ..Limits::of_count(128)
        };
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| {
                let plan = split(black_box(texts.len()), limits, |index| Weight {
                    chars: texts[index].chars().count(),
                    ..Weight::default()
                });
                // All ranges are walked, as the Dispatcher does.
                (0..plan.len())
                    .map(|index| plan.range(index).len())
                    .sum::<usize>()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, planner);
criterion_main!(benches);
