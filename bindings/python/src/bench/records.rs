//! Records that are given as a list of dicts: what a line of `jsonl` may be.

use super::settings::Settings;
use crate::json::Writer;
use hedgerow::bench::Record;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use serde::Deserialize;
use serde_json::Value;

const WANTED: &str = "a list of dicts, each with text, messages, body, or query and texts";

/// As a line of a file is read.
#[derive(Deserialize)]
struct Line {
    text: Option<String>,
    messages: Option<Vec<Value>>,
    query: Option<String>,
    texts: Option<Vec<String>>,
    body: Option<Value>,
}

/// The records of the setting `records`, where there is one.
pub(super) fn read(settings: &Settings<'_>) -> PyResult<Option<Vec<Record>>> {
    const KEY: &str = "records";
    let Some(given) = settings.get(KEY)? else {
        return Ok(None);
    };
    let is_list = given.is_instance_of::<PyList>() || given.is_instance_of::<PyTuple>();
    if !is_list || given.len()? == 0 {
        return Err(settings.refused(KEY, WANTED));
    }
    let mut records = Vec::with_capacity(given.len()?);
    let mut writer = Writer::default();
    for (number, item) in given.try_iter()?.enumerate() {
        let item = item?;
        let place = || format!("{KEY}[{number}]");
        let line = serde_json::from_slice(writer.text(&item, place)?);
        let record = line.ok().and_then(record);
        records.push(record.ok_or_else(|| Settings::bad(&place(), WANTED, &item))?);
    }
    Ok(Some(records))
}

fn record(line: Line) -> Option<Record> {
    if let Some(body) = line.body {
        return Some(Record::Body(body));
    }
    if let Some(messages) = line.messages {
        return Some(Record::Messages(Value::Array(messages)));
    }
    if let (Some(query), Some(texts)) = (line.query, line.texts) {
        return Some(Record::Ranking { query, texts });
    }
    line.text.map(Record::Text)
}
