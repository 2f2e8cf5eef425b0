//! What a request costs in allocations: a guard against slow growth that no clock decides.
//!
//! Server and client share the process, so that the server is a bare one which allocates nothing
//! for a request. The figure counts everything that the client does: planning, messages, tasks,
//! timers, the request, its answer, decoding, joining.

use hedgerow::{BatchPost, BlockingClient, Client, Embed, Payload, Preference, System};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System as SystemAllocator;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<SystemAllocator> = &INSTRUMENTED_SYSTEM;

const ROW: &str = r#"{"data":[{"index":0,"embedding":[0.25,0.5,0.75,1.0]}],"model":"m","usage":{"prompt_tokens":1,"total_tokens":1}}"#;

/// 11.0 were counted when this was written, and 7.9; the rest is room for other versions of what is
/// underneath.
const MOST_FOR_EMBED: f64 = 13.0;
const MOST_FOR_POST: f64 = 10.0;
/// 44.2: a request that is alone has every message of the actors' turns to itself. With 8 users a
/// thread it is 16.
#[cfg(feature = "bench")]
const MOST_FOR_BENCHMARK: f64 = 47.0;

/// Answers every request with one row.
fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ROW}",
        ROW.len()
    );
    let mut bytes = [0; 4096];
    let mut end = 0;
    loop {
        let read = stream.read(&mut bytes[end..])?;
        if read == 0 {
            return Ok(());
        }
        end += read;
        // The client's requests end in their only closing brace, and one waits for its answer.
        if bytes[..end].ends_with(b"}") {
            stream.write_all(answer.as_bytes())?;
            end = 0;
        }
    }
}

/// The URL of a server.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || drop(serve(stream)));
        }
    });
    url
}

fn client(url: &str) -> BlockingClient {
    let system = System::builder().workers(1).start().unwrap();
    BlockingClient::new(Client::builder(url).system(system).build().unwrap())
}

/// Allocations and reallocations a request, over a thousand of them after as many that warm up.
fn a_request(mut call: impl FnMut(usize)) -> f64 {
    const REQUESTS: u16 = 1000;
    call(usize::from(REQUESTS));
    let before = ALLOCATOR.stats();
    call(usize::from(REQUESTS));
    let spent = ALLOCATOR.stats() - before;
    let all = u32::try_from(spent.allocations + spent.reallocations).expect("thousands");
    f64::from(all) / f64::from(REQUESTS)
}

fn preference() -> Preference {
    Preference {
        batch_size: 1,
        max_concurrent_requests: 16,
        ..Preference::default()
    }
}

/// The same of a closed loop on two threads, from the planning of a request to its sample: what a
/// run makes that is twice as long as another.
#[cfg(feature = "bench")]
fn a_benchmarks_request(url: &str) -> f64 {
    use hedgerow::bench::{BenchmarkConfig, RunMode, run_blocking};
    // One a thread: a turn of an actor then holds one request, however busy the machine is.
    const USERS: u16 = 2;
    const EACH: u16 = 1000;
    let run = |requests_per_user: u16| {
        let mode = RunMode::Finite {
            requests_per_user: requests_per_user.into(),
        };
        let body = serde_json::json!({"input": 1});
        let config = BenchmarkConfig::try_new(url, None, USERS.into(), mode, body)
            .unwrap()
            .with_calibration(false)
            .with_workers(2);
        let before = ALLOCATOR.stats();
        let report = run_blocking(&config).unwrap();
        let spent = ALLOCATOR.stats() - before;
        let requests = u64::from(USERS) * u64::from(requests_per_user);
        assert_eq!(report.requests.succeeded, requests, "{:?}", report.failures);
        f64::from(u32::try_from(spent.allocations + spent.reallocations).expect("thousands"))
    };
    run(EACH);
    (run(2 * EACH) - run(EACH)) / f64::from(USERS * EACH)
}

/// One test, since all counts are those of the process.
#[test]
fn a_request_makes_few_allocations() {
    let url = server();
    let client = client(&url);
    let embed = a_request(|requests| {
        // The inputs are the caller's: one allocation each.
        let texts: Vec<String> = (0..requests).map(|n| format!("text {n}")).collect();
        let call = Embed::new(texts, "m").preference(preference());
        assert_eq!(client.embed(call).unwrap().len(), requests);
    });
    let post = a_request(|requests| {
        let payloads = (0..requests).map(|_| Payload::raw("{\"input\":1}"));
        let call = BatchPost::new("/v1/embeddings", payloads).preference(preference());
        assert!(client.post(call).unwrap().is_complete());
    });
    println!("allocations a request: embed {embed:.1}, post {post:.1}");
    #[cfg(feature = "bench")]
    {
        let benchmark = a_benchmarks_request(&url);
        println!("of a benchmark: {benchmark:.1}");
        assert!(benchmark < MOST_FOR_BENCHMARK, "{benchmark}");
    }
    assert!(embed < MOST_FOR_EMBED, "{embed}");
    assert!(post < MOST_FOR_POST, "{post}");
}
