//! Lines that match a pattern: web server logs and custom grok classifiers.

use super::super::schema::{Unknown, legal_names};
use super::super::{Layout, Recognized, Sample};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::hive_classes::{GROK_SERDE, TEXT_INPUT_FORMAT, TEXT_OUTPUT_FORMAT};
use crate::lake::pattern::grok::Grok;
use crate::lake::pattern::lines;
use millrace_catalog::model::{Column, Parameters, SerDe};

/// A custom grok classifier: its own name, what it calls its files, its pattern and its further patterns.
pub(crate) struct CustomGrok<'a> {
    pub(crate) name: &'a str,
    pub(crate) classification: &'a str,
    pub(crate) pattern: &'a str,
    pub(crate) custom_patterns: Option<&'a str>,
}

/// The columns of lines that match a custom pattern, with the share that matches as certainty; `None` when none does.
///
/// # Errors
/// `InvalidParameter` for a pattern that is none, `Unsupported` for one that cannot be matched.
pub(crate) fn recognize(sample: &Sample, grok: &CustomGrok<'_>) -> Result<Option<Recognized>> {
    recognize_lines(sample, grok, |_, _| true)
}

/// The columns of a combined or common Apache web log; `None` for what is not. At least half of the lines must be of
/// the format from their beginning, those of the common one to their end.
pub(crate) fn recognize_web_log(sample: &Sample) -> Option<Recognized> {
    let log = |classification, pattern| CustomGrok { name: "apache", classification, pattern, custom_patterns: None };
    let combined = log("combined_apache", "%{COMBINEDAPACHELOG}");
    let common = log("apache", "%{COMMONAPACHELOG}");
    let from_start = |found: &std::ops::Range<usize>, _: &str| found.start == 0;
    let whole = |found: &std::ops::Range<usize>, line: &str| *found == (0..line.len());
    let mostly = |found: Option<Recognized>| found.filter(|found| found.certainty >= 0.5);
    mostly(recognize_lines(sample, &combined, from_start).ok()?)
        .or_else(|| mostly(recognize_lines(sample, &common, whole).ok()?))
}

/// Lines of the sample that match, where `counts` agrees with the place.
fn recognize_lines(
    sample: &Sample,
    custom: &CustomGrok<'_>,
    counts: impl Fn(&std::ops::Range<usize>, &str) -> bool,
) -> Result<Option<Recognized>> {
    let grok = Grok::new(custom.pattern, custom.custom_patterns)?;
    if grok.fields().next().is_none() {
        let message = format!("the grok pattern \"{}\" names no field", custom.pattern);
        return Err(Error::new(ErrorKind::InvalidParameter, message));
    }
    let mut matcher = grok.matcher()?;
    // A last line that may be cut does not count.
    let end = if sample.truncated {
        memchr::memrchr(b'\n', &sample.bytes).map_or(0, |at| at + 1)
    } else {
        sample.bytes.len()
    };
    let (mut rows, mut hits) = (0_u64, 0_u64);
    for (_, line) in lines(&sample.bytes[..end]) {
        let line = String::from_utf8_lossy(line);
        rows += 1;
        hits += u64::from(matcher.find(&line).is_some_and(|found| counts(&found, &line)));
    }
    if hits == 0 {
        return Ok(None);
    }
    let fields: Vec<String> = grok.fields().map(|field| field.name.to_lowercase()).collect();
    let (names, mut notes) = legal_names(&fields);
    if hits < rows {
        notes.push(format!("{} of {rows} lines do not match and are rows of NULLs", rows - hits));
    }
    let columns = names.into_iter().zip(grok.fields()).map(|(name, field)| Column::new(name, field.data_type.clone()));
    let columns = columns.collect();
    let mut parameters = Parameters::from([("input.format".to_owned(), custom.pattern.to_owned())]);
    if let Some(patterns) = custom.custom_patterns {
        parameters.insert("input.grokCustomPatterns".to_owned(), patterns.to_owned());
    }
    Ok(Some(Recognized {
        layout: Layout {
            classifier: custom.name.to_owned(),
            classification: custom.classification.to_owned(),
            serde: SerDe { library: GROK_SERDE.to_owned(), parameters },
            input_format: TEXT_INPUT_FORMAT.to_owned(),
            output_format: TEXT_OUTPUT_FORMAT.to_owned(),
            parameters: Parameters::from([("typeOfData".to_owned(), "file".to_owned())]),
            compression: sample.compression.to_owned(),
        },
        certainty: hits as f64 / rows as f64,
        columns,
        unknown: Unknown::new(),
        rows,
        rows_exact: !sample.truncated,
        row_bytes: end as u64,
        statistics: None,
        notes,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sample(text: &str, truncated: bool) -> Sample {
        Sample { name: "access.log".to_owned(), bytes: text.to_owned().into(), truncated, compression: "none" }
    }

    /// The examples of Apache's documentation of its log files.
    const COMMON: &str = "127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] \"GET /apache_pb.gif HTTP/1.0\" 200 2326";
    const MORE: &str = " \"http://www.example.com/start.html\" \"Mozilla/4.08 [en] (Win98; I ;Nav)\"";

    #[test]
    fn web_logs() {
        let common: [&str; 10] = [
            "clientip",
            "ident",
            "auth",
            "timestamp",
            "verb",
            "request",
            "httpversion",
            "rawrequest",
            "response",
            "bytes",
        ];
        for (text, classification, more) in [
            (format!("{COMMON}\n{COMMON}\n"), "apache", &[][..]),
            (format!("{COMMON}{MORE}\n"), "combined_apache", &["referrer", "agent"][..]),
        ] {
            let found = recognize_web_log(&sample(&text, false)).unwrap();
            let names: Vec<_> = found.columns.iter().map(|column| column.name.as_str()).collect();
            assert_eq!(names, [&common[..], more].concat());
            assert_eq!((found.layout.classification.as_str(), found.certainty), (classification, 1.0));
        }
        for text in ["", "a,b\n1,2\n", &format!("x\ny\n{COMMON}\n")] {
            assert_eq!(recognize_web_log(&sample(text, false)), None, "{text}");
        }
        let found = recognize_web_log(&sample(&format!("{COMMON}{MORE}\nx\n{COMMON}"), true)).unwrap();
        assert_eq!((found.certainty, found.rows, found.notes.len()), (0.5, 2, 1));
    }

    #[test]
    fn custom_patterns() {
        let grok = CustomGrok {
            name: "mine",
            classification: "orders",
            pattern: "%{ORDER:Order}: %{NUMBER:price:double}",
            custom_patterns: Some("ORDER [A-Z]\\d+"),
        };
        let found = recognize(&sample("A12: 1.5\nB7: 2\n\nx\n", false), &grok).unwrap().unwrap();
        let columns: Vec<_> = found.columns.iter().map(|c| format!("{} {}", c.name, c.data_type)).collect();
        assert_eq!(columns, ["order string", "price double"]);
        assert_eq!((found.certainty, found.layout.classification.as_str()), (0.5, "orders"));
        assert_eq!(recognize(&sample("nothing\n", false), &grok), Ok(None));
        let none = CustomGrok { pattern: "%{NOSUCH:x}", ..grok };
        assert_eq!(recognize(&sample("x\n", false), &none).unwrap_err().kind, ErrorKind::InvalidParameter);
    }
}
