//! Delimited text.

use super::super::{Recognized, Sample};

/// The columns of delimited text; `None` for what is not.
pub(crate) fn recognize(_sample: &Sample) -> Option<Recognized> {
    None
}
