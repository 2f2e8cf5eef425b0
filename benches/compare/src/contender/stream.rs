//! hedgerow for a long job: inputs from an iterator, batches as they finish; neither is kept.

use super::{Contender, Got, Session, Task};
use crate::work::Work;
use anyhow::Result;
use hedgerow::{BlockingClient, Client, Embed, EncodingFormat, Preference, System};

/// A long job.
pub(super) struct Stream;

impl Contender for Stream {
    fn name(&self) -> &'static str {
        "hedgerow-stream"
    }

    fn about(&self) -> &'static str {
        "one embed_iter() for all, whose batches are dropped; one worker"
    }

    fn does(&self, work: Work) -> bool {
        work == Work::Small
    }

    fn start(&self, task: &Task) -> Result<Box<dyn Session>> {
        let system = System::builder().workers(1).start()?;
        let client = Client::builder(&task.url).system(system).build()?;
        Ok(Box::new(Job {
            client: BlockingClient::new(client),
            work: task.work,
            requests: 0,
            got: Got::default(),
        }))
    }
}

/// The client, and the job that it does next.
struct Job {
    client: BlockingClient,
    work: Work,
    requests: usize,
    got: Got,
}

impl Session for Job {
    fn prepare(&mut self, requests: usize) {
        self.requests = requests;
        self.got = Got::default();
    }

    fn go(&mut self) -> Result<()> {
        let preference = Preference {
            batch_size: self.work.batch(),
            max_concurrent_requests: self.work.window(),
            ..Preference::default()
        };
        let call = Embed::template("m")
            .encoding_format(EncodingFormat::Float)
            .preference(preference);
        for batch in self
            .client
            .embed_iter(self.work.inputs(self.requests), call)
        {
            self.got.add(&batch?.embeddings)?;
        }
        Ok(())
    }

    fn take(&mut self) -> Got {
        self.got
    }
}
