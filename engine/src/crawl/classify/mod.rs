//! What a file is: custom classifiers first, then the built-in ones, each with its certainty.
//!
//! As in AWS Glue: the first classifier with certainty 1 decides, else the one with the highest, the earlier of equal
//! ones. Formats that describe themselves are looked for first of all: they are told by their magic bytes, and no text
//! classifier recognises such a file. Nothing here fails: a file that cannot be opened, read or told is [`Skipped`].

pub(crate) mod csv;
pub(crate) mod footer;
pub(crate) mod grok;
pub(crate) mod json;
mod sample;
#[cfg(test)]
mod tests;

use super::{Recognized, Sample, Skipped};
use crate::error::{Error, ErrorKind, Result};
use millrace_catalog::model::{Classifier, ClassifierKind};
use object_store::{ObjectMeta, ObjectStore};
use std::sync::Arc;

/// What a file is, or why it cannot be told. Opens the file once or twice: its footer, or its first megabyte.
pub(crate) async fn classify(
    store: &Arc<dyn ObjectStore>,
    url: &str,
    object: &ObjectMeta,
    custom: &[Classifier],
) -> std::result::Result<Recognized, Skipped> {
    let skipped = |reason| Skipped { url: url.to_owned(), reason };
    if object.size == 0 {
        return Err(skipped(sample::EMPTY.to_owned()));
    }
    let damaged = match footer::recognize(store, url, object).await {
        Ok(Some(recognized)) => return Ok(recognized),
        Ok(None) => None,
        // A text may begin as a format does ("ORC,…"), so whether the file is damaged is left open.
        Err(error) if matches!(error.kind, ErrorKind::BadFile | ErrorKind::Unsupported) => Some(reason_of(&error)),
        Err(error) => return Err(skipped(reason_of(&error))),
    };
    let sample = match sample::take(store, url, object).await {
        Ok(sample) => sample,
        Err(reason) => return Err(skipped(damaged.unwrap_or(reason))),
    };
    match classify_text(&sample, custom) {
        Ok(Some(recognized)) => Ok(recognized),
        Ok(None) => Err(skipped(damaged.unwrap_or_else(|| unknown(&sample)))),
        Err(error) => Err(skipped(reason_of(&error))),
    }
}

/// What a text is by the classifier that is surest; an error of a custom classifier names it.
fn classify_text(sample: &Sample, custom: &[Classifier]) -> Result<Option<Recognized>> {
    type BuiltIn = fn(&Sample) -> Option<Recognized>;
    let built_in: [BuiltIn; 3] = [|sample| json::recognize(sample, None), grok::recognize_web_log, csv::recognize];
    let custom = custom.iter().map(|classifier| {
        recognize_custom(sample, classifier).map_err(|error| {
            let message = format!("classifier \"{}\": {}", classifier.name, error.message);
            Error { message, ..error }
        })
    });
    let mut best: Option<Recognized> = None;
    for recognized in custom.chain(built_in.iter().map(|recognize| Ok(recognize(sample)))) {
        let Some(recognized) = recognized? else { continue };
        if recognized.certainty >= 1.0 {
            return Ok(Some(recognized));
        }
        if recognized.certainty > best.as_ref().map_or(0.0, |best| best.certainty) {
            best = Some(recognized);
        }
    }
    Ok(best)
}

fn recognize_custom(sample: &Sample, classifier: &Classifier) -> Result<Option<Recognized>> {
    let name = classifier.name.as_str();
    match &classifier.kind {
        ClassifierKind::Grok { classification, pattern, custom_patterns } => {
            let custom_patterns = custom_patterns.as_deref();
            grok::recognize(sample, &grok::CustomGrok { name, classification, pattern, custom_patterns })
        }
        ClassifierKind::Json { path } => Ok(json::recognize(sample, Some((name, path)))),
        ClassifierKind::Csv { delimiter, quote, header, columns, types, keep_blanks, allow_single_column } => {
            let custom = csv::CustomCsv {
                name,
                delimiter: *delimiter,
                quote: *quote,
                header: *header,
                columns,
                types,
                keep_blanks: *keep_blanks,
                allow_single_column: *allow_single_column,
            };
            csv::recognize_custom(sample, &custom)
        }
    }
}

/// Checks a custom classifier before any file is looked at with it.
///
/// # Errors
/// `InvalidParameter` for a pattern, path, delimiter, quote or type that is none, `Unsupported` for one that cannot be
/// used.
pub(crate) fn check(classifier: &Classifier) -> Result<()> {
    let nothing = Sample { name: String::new(), bytes: bytes::Bytes::new(), truncated: false, compression: "none" };
    if let ClassifierKind::Json { path } = &classifier.kind {
        crate::lake::json::JsonPath::parse(path)?;
    }
    recognize_custom(&nothing, classifier).map(drop)
}

/// Why a text is left out that no classifier recognises.
fn unknown(sample: &Sample) -> String {
    let lines = sample.bytes.trim_ascii_end().split(|byte| *byte == b'\n').take(2).count();
    let why = if lines < 2 {
        "it has one line, and delimited text is told from two on"
    } else {
        "it is text, but neither JSON nor a web log, and no delimiter divides its lines into the same number of columns"
    };
    format!("no classifier recognises it: {why}")
}

/// An error in one line.
fn reason_of(error: &Error) -> String {
    match &error.detail {
        Some(detail) => format!("{}: {detail}", error.message),
        None => error.message.clone(),
    }
}
