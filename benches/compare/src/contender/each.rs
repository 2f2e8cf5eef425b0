//! hedgerow with an operation a request: tasks that each wait for one embedding at a time.

use super::{Contender, Got, Session, Task};
use crate::work::{self, Work};
use anyhow::Result;
use hedgerow::{Client, Embed, EncodingFormat, Preference, System};
use tokio::runtime::{Builder, Runtime};

/// The dearest way of using hedgerow: every request pays for an operation of its own.
pub(super) struct Each;

impl Contender for Each {
    fn name(&self) -> &'static str {
        "hedgerow-each"
    }

    fn about(&self) -> &'static str {
        "an embed() call a request, from tasks of a current-thread tokio runtime, one worker"
    }

    fn does(&self, work: Work) -> bool {
        work == Work::Small
    }

    fn start(&self, task: &Task) -> Result<Box<dyn Session>> {
        let system = System::builder().workers(1).start()?;
        Ok(Box::new(Tasks {
            client: Client::builder(&task.url).system(system).build()?,
            runtime: Builder::new_current_thread().build()?,
            work: task.work,
            requests: 0,
            got: Got::default(),
        }))
    }
}

/// The client, and the runtime whose tasks call it.
struct Tasks {
    client: Client,
    runtime: Runtime,
    work: Work,
    requests: usize,
    got: Got,
}

impl Session for Tasks {
    fn prepare(&mut self, requests: usize) {
        self.requests = requests;
        self.got = Got::default();
    }

    fn go(&mut self) -> Result<()> {
        let tasks = self.work.window();
        self.got = self.runtime.block_on(async {
            let spawn = |first| {
                let inputs = (first..self.requests).step_by(tasks).map(work::input);
                tokio::spawn(one_by_one(self.client.clone(), inputs))
            };
            let spawned: Vec<_> = (0..tasks).map(spawn).collect();
            let mut all = Got::default();
            for task in spawned {
                let got = task.await??;
                all.rows += got.rows;
                all.dimensions = all.dimensions.max(got.dimensions);
                all.checksum = all.checksum.wrapping_add(got.checksum);
            }
            anyhow::Ok(all)
        })?;
        Ok(())
    }

    fn take(&mut self) -> Got {
        self.got
    }
}

/// Embeds the inputs, one after another.
async fn one_by_one(client: Client, inputs: impl Iterator<Item = String>) -> Result<Got> {
    let mut got = Got::default();
    for input in inputs {
        let preference = Preference {
            batch_size: 1,
            ..Preference::default()
        };
        let call = Embed::new([input], "m")
            .encoding_format(EncodingFormat::Float)
            .preference(preference);
        got.add(&client.embed(call).await?)?;
    }
    Ok(got)
}
