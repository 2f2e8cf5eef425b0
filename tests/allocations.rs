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

fn client() -> BlockingClient {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || drop(serve(stream)));
        }
    });
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

/// One test, since both counts are those of the process.
#[test]
fn a_request_makes_few_allocations() {
    let client = client();
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
    assert!(embed < MOST_FOR_EMBED, "{embed}");
    assert!(post < MOST_FOR_POST, "{post}");
}
