//! The works: what is asked, and the canned answer, the same for every contender.

use clap::ValueEnum;
use serde::Serialize;
use std::fmt::Write;

/// The values of all answers come from this.
pub(crate) const SEED: u64 = 0x6865_6467_6572_6f77;

/// What the contenders do. All requests of a work get the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Work {
    /// One short input a request; the answer is one embedding of 8 floats.
    Small,
    /// 128 short inputs a request; the answer is 128 embeddings of 1024 floats, as text.
    Large,
    /// The same embeddings in base64.
    LargeBase64,
}

impl Work {
    pub(crate) const ALL: [Self; 3] = [Self::Small, Self::Large, Self::LargeBase64];

    /// On the command line, in URLs and in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Large => "large",
            Self::LargeBase64 => "large-base64",
        }
    }

    /// Inputs a request, and rows an answer.
    pub(crate) fn batch(self) -> usize {
        match self {
            Self::Small => 1,
            Self::Large | Self::LargeBase64 => 128,
        }
    }

    /// Values a row.
    pub(crate) fn dimensions(self) -> usize {
        match self {
            Self::Small => 8,
            Self::Large | Self::LargeBase64 => 1024,
        }
    }

    /// Requests in flight at once.
    pub(crate) fn window(self) -> usize {
        match self {
            Self::Small => 256,
            Self::Large | Self::LargeBase64 => 16,
        }
    }

    /// Requests before the measured ones: every connection is opened, and every path was taken.
    pub(crate) fn warm_up(self) -> usize {
        self.window() * 4
    }

    /// In which of the two formats the embeddings travel.
    pub(crate) fn is_base64(self) -> bool {
        self == Self::LargeBase64
    }

    /// The inputs of `requests` requests, made as they are taken.
    pub(crate) fn inputs(self, requests: usize) -> impl Iterator<Item = String> {
        (0..requests * self.batch()).map(input)
    }

    /// The values of an answer: rows of length 1, their directions evenly spread.
    fn values(self) -> Vec<f32> {
        let mut random = Random(SEED);
        let rows = (0..self.batch()).flat_map(|_| random.unit_row(self.dimensions()));
        rows.collect()
    }

    /// What all contenders must have read from one answer.
    pub(crate) fn checksum(self) -> u64 {
        checksum(&self.values())
    }

    /// The canned answer. Floats are printed in the shortest form that reads back as the same.
    pub(crate) fn answer(self) -> String {
        let mut text = r#"{"object":"list","data":["#.to_owned();
        for (index, row) in self.values().chunks(self.dimensions()).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let embedding = if self.is_base64() {
                base64(row)
            } else {
                floats(row)
            };
            // Writing into memory cannot fail.
            let _ = write!(
                text,
                r#"{comma}{{"object":"embedding","index":{index},"embedding":{embedding}}}"#
            );
        }
        let tokens = self.batch() * 3;
        let _ = write!(
            text,
            r#"],"model":"m","usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}}}"#
        );
        text
    }
}

/// The input of that number.
pub(crate) fn input(number: usize) -> String {
    format!("text {number}")
}

/// A row as JSON numbers.
fn floats(row: &[f32]) -> String {
    let numbers: Vec<String> = row.iter().map(f32::to_string).collect();
    format!("[{}]", numbers.join(","))
}

/// A row as a JSON string.
fn base64(row: &[f32]) -> String {
    let bytes: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
    format!("\"{}\"", base64_simd::STANDARD.encode_to_string(bytes))
}

/// A sum that sees each bit of each value of an answer, and its place. Sums of answers add up.
pub(crate) fn checksum(values: &[f32]) -> u64 {
    let weighted = (1_u64..)
        .step_by(2)
        .zip(values)
        .map(|(weight, value)| u64::from(value.to_bits()).wrapping_mul(weight));
    weighted.fold(0, u64::wrapping_add)
}

/// `SplitMix64`: the same values on every machine, without a crate whose next version differs.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// In (0, 1]: its logarithm is finite.
    fn uniform(&mut self) -> f64 {
        let upper = u32::try_from(self.next() >> 32).unwrap_or(u32::MAX);
        (f64::from(upper) + 1.0) / f64::from(u32::MAX)
    }

    /// By Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().min(1.0).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// A direction, all being equally likely.
    fn unit_row(&mut self, dimensions: usize) -> Vec<f32> {
        let row: Vec<f64> = (0..dimensions).map(|_| self.normal()).collect();
        let length = row.iter().map(|value| value * value).sum::<f64>().sqrt();
        // What a model gives: single precision.
        #[expect(clippy::cast_possible_truncation)]
        let narrow = |value: f64| (value / length) as f32;
        row.into_iter().map(narrow).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_answer_reads_back_as_its_values() {
        let parsed: serde_json::Value = serde_json::from_str(&Work::Small.answer()).unwrap();
        let row = parsed["data"][0]["embedding"].as_array().unwrap();
        #[expect(clippy::cast_possible_truncation)]
        let values: Vec<f32> = row.iter().map(|x| x.as_f64().unwrap() as f32).collect();
        assert_eq!(checksum(&values), Work::Small.checksum());
    }

    #[test]
    fn large_answers_have_the_size_that_the_figures_speak_of() {
        let floats = Work::Large.answer().len();
        assert!((1_500_000..1_800_000).contains(&floats), "{floats}");
        let base64 = Work::LargeBase64.answer().len();
        assert!((700_000..720_000).contains(&base64), "{base64}");
    }

    #[test]
    fn the_checksum_sees_the_place_of_a_value() {
        assert_ne!(checksum(&[1.0, 2.0]), checksum(&[2.0, 1.0]));
    }
}
