//! Lines that match a pattern: web server logs and custom grok classifiers.

use super::super::{Recognized, Sample};
use crate::error::Result;

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
/// `InvalidParameter` for a pattern that is none.
pub(crate) fn recognize(_sample: &Sample, _grok: &CustomGrok<'_>) -> Result<Option<Recognized>> {
    Ok(None)
}

/// The columns of a combined or common Apache web log; `None` for what is not.
pub(crate) fn recognize_web_log(_sample: &Sample) -> Option<Recognized> {
    None
}
