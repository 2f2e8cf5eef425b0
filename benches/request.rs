//! One small request end to end, through facade, actors and HTTP, to the mock server and back;
//! and a thousand of them in one operation.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hedgerow::mock::MockServer;
use hedgerow::{BlockingClient, Client, Embed, Preference, System};

fn request(criterion: &mut Criterion) {
    let server = MockServer::start().expect("the mock server starts");
    let system = System::builder().workers(1).start().expect("a system");
    let client = Client::builder(server.url()).system(system).build();
    let client = BlockingClient::new(client.expect("a client"));
    let mut group = criterion.benchmark_group("request");
    for count in [1usize, 1000] {
        let texts: Vec<String> = (0..count).map(|index| format!("text {index}")).collect();
        let call = Embed::new(texts, "m").preference(Preference {
            batch_size: 1,
            max_concurrent_requests: 256,
            ..Preference::default()
        });
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("{count} of one input"), |bencher| {
            bencher.iter(|| client.embed(call.clone()).expect("an answer"));
        });
    }
    group.finish();
}

criterion_group!(benches, request);
criterion_main!(benches);
