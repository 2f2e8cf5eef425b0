//! An actix program that addresses the actors by messages, all on one arbiter.
//!
//! `cargo run --features mock --example actix`

use actix::prelude::*;
use hedgerow::mock::MockServer;
use hedgerow::{Client, Embed, Placement, System};

/// An actor of the program's own: it indexes what it is told, and needs embeddings for that.
struct Indexer {
    embedder: Recipient<Embed>,
    indexed: usize,
}

impl Actor for Indexer {
    type Context = Context<Self>;
}

/// Index these lines.
#[derive(Message)]
#[rtype(result = "hedgerow::Result<usize>")]
struct Index(Vec<String>);

impl Handler<Index> for Indexer {
    type Result = ResponseActFuture<Self, hedgerow::Result<usize>>;

    fn handle(&mut self, Index(lines): Index, _: &mut Self::Context) -> Self::Result {
        let asked = self.embedder.send(Embed::new(lines, "mock-embedding"));
        let indexed = asked.into_actor(self).map(|answer, indexer, _| {
            let embeddings = answer.expect("the embedder lives as long as this program")?;
            indexer.indexed += embeddings.len();
            Ok(indexer.indexed)
        });
        Box::pin(indexed)
    }
}

#[actix::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = MockServer::start()?;
    // Every actor of hedgerow's runs on this arbiter, beside the program's own.
    let system = System::builder().placement(Placement::Current(1)).start()?;
    let client = Client::builder(server.url())
        .system(system.clone())
        .build()?;
    let indexer = Indexer {
        embedder: client.start().recipient(),
        indexed: 0,
    }
    .start();
    for chapter in [
        "Of Man's first disobedience",
        "High on a throne of royal state",
    ] {
        let lines = vec![chapter.to_owned(); 300];
        println!("{} lines are indexed", indexer.send(Index(lines)).await??);
    }
    system.shutdown().await;
    Ok(())
}
