//! hedgerow as it is meant: one call for all inputs, which it cuts into requests.

use super::{Contender, Got, Session, Task};
use crate::work::{self, Work};
use anyhow::Result;
use hedgerow::transport::{HttpSettings, HttpVersion};
use hedgerow::{
    BlockingClient, Client, Embed, Embeddings, EncodingFormat, Inputs, Preference, System,
};

/// One call over the blocking facade.
pub(super) struct Hedgerow {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) workers: usize,
    pub(super) version: HttpVersion,
}

impl Contender for Hedgerow {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn http2(&self) -> bool {
        self.version == HttpVersion::Http2
    }

    fn start(&self, task: &Task) -> Result<Box<dyn Session>> {
        let http = HttpSettings {
            version: self.version,
            ..HttpSettings::default()
        };
        let system = System::builder().workers(self.workers).http(http).start()?;
        Ok(Box::new(Call::over(system, task)?))
    }
}

/// The client, and the call that it makes next.
pub(super) struct Call {
    client: BlockingClient,
    work: Work,
    inputs: Inputs,
    result: Option<Embeddings>,
}

impl Call {
    /// Over any system.
    pub(super) fn over(system: System, task: &Task) -> Result<Self> {
        let client = Client::builder(&task.url).system(system).build()?;
        Ok(Self {
            client: BlockingClient::new(client),
            work: task.work,
            inputs: Inputs::default(),
            result: None,
        })
    }
}

impl Session for Call {
    fn prepare(&mut self, requests: usize) {
        self.inputs = self.work.inputs(requests).collect();
    }

    fn go(&mut self) -> Result<()> {
        let format = if self.work.is_base64() {
            EncodingFormat::Base64
        } else {
            EncodingFormat::Float
        };
        let preference = Preference {
            batch_size: self.work.batch(),
            max_concurrent_requests: self.work.window(),
            ..Preference::default()
        };
        let call = Embed::new(self.inputs.clone(), "m")
            .encoding_format(format)
            .preference(preference);
        self.result = Some(self.client.embed(call)?);
        Ok(())
    }

    fn take(&mut self) -> Got {
        let Some(result) = self.result.take() else {
            return Got::default();
        };
        let answer = self.work.batch() * result.dimensions();
        let answers = result.as_slice().chunks(answer.max(1));
        Got {
            rows: result.len(),
            dimensions: result.dimensions(),
            checksum: answers.map(work::checksum).fold(0, u64::wrapping_add),
        }
    }
}
