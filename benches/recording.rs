//! What it costs to record a request of a run: 100,000 a second, answered whole and streamed.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hedgerow::bench::Probe;

fn recording(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("recording");
    for gaps in [0, 16, 128] {
        let mut probe = Probe::new(gaps, "latency_p99<1s").expect("a threshold");
        group.bench_function(BenchmarkId::new("gaps", gaps), |bencher| {
            bencher.iter(|| probe.record());
        });
    }
    group.finish();
}

criterion_group!(benches, recording);
criterion_main!(benches);
