//! What reranking and classification are asked in the same words.

use super::call::write_json_string;

/// Which end of a text that is too long for the model is cut off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TruncationDirection {
    /// Its beginning.
    Left,
    /// Its end.
    #[default]
    Right,
}

/// How texts are to be scored.
#[derive(Debug, Clone, Default)]
pub(super) struct Scoring {
    pub(super) model: Option<String>,
    pub(super) raw_scores: bool,
    pub(super) truncate: bool,
    pub(super) truncation_direction: TruncationDirection,
}

impl Scoring {
    /// Writes the members of a body, each with a comma behind it.
    pub(super) fn write(&self, body: &mut Vec<u8>) {
        if let Some(model) = &self.model {
            body.extend_from_slice(b"\"model\":");
            write_json_string(body, model);
            body.push(b',');
        }
        let direction = match self.truncation_direction {
            TruncationDirection::Left => "Left",
            TruncationDirection::Right => "Right",
        };
        let members = format!(
            "\"raw_scores\":{},\"truncate\":{},\"truncation_direction\":\"{direction}\",",
            self.raw_scores, self.truncate
        );
        body.extend_from_slice(members.as_bytes());
    }
}
