//! Classes of inputs.

use super::record::Record;
use hedgerow::Classifications;
use napi_derive::napi;
use std::sync::Arc;

/// The answer to `classify`.
#[napi]
pub(crate) struct ClassesAnswer(Arc<Classifications>);

/// A class of an input.
#[napi(object, object_from_js = false)]
pub(crate) struct Labelled {
    pub label: String,
    pub score: f64,
}

#[napi]
impl ClassesAnswer {
    /// An answer in which nothing finished.
    #[napi(constructor)]
    pub fn new() -> Self {
        Classifications::default().into()
    }

    #[napi(getter)]
    pub fn length(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// The classes of some of the inputs.
    #[napi]
    pub fn slice(&self, start: u32, end: u32) -> Vec<Vec<Labelled>> {
        let lists = self.0.get(start as usize..end as usize).unwrap_or_default();
        let labelled = |classes: &Vec<hedgerow::Class>| {
            let classes = classes.iter();
            let labelled = classes.map(|class| Labelled {
                label: class.label.clone(),
                score: class.score,
            });
            labelled.collect()
        };
        lists.iter().map(labelled).collect()
    }

    #[napi]
    pub fn record(&self) -> Record {
        Record::of(&self.0)
    }
}

impl From<Classifications> for ClassesAnswer {
    fn from(answer: Classifications) -> Self {
        Self(Arc::new(answer))
    }
}
