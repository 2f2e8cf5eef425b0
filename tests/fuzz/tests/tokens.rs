//! The estimate of tokens beside real tokenizers: `cl100k_base` and `o200k_base` of `OpenAI`.
//!
//! `languages.txt` has a passage a line, after its language and a tab: the first article of the
//! Universal Declaration of Human Rights, a customer's note, code, tables, numbers, names. Where the
//! estimate stands was fitted over more (4,474 passages of program messages in 70 languages and of
//! sources, of which 0.8 % were estimated too low); `cargo test -p hedgerow-fuzz --test tokens --
//! --nocapture` prints the ratios.

use hedgerow::internals::fuzz::estimated_tokens;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use tiktoken_rs::{CoreBPE, cl100k_base, o200k_base};

static TOKENIZERS: LazyLock<[CoreBPE; 2]> = LazyLock::new(|| {
    let read = "the vocabulary is in the crate";
    [cl100k_base().expect(read), o200k_base().expect(read)]
});

/// The larger of the two truths.
fn truth(text: &str) -> usize {
    let counts = TOKENIZERS.iter();
    let counts = counts.map(|tokenizer| tokenizer.encode_ordinary(text).len());
    counts.max().expect("two tokenizers")
}

/// Languages and their passages.
fn corpus() -> BTreeMap<&'static str, Vec<String>> {
    let mut corpus = BTreeMap::<_, Vec<String>>::new();
    for line in include_str!("languages.txt").lines() {
        let (language, text) = line.split_once('\t').expect("a language and a text");
        let text = text.replace("\\n", "\n").replace("\\t", "\t");
        corpus.entry(language).or_default().push(text);
    }
    corpus
}

fn ratio(texts: &[String]) -> f64 {
    let estimated: usize = texts.iter().map(|text| estimated_tokens(text)).sum();
    let truth: usize = texts.iter().map(|text| truth(text)).sum();
    estimated as f64 / truth as f64
}

#[test]
fn no_passage_of_any_language_is_estimated_too_low() {
    let corpus = corpus();
    assert!(corpus.len() >= 60, "{}", corpus.len());
    for (language, texts) in &corpus {
        for text in texts {
            let (estimated, truth) = (estimated_tokens(text), truth(text));
            assert!(
                estimated >= truth,
                "{language}: {estimated} for {truth}: {text}"
            );
        }
        println!("{language:20} {:.2}", ratio(texts));
    }
}

#[test]
fn no_language_is_estimated_far_too_high() {
    for (language, texts) in &corpus() {
        let ratio = ratio(texts);
        assert!(ratio <= 1.9, "{language}: {ratio}");
    }
}

#[test]
fn passages_of_several_languages_are_not_estimated_too_low() {
    let corpus = corpus();
    let all: Vec<&String> = corpus.values().flatten().collect();
    for (place, one) in all.iter().enumerate() {
        let other = all[(place * 7 + 3) % all.len()];
        let text = format!("{one} {other}");
        assert!(estimated_tokens(&text) >= truth(&text), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// What no language writes is not held to the truth; a batch of it is off by so much at most.
    #[test]
    fn letters_without_sense_are_off_by_half_at_most(
        words in prop::collection::vec("[a-zA-Z]{1,12}|[0-9]{1,12}|[ -~]{1,6}", 5..60)
    ) {
        let text = words.join(" ");
        prop_assert!(estimated_tokens(&text) * 2 >= truth(&text), "{}", text);
    }

    #[test]
    fn characters_without_sense_are_off_by_three_quarters_at_most(text in "\\PC{1,100}") {
        prop_assert!(estimated_tokens(&text) * 4 >= truth(&text), "{}", text);
    }
}
