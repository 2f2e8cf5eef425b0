//! How many tokens a text has, without a tokenizer: an estimate that is rather too high than too low.
//!
//! One scan, a weight a character by its script, a word or a group of digits. The weights are those
//! of `cl100k_base` (the coarser of `OpenAI`'s two for most scripts), fitted to what programs say in 70
//! languages and raised until it was not below it; `tests/fuzz` holds the estimate against that
//! tokenizer and against `o200k_base`, in 50 languages, code, numbers and emoji. English alone has
//! weights of its own, since its words are whole in every vocabulary and those of no other language
//! are: a block of words is English where one in six is a word such as "the".
//!
//! What it says, as a multiple of the larger of the two truths: English, Spanish, Bengali, Tamil, Polish,
//! Persian, Arabic 1.4 to 1.55; German, French, Dutch, Norwegian, Vietnamese, Russian, Chinese, Turkish,
//! Hungarian 1.25 to 1.4; Swedish, Danish, Finnish, Czech, Portuguese, Indonesian, Ukrainian, Romanian,
//! Bulgarian, Hindi 1.1 to 1.25; Italian, Greek, Hebrew, Japanese, Korean, Thai, Welsh, Swahili, Zulu, Urdu,
//! Georgian and others with scripts of their own 1.02 to 1.1; code 1.2 to 1.7; numbers, base64 and
//! hexadecimal 1.04 to 1.25. Of the truth of `o200k_base` alone it is up to five times in scripts other than
//! Latin, whose tokens are longer there. Of 4,474 passages that it was fitted to, 0.8 % have more. A text of
//! rare syllables, or made to be costly, may have up to twice as many; none has more tokens than bytes.

/// A word of English is written in so few letters that they fit into a number.
const SHORT: usize = 6;
/// Words such as no English text is without, in the order of their numbers.
const FUNCTION_WORDS: [u64; 32] = sorted([
    "the", "of", "and", "to", "in", "is", "for", "with", "that", "be", "or", "are", "as", "it",
    "on", "by", "this", "not", "you", "from", "if", "can", "will", "has", "have", "but", "they",
    "we", "its", "all", "should", "which",
]);
/// So many words are judged together, but for what is left at the end.
const BLOCK: u32 = 24;
/// In an English block at least one word of so many is one of those above.
const ONE_IN: u32 = 6;
/// Too few to judge by.
const FEWEST: u32 = 6;

/// The tokens of a text, in all likelihood no more than this.
pub(crate) fn estimate(text: &str) -> usize {
    let mut scan = Scan::default();
    for character in text.chars() {
        scan.take(character);
    }
    scan.end_word();
    scan.end_block();
    scan.hundredths.div_ceil(100)
}

/// The same with the marks that some models put around a text.
pub(crate) fn estimate_with_marks(text: &str) -> usize {
    const MARKS: usize = 2;
    estimate(text) + MARKS
}

/// What is known in the middle of a text; weights are hundredths of a token.
#[derive(Default)]
struct Scan {
    hundredths: usize,
    previous: char,
    digits: u32,
    /// Letters of the current word, of whatever Latin alphabet.
    letters: usize,
    /// The plain ones since the word began, as a number, and how many.
    word: u64,
    word_length: usize,
    /// Of the current block: its words, those that are English, and its weight by either rule.
    words: u32,
    english_words: u32,
    as_english: usize,
    as_other: usize,
}

impl Scan {
    fn take(&mut self, character: char) {
        if character.is_ascii_alphabetic() {
            self.letter(character);
        } else {
            self.end_word();
            if character.is_ascii_digit() {
                // Digits go by threes.
                if self.digits.is_multiple_of(3) {
                    self.hundredths += 138;
                }
                self.digits += 1;
            } else {
                self.hundredths += weight(character, self.previous);
            }
            let latin = matches!(character, '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}');
            self.letters = if latin { self.letters + 1 } else { 0 };
        }
        if !character.is_ascii_digit() {
            self.digits = 0;
        }
        self.previous = character;
    }

