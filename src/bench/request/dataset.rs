//! Records of a JSONL file: one JSON object a line.

use crate::error::{Error, Result};
use serde::Deserialize;
use serde_json::Value;
use std::io::BufRead;
use std::path::Path;

/// A line longer than this is no record, in bytes.
const LONGEST_LINE: usize = 64 << 20;

/// One record: what a request is made from.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Record {
    /// A text: a prompt, or an input.
    Text(String),
    /// The messages of a chat.
    Messages(Value),
    /// A query and the texts that are to be ranked by it.
    Ranking {
        /// The query.
        query: String,
        /// The texts.
        texts: Vec<String>,
    },
    /// The body, as it is to be sent.
    Body(Value),
}

/// A record as it is written.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Line {
    text: Option<String>,
    messages: Option<Value>,
    query: Option<String>,
    texts: Option<Vec<String>>,
    body: Option<Value>,
}

impl Record {
    /// Reads a record: an object with `text`, `messages`, `query` and `texts`, or `body`; of several
    /// the last in this order counts. Other keys are left alone.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Self> {
        let bad = |text: &str| Err(Error::config(text));
        let line: Line = serde_json::from_slice(json.as_ref()).map_err(|cause| {
            let text = cause.to_string();
            // A record has one line, whose number in a file is another.
            let text = text.split(" at line ").next().unwrap_or(&text);
            Error::config(format!(
                "is no record: {text}, at column {} (an object with text, messages, body, or query \
                 and texts is expected)",
                cause.column()
            ))
        })?;
        match line {
            Line {
                body: Some(body), ..
            } => Ok(Self::Body(body)),
            Line {
                messages: Some(messages),
                ..
            } if messages.is_array() => Ok(Self::Messages(messages)),
            Line {
                messages: Some(_), ..
            } => bad("is no record: its messages are no list"),
            Line {
                query: Some(query),
                texts: Some(texts),
                ..
            } => Ok(Self::Ranking { query, texts }),
            Line {
                text: Some(text), ..
            } => Ok(Self::Text(text)),
            _ => bad("is no record: it has none of text, messages, body, or query and texts"),
        }
    }
}

/// Reads the records of a file.
///
/// # Errors
///
/// When it cannot be read, has no record, or a line is none; the error names file and line.
pub fn read_jsonl(path: &Path) -> Result<Vec<Record>> {
    let name = path.display();
    let file = std::fs::File::open(path)
        .map_err(|cause| Error::config(format!("--jsonl {name}: cannot be opened: {cause}")))?;
    read(std::io::BufReader::new(file)).map_err(|problem| {
        let Problem { line, text } = problem;
        Error::config(match line {
            Some(line) => format!("--jsonl {name}, line {line}: {text}"),
            None => format!("--jsonl {name}: {text}"),
        })
    })
}

#[derive(Debug)]
struct Problem {
    line: Option<usize>,
    text: String,
}

fn read(mut from: impl BufRead) -> std::result::Result<Vec<Record>, Problem> {
    let mut records = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        let problem = |text: String| Problem {
            line: Some(number),
            text,
        };
        line.clear();
        let most = LONGEST_LINE as u64 + 1;
        let read = std::io::Read::take(&mut from, most)
            .read_until(b'\n', &mut line)
            .map_err(|cause| problem(format!("cannot be read: {cause}")))?;
        if read == 0 {
            break;
        }
        if line.len() > LONGEST_LINE {
            return Err(problem(format!("is longer than {LONGEST_LINE} bytes")));
        }
        let text = if number == 1 {
            line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line)
        } else {
            &line
        };
        let text = text.trim_ascii();
        if !text.is_empty() {
            let record = Record::from_json(text).map_err(|error| problem(error.to_string()));
            records.push(record?);
        }
    }
    if records.is_empty() {
        return Err(Problem {
            line: None,
            text: "there is no record in it".to_owned(),
        });
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn each_form_of_record_is_read() {
        let file = "\u{feff}{\"text\":\"a\",\"id\":7}\r\n\n{\"messages\":[{\"role\":\"user\"}]}\n\
                    {\"body\":{\"x\":1}}\n{\"query\":\"q\",\"texts\":[\"t\"]}";
        let records = read(file.as_bytes()).unwrap();
        let expected = [
            Record::Text("a".into()),
            Record::Messages(json!([{"role": "user"}])),
            Record::Body(json!({"x": 1})),
            Record::Ranking {
                query: "q".into(),
                texts: vec!["t".into()],
            },
        ];
        assert_eq!(records, expected);
    }

    #[test]
    fn a_line_that_is_no_record_is_named() {
        for (file, line) in [
            ("{\"text\":\"a\"}\n{\"text\":", Some(2)),
            ("[]", Some(1)),
            ("\n\n{\"text\":7}", Some(3)),
            ("{}", Some(1)),
            ("{\"messages\":{}}", Some(1)),
            ("\u{0}", Some(1)),
            ("", None),
            ("\n \n", None),
        ] {
            assert_eq!(read(file.as_bytes()).unwrap_err().line, line, "{file:?}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(format!("{{\"body\":{deep}").as_bytes()).is_err());
        let error = read_jsonl(Path::new("/nowhere.jsonl")).unwrap_err();
        assert!(error.is_config() && error.to_string().contains("/nowhere.jsonl"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(bytes.as_slice());
        }
    }
}
