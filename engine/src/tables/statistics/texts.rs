//! The bounds of texts, in one pass that looks at most of them by the four bytes that stand in their views.

use arrow::array::{Array, StringViewArray};

/// A text that is a bound so far.
#[derive(Clone, Copy)]
struct Bound<'a> {
    text: &'a str,
    view: u128,
    prefix: u32,
}

/// The least and the greatest text; `None` when all are NULL.
pub(super) fn bounds(texts: &StringViewArray) -> Option<(&str, &str)> {
    let mut found: Option<(Bound<'_>, Bound<'_>)> = None;
    for (at, view) in texts.views().iter().enumerate() {
        if texts.is_null(at) {
            continue;
        }
        // Behind the length, the first byte lowest. A shorter text has zeros, which are not greater than what it lacks.
        let prefix = ((view >> 32) as u32).swap_bytes();
        let this = |text| Bound { text, view: *view, prefix };
        let Some((least, greatest)) = &mut found else {
            let bound = this(texts.value(at));
            found = Some((bound, bound));
            continue;
        };
        let is_between = prefix > least.prefix && prefix < greatest.prefix;
        // Equal views of one array are of equal texts.
        if is_between || *view == least.view || *view == greatest.view {
            continue;
        }
        let text = texts.value(at);
        if text < least.text {
            *least = this(text);
        }
        if text > greatest.text {
            *greatest = this(text);
        }
    }
    found.map(|(least, greatest)| (least.text, greatest.text))
}

#[cfg(test)]
mod tests {
    use super::bounds;
    use arrow::array::StringViewArray;

    #[test]
    fn bounds_are_those_of_a_sort() {
        let words = [
            "",
            "\0",
            "a",
            "ab",
            "abc",
            "abcd",
            "abcde",
            "abcdefghijkl",
            "abcdefghijklm",
            "abcdefghijkln",
            "abd",
            "b",
            "é",
            "\u{ff}",
            "zzzz",
            "zzzzz",
            "zzzz and much longer than a view",
            "zzzz and much longer than a vie",
            "🦀",
        ];
        let mut at = 7;
        for length in 1..60 {
            let texts: Vec<Option<&str>> = (0..length)
                .map(|_| {
                    at = (at * 31 + 17) % 1009;
                    words.get(at % (words.len() + 2)).copied()
                })
                .collect();
            let mut sorted: Vec<&str> = texts.iter().flatten().copied().collect();
            sorted.sort_unstable();
            let expected = sorted.first().copied().zip(sorted.last().copied());
            assert_eq!(bounds(&StringViewArray::from(texts.clone())), expected, "{texts:?}");
        }
        assert_eq!(bounds(&StringViewArray::from(vec![None::<&str>, None])), None);
    }
}
