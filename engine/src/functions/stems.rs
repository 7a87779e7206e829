//! `word_stem`: what words of one meaning have in common, by Snowball's algorithms, as Trino has them ("String functions").

use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar};
use super::rows::Last;
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::ArrayRef;
use rust_stemmers::{Algorithm, Stemmer};

/// The language of words that none is named of.
const ENGLISH: &str = "en";

/// Trino's languages whose algorithms the library does not have.
const MISSING: [&str; 5] = ["ca", "eu", "hy", "ir", "lt"];

pub(super) const FUNCTIONS: &[Scalar] =
    &[scalar("word_stem", ATHENA, &[Kind::Text, Kind::Text], Gives::Text, stem).optional(1).doc(
        "word_stem(word [, language])",
        "The stem of a word, in English or in da, de, en, es, fi, fr, hu, it, nl, no, pt, ro, ru, sv or tr.",
        &[
            ("word_stem('generally')", "general"),
            ("word_stem('authorized', 'en')", "author"),
            ("word_stem('continuerait', 'fr')", "continu"),
        ],
    )];

/// The stemmer of a language.
fn stemmer(language: &str) -> Result<Stemmer> {
    Ok(Stemmer::create(match language {
        ENGLISH => Algorithm::English,
        "da" => Algorithm::Danish,
        "de" => Algorithm::German,
        "es" => Algorithm::Spanish,
        "fi" => Algorithm::Finnish,
        "fr" => Algorithm::French,
        "hu" => Algorithm::Hungarian,
        "it" => Algorithm::Italian,
        "nl" => Algorithm::Dutch,
        "no" => Algorithm::Norwegian,
        "pt" => Algorithm::Portuguese,
        "ro" => Algorithm::Romanian,
        "ru" => Algorithm::Russian,
        "sv" => Algorithm::Swedish,
        "tr" => Algorithm::Turkish,
        missing if MISSING.contains(&missing) => {
            return Err(Error::unsupported(format!("word_stem() of language '{missing}'")));
        }
        other => {
            return Err(Error::new(ErrorKind::InvalidParameter, format!("Unknown stemmer language: {other}")));
        }
    }))
}

fn stem(call: &Call<'_>) -> Result<ArrayRef> {
    let words = call.text(0);
    let languages = call.has(1).then(|| call.text(1));
    let mut last = Last::new();
    call.texts(|row| {
        let language = languages.map_or(ENGLISH, |languages| languages.value(row));
        Ok(Some(last.of(language, stemmer)?.stem(words.value(row)).into_owned()))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    // Trino's tests of word_stem.
    #[test]
    fn words_have_the_stems_that_trino_gives() {
        for (word, language, expected) in [
            ("", "en", ""),
            ("x", "en", "x"),
            ("abc", "en", "abc"),
            ("generally", "en", "general"),
            ("useful", "en", "use"),
            ("runs", "en", "run"),
            ("accessories", "en", "accessori"),
            ("intensifying", "en", "intensifi"),
            ("resentment", "en", "resent"),
            ("faithfulness", "en", "faith"),
            ("continuerait", "fr", "continu"),
            ("torpedearon", "es", "torped"),
            ("quilomtricos", "pt", "quilomtr"),
            ("pronunziare", "it", "pronunz"),
            ("auferstnde", "de", "auferstnd"),
        ] {
            assert_eq!(stemmer(language).unwrap().stem(word), expected, "{word}");
        }
        assert_eq!(stemmer("xx").err().unwrap().sqlstate(), "22023");
        assert_eq!(stemmer("lt").err().unwrap().sqlstate(), "0A000");
    }
}
