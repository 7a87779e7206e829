//! Colours for the line being typed.

use crate::syntax::{Kind, is_keyword, tokens};

const RESET: &str = "\x1b[0m";

/// The line in colours. `pending` is what was typed before it: a quote that began there colours this line too.
pub(super) fn highlight(pending: &str, line: &str) -> String {
    let text = format!("{pending}{line}");
    let mut coloured = String::with_capacity(line.len() * 2);
    for token in tokens(&text) {
        if token.end <= pending.len() {
            continue;
        }
        let piece = &text[token.start.max(pending.len())..token.end];
        match colour(token.kind, &text[token.start..token.end]) {
            Some(colour) => coloured.extend([colour, piece, RESET]),
            None => coloured.push_str(piece),
        }
    }
    coloured
}

fn colour(kind: Kind, piece: &str) -> Option<&'static str> {
    match kind {
        Kind::Word if is_keyword(piece) => Some("\x1b[1;34m"),
        Kind::Text => Some("\x1b[32m"),
        Kind::Number => Some("\x1b[36m"),
        Kind::Comment => Some("\x1b[90m"),
        Kind::QuotedName | Kind::Word | Kind::Symbol | Kind::Space => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_texts_numbers_and_comments_have_colours() {
        let coloured = highlight("", "select a, 'b', 1 -- c");
        assert_eq!(coloured, "\x1b[1;34mselect\x1b[0m a, \x1b[32m'b'\x1b[0m, \x1b[36m1\x1b[0m \x1b[90m-- c\x1b[0m");
    }

    #[test]
    fn a_quote_goes_on_over_the_line_end() {
        assert_eq!(highlight("select 'a\n", "select' x"), "\x1b[32mselect'\x1b[0m x");
    }
}
