//! Records that are given as a list of dicts: what a line of `jsonl` may be.

use super::settings::Settings;
use crate::json::Writer;
use hedgerow::bench::Record;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

/// The records of the setting `records`, where there is one.
pub(super) fn read(settings: &Settings<'_>) -> PyResult<Option<Vec<Record>>> {
    const KEY: &str = "records";
    let Some(given) = settings.get(KEY)? else {
        return Ok(None);
    };
    let is_list = given.is_instance_of::<PyList>() || given.is_instance_of::<PyTuple>();
    if !is_list || given.len()? == 0 {
        let wanted = "a list of dicts, each with text, messages, body, or query and texts";
        return Err(settings.refused(KEY, wanted));
    }
    let mut records = Vec::with_capacity(given.len()?);
    let mut writer = Writer::default();
    for (number, item) in given.try_iter()?.enumerate() {
        let item = item?;
        let place = || format!("{KEY}[{number}]");
        let record = Record::from_json(writer.text(&item, place)?);
        records.push(record.map_err(|error| {
            let shown = Settings::shown(&item);
            PyValueError::new_err(format!("{} {error} (got {shown})", place()))
        })?);
    }
    Ok(Some(records))
}
