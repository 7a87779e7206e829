//! Whether documents come whole, or with the fields that are read only.
//!
//! To leave fields out, a server reads each document and writes it anew, which costs it more than all else that it does for a
//! page of short ones. So where that leaves out little, whole documents are quicker. How much it leaves out is seen on one
//! short page of whole documents, and on each page while they come.

use super::page::Page;

/// Documents of the page on which whole ones are tried.
const TRIED: usize = 64;
/// Whole documents are tried where those with the fields that are read have no more bytes each, with all that is beside them:
/// of longer ones a page is long, and what could be left out is not known.
const TRIED_BYTES: usize = 4 << 10;
/// At least so many thirds of whole documents have to be read.
const READ_THIRDS: usize = 2;

/// How documents come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sources {
    /// With the fields that are read; whole ones were not tried.
    Picked,
    /// A page of whole ones is tried.
    Tried,
    /// Whole.
    Whole,
    /// As the request says, for good.
    Settled,
}

impl Sources {
    /// At the beginning; `picks` says whether the request names fields.
    pub(super) fn new(picks: bool) -> Sources {
        if picks { Sources::Picked } else { Sources::Settled }
    }

    /// Whether the next page has whole documents.
    pub(super) fn are_whole(self) -> bool {
        matches!(self, Sources::Tried | Sources::Whole)
    }

    /// The most documents of the next page.
    pub(super) fn most(self) -> usize {
        if self == Sources::Tried { TRIED } else { usize::MAX }
    }

    /// After a page of documents that have so many bytes on average.
    pub(super) fn after(self, page: &Page<'_>, average: usize) -> Sources {
        match self {
            Sources::Picked if average <= TRIED_BYTES => Sources::Tried,
            Sources::Picked | Sources::Settled => Sources::Settled,
            Sources::Tried | Sources::Whole => {
                let pays = page.read_bytes.saturating_mul(3) >= page.source_bytes.saturating_mul(READ_THIRDS);
                if pays { Sources::Whole } else { Sources::Settled }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::Json;
    use super::*;

    #[test]
    fn whole_documents_come_where_most_of_them_is_read() {
        let page = |read_bytes, source_bytes| Page { rest: Json::Null, hits: None, source_bytes, read_bytes };
        let picked = Sources::new(true);
        assert!(!picked.are_whole() && picked.most() == usize::MAX);
        let tried = picked.after(&page(100, 100), 200);
        assert_eq!((tried, tried.are_whole(), tried.most()), (Sources::Tried, true, TRIED));
        let whole = tried.after(&page(70, 100), 200);
        assert_eq!((whole, whole.are_whole(), whole.most()), (Sources::Whole, true, usize::MAX));
        // Longer fields come later, or the server has whole documents only.
        assert_eq!(whole.after(&page(60, 100), 200), Sources::Settled);
        assert_eq!(tried.after(&page(60, 100), 200), Sources::Settled);
        assert_eq!(picked.after(&page(100, 100), TRIED_BYTES + 1), Sources::Settled);
        let settled = Sources::new(false);
        assert_eq!((settled.after(&page(0, 0), 1), settled.are_whole()), (Sources::Settled, false));
    }
}