    fn letter(&mut self, letter: char) {
        let is_capital = letter.is_ascii_uppercase();
        let lower = letter.to_ascii_lowercase();
        if self.letters == 0 || (is_capital && self.previous.is_ascii_lowercase()) {
            self.letters = 0;
            self.as_english += 95;
            self.as_other += 104;
        }
        self.letters += 1;
        if self.letters > 5 {
            self.as_english += 25;
            self.as_other += 54;
        }
        if self.letters > 10 {
            self.as_english += 40;
        }
        if is_capital && self.letters > 1 {
            self.as_english += 30;
            self.as_other += 34;
        }
        if matches!(lower, 'j' | 'k' | 'w' | 'x' | 'z' | 'q' | 'y') {
            self.as_english += 40;
            self.as_other += 80;
        }
        self.word = self.word << 8 | lower as u64;
        self.word_length += 1;
    }

    fn end_word(&mut self) {
        if self.word_length == 0 {
            return;
        }
        self.words += 1;
        let is_english = FUNCTION_WORDS.binary_search(&self.word).is_ok();
        self.english_words += u32::from(self.word_length <= SHORT && is_english);
        (self.word, self.word_length) = (0, 0);
        if self.words == BLOCK {
            self.end_block();
        }
    }

    fn end_block(&mut self) {
        let is_english = self.words >= FEWEST && self.english_words * ONE_IN >= self.words;
        self.hundredths += if is_english {
            self.as_english
        } else {
            self.as_other
        };
        (self.words, self.english_words) = (0, 0);
        (self.as_english, self.as_other) = (0, 0);
    }
}

/// The weight of what is neither a plain letter nor a digit.
fn weight(character: char, previous: char) -> usize {
    match character {
        ' ' if previous == ' ' || previous == '\n' => 20,
        ' ' => 24,
        '\t' => 20,
        '!'..='~' if character == previous => 50,
        '!'..='~' => 60,
        // Beside the rest of the first block: marks on letters, Vietnamese, dashes and quotes.
        '\0'..='\u{bf}'
        | '\u{300}'..='\u{36f}'
        | '\u{1e00}'..='\u{1eff}'
        | '\u{2000}'..='\u{206f}' => 100,
        '\u{c0}'..='\u{24f}' => 160,
        // Greek and Thai, Cyrillic, Armenian, Hebrew, Arabic.
        '\u{370}'..='\u{3ff}' | '\u{e00}'..='\u{e7f}' => 108,
        '\u{400}'..='\u{44f}' => 66,
        '\u{530}'..='\u{58f}' => 215,
        '\u{590}'..='\u{5ff}' => 122,
        '\u{600}'..='\u{6ff}' => 119,
        // Devanagari, the other scripts of India and Georgian.
        '\u{900}'..='\u{97f}' => 133,
        '\u{980}'..='\u{dff}' | '\u{10a0}'..='\u{10ff}' => 220,
        // Hangul, the punctuation of East Asia, kana, Chinese characters.
        '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7af}' => 139,
        '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ffef}' => 110,
        '\u{3040}'..='\u{30ff}' => 97,
        '\u{4e00}'..='\u{9fff}' => 150,
        _ => 100 * character.len_utf8(),
    }
}

const fn sorted<const COUNT: usize>(words: [&str; COUNT]) -> [u64; COUNT] {
    let mut numbers = [0; COUNT];
    let mut place = 0;
    while place < COUNT {
        let letters = words[place].as_bytes();
        let (mut number, mut letter) = (0, 0);
        while letter < letters.len() {
            number = number << 8 | letters[letter] as u64;
            letter += 1;
        }
        let mut at = place;
        while at > 0 && numbers[at - 1] > number {
            numbers[at] = numbers[at - 1];
            at -= 1;
        }
        numbers[at] = number;
        place += 1;
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_groups_of_digits_and_signs_are_counted() {
        for (text, tokens) in [
            ("", 0),
            ("a", 2),
            ("word", 2),
            ("123", 2),
            ("1234567", 5),
            ("?!", 2),
        ] {
            assert_eq!(estimate(text), tokens, "{text}");
        }
    }

    #[test]
    fn english_is_known_by_its_small_words() {
        let english = "the end of a day is not all that we can have";
        let other = "ihn ede uf o dyi as tno lal hatt ew nca vaeh";
        assert!(estimate(english) < estimate(other));
    }

    proptest! {
        #[test]
        fn more_text_never_has_fewer_tokens_than_half_of_it(text in ".{0,200}", cut in 0usize..200) {
            let cut = text.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(text.len());
            prop_assert!(2 * estimate(&text) + 2 >= estimate(&text[..cut]));
            prop_assert!(estimate(&text) <= 3 * text.len());
        }
    }
}
