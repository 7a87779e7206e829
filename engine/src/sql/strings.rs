//! What a string literal means: its escapes decoded, by the rules of the language it stands in.

/// How a literal is escaped, besides the doubled quote that stands for one everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// None (Trino).
    Plain,
    /// `\t`, `\001`, `\u0001`, `\Z`, … (Hive's unescaping of SQL strings).
    Hive,
    /// `\t`, `\1`, `\x41`, … (PostgreSQL's escape strings, which Redshift's ordinary strings are).
    Postgres,
}

/// Decodes a literal with its quotes: `'it''s'` gives `it's`.
pub(super) fn decode(literal: &str, escapes: Escapes) -> String {
    let mut chars = literal.chars();
    let Some(quote) = chars.next() else { return String::new() };
    let body = chars.as_str();
    let body = body.strip_suffix(quote).unwrap_or(body);
    if !body.contains(['\\', quote]) {
        return body.to_owned();
    }
    let mut decoded = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c == quote {
            rest = rest.strip_prefix(quote).unwrap_or(rest);
        } else if c == '\\' && escapes != Escapes::Plain {
            rest = if escapes == Escapes::Hive { hive(rest, &mut decoded) } else { postgres(rest, &mut decoded) };
            continue;
        }
        decoded.push(c);
    }
    decoded
}

/// Decodes what follows a backslash; gives what follows that.
fn hive<'a>(rest: &'a str, decoded: &mut String) -> &'a str {
    let bytes = rest.as_bytes();
    if let [b'u', a, b, c, d, ..] = bytes
        && [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit())
        && let Ok(code) = u32::from_str_radix(&rest[1..5], 16)
    {
        decoded.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        return &rest[5..];
    }
    if let [b'0' | b'1', b'0'..=b'7', b'0'..=b'7', ..] = bytes
        && let Ok(code) = u8::from_str_radix(&rest[..3], 8)
    {
        decoded.push(char::from(code));
        return &rest[3..];
    }
    let Some(c) = rest.chars().next() else {
        decoded.push('\\');
        return rest;
    };
    match c {
        '0' => decoded.push('\0'),
        'Z' => decoded.push('\u{1a}'),
        // LIKE needs these backslashes.
        '%' | '_' => decoded.extend(['\\', c]),
        _ => decoded.push(control(c)),
    }
    &rest[c.len_utf8()..]
}

fn postgres<'a>(rest: &'a str, decoded: &mut String) -> &'a str {
    let run = |from: usize, most: usize, radix: u32| {
        rest.bytes().skip(from).take(most).take_while(|b| char::from(*b).is_digit(radix)).count()
    };
    let (skip, digits, radix) = if rest.starts_with('x') { (1, run(1, 2, 16), 16) } else { (0, run(0, 3, 8), 8) };
    if digits > 0
        && let Ok(code) = u32::from_str_radix(&rest[skip..skip + digits], radix)
    {
        decoded.push(char::from((code & 0xff) as u8));
        return &rest[skip + digits..];
    }
    let Some(c) = rest.chars().next() else {
        decoded.push('\\');
        return rest;
    };
    decoded.push(if c == 'f' { '\u{c}' } else { control(c) });
    &rest[c.len_utf8()..]
}

fn control(c: char) -> char {
    match c {
        'b' => '\u{8}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Hive: BaseSemanticAnalyzer.unescapeSQLString; PostgreSQL: 4.1.2.2, string constants with C-style escapes.
    #[test]
    fn escapes_are_decoded_by_the_languages_rules() {
        for (literal, plain, hive, postgres) in [
            ("''", "", "", ""),
            ("'it''s'", "it's", "it's", "it's"),
            (r"'\t'", r"\t", "\t", "\t"),
            (r"'\001'", r"\001", "\u{1}", "\u{1}"),
            (r"'\u0001'", r"\u0001", "\u{1}", "u0001"),
            (r"'\\'", r"\\", r"\", r"\"),
            (r"'\'x'", r"\'x", "'x", "'x"),
            (r"'a\_b\%'", r"a\_b\%", r"a\_b\%", "a_b%"),
            (r"'\\s+(\\d)'", r"\\s+(\\d)", r"\s+(\d)", r"\s+(\d)"),
            (r"'\x41\Z'", r"\x41\Z", "x41\u{1a}", "AZ"),
            ("'\\ü'", "\\ü", "ü", "ü"),
            (r#""quote \" it's""#, r#"quote \" it's"#, r#"quote " it's"#, r#"quote " it's"#),
        ] {
            assert_eq!(decode(literal, Escapes::Plain), plain, "{literal}");
            assert_eq!(decode(literal, Escapes::Hive), hive, "{literal}");
            assert_eq!(decode(literal, Escapes::Postgres), postgres, "{literal}");
        }
    }
}
