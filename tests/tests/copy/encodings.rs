//! Files of each encoding, whole and damaged. Rules: Redshift's documentation of COPY, ENCODING and ACCEPTINVCHARS, and
//! "Multibyte character load errors".

use crate::world;
use millrace_tests::database::rows;

/// A text as bytes of UTF-16, in the order that is wanted.
fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

const TEXT: &str = "1|a\n2|żółć 🦀\n";

#[tokio::test]
async fn encodings() {
    let (folder, mut session) = world().await;
    rows(&mut session, "CREATE TABLE t (id int, name varchar(20))").await.unwrap();
    let marked = format!("\u{feff}{TEXT}");
    let latin = b"1|a\n2|caf\xe9 \xff\n".to_vec();
    let cases: [(&str, Vec<u8>, &str); 10] = [
        ("", TEXT.as_bytes().to_vec(), "żółć 🦀"),
        ("ENCODING UTF8", marked.as_bytes().to_vec(), "żółć 🦀"),
        // "If you specify UTF16, then your data must have a byte order mark (BOM)."
        ("ENCODING AS UTF16", utf16(&marked, u16::to_le_bytes), "żółć 🦀"),
        ("ENCODING UTF16", utf16(&marked, u16::to_be_bytes), "żółć 🦀"),
        // "… you can use UTF16LE or UTF16BE, regardless of the presence of a BOM."
        ("ENCODING UTF16LE", utf16(&marked, u16::to_le_bytes), "żółć 🦀"),
        ("ENCODING UTF16LE", utf16(TEXT, u16::to_le_bytes), "żółć 🦀"),
        ("ENCODING UTF16BE", utf16(&marked, u16::to_be_bytes), "żółć 🦀"),
        ("ENCODING UTF16BE CSV DELIMITER '|'", utf16(TEXT, u16::to_be_bytes), "żółć 🦀"),
        ("ENCODING ISO88591", latin.clone(), "café ÿ"),
        ("ENCODING 'iso88591' CSV DELIMITER '|'", latin, "café ÿ"),
    ];
    for (at, (options, bytes, name)) in cases.iter().enumerate() {
        let file = folder.path().join(format!("file{at}"));
        std::fs::write(&file, bytes).unwrap();
        rows(&mut session, &format!("COPY t FROM '{}' {options}", file.display())).await.expect(options);
        let loaded = rows(&mut session, "SELECT id, name FROM t ORDER BY id").await.unwrap();
        assert_eq!(loaded, [["1", "a"], ["2", *name]], "{options}");
        rows(&mut session, "TRUNCATE t").await.unwrap();
    }
}

/// Options, the file, the rows that are loaded, and of each error its line, code and a part of its reason.
type Damaged =
    (&'static str, Vec<u8>, &'static [[&'static str; 2]], &'static [(&'static str, &'static str, &'static str)]);

#[tokio::test]
async fn what_is_not_of_the_encoding() {
    let (folder, mut session) = world().await;
    rows(&mut session, "CREATE TABLE t (id int, name varchar(20), c char(5))").await.unwrap();
    let lone = |text: &str| {
        // `#` becomes the first half of a pair.
        let units = text.encode_utf16().map(|unit| if unit == u16::from(b'#') { 0xd83e } else { unit });
        units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>()
    };
    let cases: [Damaged; 7] = [
        ("ENCODING UTF16LE", lone("1|a#b|c\n2|b|c\n"), &[["2", "b"]], &[("1", "1220", "(error 4)")]),
        ("ENCODING UTF16LE ACCEPTINVCHARS AS '^'", lone("1|a#b|c\n2|b|c\n"), &[["1", "a^^^b"], ["2", "b"]], &[]),
        // Half a unit at the end.
        (
            "ENCODING UTF16LE",
            [utf16("1|a|c\n2|b|c", u16::to_le_bytes), vec![b'x']].concat(),
            &[["1", "a"]],
            &[("2", "1220", "Multibyte character not supported for CHAR")],
        ),
        ("ENCODING UTF16", utf16("1|a|c\n", u16::to_le_bytes), &[], &[("1", "1220", "byte order mark")]),
        // "COPY replaces each invalid UTF-8 character with a string of equal length"; the default is a question mark.
        ("ACCEPTINVCHARS", b"1|a\xe0\xa1z|c\n".to_vec(), &[["1", "a??z"]], &[]),
        ("", b"1|a\xa4|c\n2|b|c\n".to_vec(), &[["2", "b"]], &[("1", "1220", "Bad UTF8 hex sequence: a4 (error 3)")]),
        // "ACCEPTINVCHARS is valid only for VARCHAR columns."
        (
            "ACCEPTINVCHARS",
            b"1|a|\xe0\xa1\xc7\xa4\n".to_vec(),
            &[],
            &[(
                "1",
                "1220",
                "Multibyte character not supported for CHAR (Hint: Try using VARCHAR). Invalid char: e0 a1 c7 a4",
            )],
        ),
    ];
    for (at, (options, bytes, kept, errors)) in cases.iter().enumerate() {
        let file = folder.path().join(format!("damaged{at}"));
        std::fs::write(&file, bytes).unwrap();
        let copy = format!("COPY t FROM '{}' {options} MAXERROR 10", file.display());
        rows(&mut session, &copy).await.expect(options);
        assert_eq!(rows(&mut session, "SELECT id, name FROM t ORDER BY id").await.unwrap(), *kept, "{at} {options}");
        let found =
            "SELECT line_number, err_code, trim(err_reason) FROM stl_load_errors WHERE query = pg_last_copy_id()";
        let found = rows(&mut session, found).await.unwrap();
        assert_eq!(found.len(), errors.len(), "{at} {options}: {found:?}");
        for (found, (line, code, reason)) in found.iter().zip(*errors) {
            assert!(found[0] == *line && found[1] == *code && found[2].contains(reason), "{at} {options}: {found:?}");
        }
        let replaced = "SELECT line_number, trim(colname) FROM stl_replacements WHERE query = pg_last_copy_id()";
        let replaced = rows(&mut session, replaced).await.unwrap();
        let expected: &[[&str; 2]] =
            if options.contains("ACCEPTINVCHARS") && errors.is_empty() { &[["1", "name"]] } else { &[] };
        assert_eq!(replaced, expected, "{at} {options}");
        rows(&mut session, "TRUNCATE t").await.unwrap();
    }
}
