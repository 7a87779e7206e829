//! Texts: conversions of bases, quoting, hashes, sounds, and Trino's own.

use super::kernel::{ATHENA, BOTH, Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use crate::error::{Error, ErrorKind, Result};
use crate::system;
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int32Type};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use Kind::{Int, Text};

/// The most bytes that a text made by repeating may have.
const MOST_BYTES: usize = 16 << 20;

const SHA1_ABOUT: &str = "The SHA1 digest, 40 hexadecimal digits.";
const SHA1_RESULT: &str = "47cf2c8c9947e99f6ecfee54a51bd0225f376ebc";

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("strtol", REDSHIFT, &[Text, Int], Gives::Int8, strtol).doc(
        "strtol(text, base)",
        "The number that a text is in a base from 2 to 36.",
        &[("strtol('abcd1234', 16)", "2882343476"), ("strtol('110101', 2)", "53"), ("strtol('-10', 10)", "-10")],
    ),
    scalar("bpcharcmp", REDSHIFT, &[Text, Text], Gives::Int4, compare).doc(
        "bpcharcmp(text, text), bttext_pattern_cmp",
        "-1, 0 or 1 for less, equal, greater, byte by byte; blanks at the end do not count.",
        &[("bpcharcmp('a', 'b')", "-1"), ("bpcharcmp('b', 'a')", "1"), ("bpcharcmp('a', 'a ')", "0")],
    ),
    scalar("bttext_pattern_cmp", REDSHIFT, &[Text, Text], Gives::Int4, compare),
    scalar("octetindex", REDSHIFT, &[Text, Text], Gives::Int4, |call| {
        let (parts, texts) = (call.text(0), call.text(1));
        call.all::<Int32Type>(|row| {
            if call.is_null(row) {
                return 0;
            }
            texts.value(row).find(parts.value(row)).map_or(0, |at| at as i32 + 1)
        })
    })
    .doc(
        "octetindex(part, text)",
        "The byte where a part begins, counted from 1; 0 where there is none.",
        &[("octetindex('Redshift', 'Άμαζον Amazon Redshift')", "21"), ("octetindex('q', 'Amazon Redshift')", "0")],
    ),
    scalar("crc32", REDSHIFT, &[Text], Gives::Text, |call| {
        let texts = call.text(0);
        call.texts(|row| Ok(Some(format!("{:08x}", crc32c::crc32c(texts.value(row).as_bytes())))))
    })
    .doc(
        "crc32(text)",
        "The CRC-32C checksum, eight hexadecimal digits.",
        &[("crc32('Amazon Redshift')", "f2726906")],
    ),
    scalar("fnv_hash", REDSHIFT, &[Kind::Any, Int], Gives::Int8, fnv).optional(1).with_nulls().doc(
        "fnv_hash(value [, seed])",
        "The 64-bit FNV-1a hash of a text, number or truth value.",
        &[("fnv_hash(1)", "-5968735742475085980"), ("fnv_hash(2, fnv_hash(1))", "-3908410645315950394")],
    ),
    scalar("sha1", REDSHIFT, &[Text], Gives::Text, sha1).doc(
        "sha1(text)",
        SHA1_ABOUT,
        &[("sha1('www.amazon.com')", SHA1_RESULT)],
    ),
    scalar("sha", REDSHIFT, &[Text], Gives::Text, sha1).doc(
        "sha(text)",
        SHA1_ABOUT,
        &[("sha('www.amazon.com')", SHA1_RESULT)],
    ),
    scalar("func_sha1", REDSHIFT, &[Text], Gives::Text, sha1).doc(
        "func_sha1(text)",
        SHA1_ABOUT,
        &[("func_sha1('www.amazon.com')", SHA1_RESULT)],
    ),
    scalar("sha2", REDSHIFT, &[Text, Int], Gives::Text, sha2).doc(
        "sha2(text, bits)",
        "The SHA2 digest of 0 (which is 256), 224, 256, 384 or 512 bits, in hexadecimal; NULL for others.",
        &[("sha2('www.amazon.com', 256)", "a61723a081153cbf20e78cd85c6b18f9792b5d2924b859da2ce2106515c5e099")],
    ),
    scalar("quote_ident", REDSHIFT, &[Text], Gives::Text, |call| {
        let texts = call.text(0);
        call.texts(|row| Ok(Some(system::quoted(texts.value(row)))))
    })
    .doc(
        "quote_ident(text)",
        "A name, in quotes where it needs them.",
        &[("quote_ident('Foo bar')", "\"Foo bar\""), ("quote_ident('foo')", "foo")],
    ),
    scalar("quote_literal", REDSHIFT, &[Text], Gives::Text, |call| {
        let texts = call.text(0);
        call.texts(|row| {
            let text = texts.value(row).replace('\'', "''");
            // Backslashes escape in Redshift's strings.
            Ok(Some(format!("'{}'", text.replace('\\', "\\\\"))))
        })
    })
    .doc("quote_literal(text)", "A string literal of a text.", &[("quote_literal('it''s')", "'it''s'")]),
    scalar("soundex", BOTH, &[Text], Gives::Text, |call| {
        let texts = call.text(0);
        call.texts(|row| Ok(Some(soundex(texts.value(row)))))
    })
    .doc(
        "soundex(text)",
        "American Soundex: a letter and three digits.",
        &[("soundex('Amazon')", "A525"), ("soundex('Robert')", "R163")],
    ),
    scalar("difference", REDSHIFT, &[Text, Text], Gives::Int4, |call| {
        let (left, right) = (call.text(0), call.text(1));
        call.int4s(|row| {
            let (a, b) = (soundex(left.value(row)), soundex(right.value(row)));
            Ok(Some(a.bytes().zip(b.bytes()).filter(|(a, b)| a == b).count() as i32))
        })
    })
    .doc(
        "difference(text, text)",
        "How many characters two Soundex codes share.",
        &[("difference('Amazon', 'Ammazzon')", "4")],
    ),
    scalar("hamming_distance", ATHENA, &[Text, Text], Gives::Int8, |call| {
        let (left, right) = (call.text(0), call.text(1));
        call.ints(|row| {
            let (a, b): (Vec<char>, Vec<char>) =
                (left.value(row).chars().collect(), right.value(row).chars().collect());
            if a.len() != b.len() {
                return Err(Error::new(ErrorKind::InvalidParameter, "hamming_distance() takes texts of one length"));
            }
            Ok(Some(a.iter().zip(&b).filter(|(a, b)| a != b).count() as i64))
        })
    })
    .doc(
        "hamming_distance(text, text)",
        "At how many places two texts of one length differ.",
        &[("hamming_distance('karolin', 'kathrin')", "3")],
    ),
    scalar("md5", ATHENA, &[Kind::Any], Gives::Of(binary), |call| {
        digest(call, |bytes| md5::Md5::digest(bytes).to_vec())
    })
    .doc("md5(binary)", "The MD5 digest.", &[("to_hex(md5(to_utf8('abc')))", "900150983CD24FB0D6963F7D28E17F72")]),
    scalar("sha1", ATHENA, &[Kind::Any], Gives::Of(binary), |call| {
        digest(call, |bytes| sha1::Sha1::digest(bytes).to_vec())
    })
    .doc(
        "sha1(binary)",
        "The SHA1 digest.",
        &[("to_hex(sha1(to_utf8('abc')))", "A9993E364706816ABA3E25717850C26C9CD0D89D")],
    ),
    scalar("sha256", ATHENA, &[Kind::Any], Gives::Of(binary), |call| {
        digest(call, |bytes| Sha256::digest(bytes).to_vec())
    })
    .doc(
        "sha256(binary)",
        "The SHA256 digest.",
        &[("to_hex(sha256(to_utf8('abc')))", "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD")],
    ),
    scalar("sha512", ATHENA, &[Kind::Any], Gives::Of(binary), |call| {
        digest(call, |bytes| Sha512::digest(bytes).to_vec())
    })
    .doc("sha512(binary)", "The SHA512 digest.", &[("length(to_hex(sha512(to_utf8('abc'))))", "128")]),
    scalar("to_hex", ATHENA, &[Kind::Any], Gives::Text, |call| encoded(call, &|bytes| hex::encode_upper(bytes))).doc(
        "to_hex(binary)",
        "Bytes as hexadecimal digits.",
        &[("to_hex(to_utf8('abc'))", "616263")],
    ),
    scalar("from_hex", ATHENA, &[Text], Gives::Of(binary), |call| {
        decoded(call, "hexadecimal digits", |text| hex::decode(text).ok())
    })
    .doc("from_hex(text)", "The bytes that hexadecimal digits are.", &[("from_utf8(from_hex('616263'))", "abc")]),
    scalar("to_base64", ATHENA, &[Kind::Any], Gives::Text, |call| {
        use base64::Engine;
        encoded(call, &|bytes| base64::engine::general_purpose::STANDARD.encode(bytes))
    })
    .doc("to_base64(binary)", "Bytes in base 64.", &[("to_base64(to_utf8('hello'))", "aGVsbG8=")]),
    scalar("from_base64", ATHENA, &[Text], Gives::Of(binary), |call| {
        use base64::Engine;
        decoded(call, "base 64", |text| base_64(&base64::alphabet::STANDARD).decode(text).ok())
    })
    .doc(
        "from_base64(text)",
        "The bytes that a text in base 64 is; signs that fill it up may be missing.",
        &[("from_utf8(from_base64('aGVsbG8='))", "hello"), ("to_hex(from_base64('aaaaaa'))", "69A69A69")],
    ),
    scalar("to_base64url", ATHENA, &[Kind::Any], Gives::Text, |call| {
        use base64::Engine;
        encoded(call, &|bytes| base64::engine::general_purpose::URL_SAFE.encode(bytes))
    })
    .doc(
        "to_base64url(binary)",
        "Bytes in base 64 with the letters that URLs take.",
        &[("to_base64url(from_hex('FBFF'))", "-_8="), ("to_base64(from_hex('FBFF'))", "+/8=")],
    ),
    scalar("from_base64url", ATHENA, &[Text], Gives::Of(binary), |call| {
        use base64::Engine;
        decoded(call, "base 64", |text| base_64(&base64::alphabet::URL_SAFE).decode(text).ok())
    })
    .doc("from_base64url(text)", "The bytes that such a text is.", &[("to_hex(from_base64url('-_8='))", "FBFF")]),
    scalar("normalize", ATHENA, &[Text, Text], Gives::Text, normalized).optional(1).doc(
        "normalize(text [, form])",
        "A text in a normal form of Unicode: NFC, NFD, NFKC or NFKD.",
        &[("length(normalize('schön', NFD))", "6"), ("normalize('ﬁ', NFKC)", "fi")],
    ),
    scalar("from_utf8", ATHENA, &[Kind::Any, Text], Gives::Text, |call| {
        if !call.has(1) {
            return encoded(call, &|bytes| String::from_utf8_lossy(bytes).into_owned());
        }
        let (values, replacements) = (bytes_of(&call.args[0])?, call.text(1));
        let values = values.as_binary::<i32>();
        call.texts(|row| super::pieces::replaced(values.value(row), replacements.value(row)).map(Some))
    })
    .optional(1)
    .doc(
        "from_utf8(binary [, replacement])",
        "The text that bytes are; what is invalid becomes U+FFFD, or another character.",
        &[("from_utf8(to_utf8('grün'))", "grün"), ("from_utf8(from_hex('61FF62'), '?')", "a?b")],
    ),
    scalar("to_base", ATHENA, &[Int, Int], Gives::Text, |call| {
        let (numbers, bases) = (call.int(0), call.int(1));
        call.texts(|row| Ok(Some(to_base(numbers.value(row), base_of(bases.value(row))?))))
    })
    .doc(
        "to_base(number, base)",
        "A number's digits in a base from 2 to 36.",
        &[("to_base(255, 16)", "ff"), ("to_base(-5, 2)", "-101")],
    ),
    scalar("from_base", ATHENA, &[Text, Int], Gives::Int8, strtol).doc(
        "from_base(text, base)",
        "The number that a text is in a base from 2 to 36.",
        &[("from_base('ff', 16)", "255")],
    ),
    scalar("lpad", BOTH, &[Text, Int, Text], Gives::Text, |call| pad(call, true)).optional(1).doc(
        "lpad(text, length [, fill])",
        "A text filled up on the left, or cut on the right, to so many characters.",
        &[("lpad('cat', 5, '*')", "**cat"), ("lpad('elephant', 4)", "elep"), ("lpad('cat', 8, 'xy')", "xyxyxcat")],
    ),
    scalar("rpad", BOTH, &[Text, Int, Text], Gives::Text, |call| pad(call, false)).optional(1).doc(
        "rpad(text, length [, fill])",
        "A text filled up, or cut, on the right to so many characters.",
        &[("rpad('cat', 5, '*')", "cat**"), ("rpad('elephant', 4)", "elep")],
    ),
];

fn compare(call: &Call<'_>) -> Result<ArrayRef> {
    let (left, right) = (call.text(0), call.text(1));
    let plain = |text: &str| text.trim_end_matches(' ').len();
    call.all::<Int32Type>(|row| {
        if call.is_null(row) {
            return 0;
        }
        let (left, right) = (left.value(row), right.value(row));
        left[..plain(left)].cmp(&right[..plain(right)]) as i32
    })
}

pub(super) fn binary(_: &[DataType]) -> Result<DataType> {
    Ok(DataType::BinaryView)
}

/// Base 64 as Java's decoder takes it.
fn base_64(alphabet: &base64::alphabet::Alphabet) -> base64::engine::GeneralPurpose {
    let config = base64::engine::GeneralPurposeConfig::new()
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    base64::engine::GeneralPurpose::new(alphabet, config)
}

fn base_of(base: i64) -> Result<u32> {
    let invalid = || Error::new(ErrorKind::InvalidParameter, format!("a base is 2 to 36, not {base}"));
    u32::try_from(base).ok().filter(|base| (2..=36).contains(base)).ok_or_else(invalid)
}

fn strtol(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, bases) = (call.text(0), call.int(1));
    call.ints(|row| {
        let (text, base) = (texts.value(row), base_of(bases.value(row))?);
        let digits = text.trim();
        let digits = if base == 16 { digits.strip_prefix("0x").unwrap_or(digits) } else { digits };
        let number = i64::from_str_radix(digits, base);
        number.map(Some).map_err(|error| {
            let overflow =
                matches!(error.kind(), std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow);
            let kind = if overflow { ErrorKind::NumericOverflow } else { ErrorKind::InvalidText };
            Error::new(kind, format!("\"{text}\" is not a bigint in base {base}"))
        })
    })
}

fn to_base(number: i64, base: u32) -> String {
    let (mut rest, mut digits) = (number.unsigned_abs(), Vec::new());
    loop {
        digits.push(char::from_digit((rest % u64::from(base)) as u32, base).unwrap_or('0'));
        rest /= u64::from(base);
        if rest == 0 {
            break;
        }
    }
    digits.extend((number < 0).then_some('-'));
    digits.into_iter().rev().collect()
}

/// FNV-1a of 64 bits over the value's bytes, little end first; NULL leaves the seed.
fn fnv(call: &Call<'_>) -> Result<ArrayRef> {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    let hash = |seed: u64, bytes: &[u8]| {
        bytes.iter().fold(seed, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
    };
    let values = &call.args[0];
    let seed =
        |row: usize| if call.has(1) && call.int(1).is_valid(row) { call.int(1).value(row) as u64 } else { BASIS };
    let width = match values.data_type() {
        DataType::Int16 => 2,
        DataType::Int32 | DataType::Date32 => 4,
        DataType::Boolean => 1,
        t if t.is_integer() => 8,
        _ => 0,
    };
    if width > 0 {
        let values = cast(
            &cast(values, &DataType::Int64).or_else(|_| cast(&cast(values, &DataType::Int32)?, &DataType::Int64))?,
            &DataType::Int64,
        )?;
        let values = values.as_primitive::<datafusion::arrow::datatypes::Int64Type>();
        return call.ints(|row| {
            if values.is_null(row) {
                return Ok(Some(seed(row) as i64));
            }
            Ok(Some(hash(seed(row), &values.value(row).to_le_bytes()[..width]) as i64))
        });
    }
    let texts = cast(values, &DataType::Utf8View)?;
    let texts = texts.as_string_view();
    call.ints(|row| {
        if texts.is_null(row) {
            return Ok(Some(seed(row) as i64));
        }
        Ok(Some(hash(seed(row), texts.value(row).as_bytes()) as i64))
    })
}

fn sha1(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.texts(|row| Ok(Some(hex::encode(sha1::Sha1::digest(texts.value(row).as_bytes())))))
}

fn sha2(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, bits) = (call.text(0), call.int(1));
    call.texts(|row| {
        let text = texts.value(row).as_bytes();
        Ok(match bits.value(row) {
            224 => Some(hex::encode(Sha224::digest(text))),
            0 | 256 => Some(hex::encode(Sha256::digest(text))),
            384 => Some(hex::encode(Sha384::digest(text))),
            512 => Some(hex::encode(Sha512::digest(text))),
            _ => None,
        })
    })
}

/// Bytes of a text or of a binary value.
pub(super) fn bytes_of(values: &ArrayRef) -> Result<ArrayRef> {
    let text = match values.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => cast(values, &DataType::Utf8)?,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => ArrayRef::clone(values),
        other => {
            let message = format!("a binary value is needed, not {}", super::kernel::shown_type(other));
            return Err(Error::new(ErrorKind::DatatypeMismatch, message));
        }
    };
    Ok(cast(&text, &DataType::Binary)?)
}

pub(super) fn digest<T: AsRef<[u8]>>(call: &Call<'_>, of: impl Fn(&[u8]) -> T) -> Result<ArrayRef> {
    let values = bytes_of(&call.args[0])?;
    let values = values.as_binary::<i32>();
    call.binaries(|row| Ok(of(values.value(row))))
}

pub(super) fn encoded(call: &Call<'_>, of: &dyn Fn(&[u8]) -> String) -> Result<ArrayRef> {
    if call.args[0].data_type().is_integer() {
        let numbers = cast(&call.args[0], &DataType::Int64)?;
        let numbers = numbers.as_primitive::<datafusion::arrow::datatypes::Int64Type>();
        return call.texts(|row| Ok(Some(of(&numbers.value(row).to_be_bytes()))));
    }
    let values = bytes_of(&call.args[0])?;
    let values = values.as_binary::<i32>();
    call.texts(|row| Ok(Some(of(values.value(row)))))
}

pub(super) fn decoded(call: &Call<'_>, what: &str, of: impl Fn(&str) -> Option<Vec<u8>>) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.binaries(|row| {
        let text = texts.value(row);
        of(text).ok_or_else(|| Error::new(ErrorKind::InvalidText, format!("\"{text}\" is not {what}")))
    })
}

fn soundex(text: &str) -> String {
    let code = |c: char| match c.to_ascii_uppercase() {
        'B' | 'F' | 'P' | 'V' => '1',
        'C' | 'G' | 'J' | 'K' | 'Q' | 'S' | 'X' | 'Z' => '2',
        'D' | 'T' => '3',
        'L' => '4',
        'M' | 'N' => '5',
        'R' => '6',
        // These two do not part equal codes.
        'H' | 'W' => '-',
        _ => '0',
    };
    let mut letters = text.chars().filter(char::is_ascii_alphabetic);
    let Some(first) = letters.next() else { return String::new() };
    let mut made = first.to_ascii_uppercase().to_string();
    let mut last = code(first);
    for next in letters.map(code) {
        if next == '-' {
            continue;
        }
        if next != '0' && next != last {
            made.push(next);
        }
        last = next;
    }
    made.truncate(4);
    format!("{made:0<4}")
}

fn pad(call: &Call<'_>, left: bool) -> Result<ArrayRef> {
    let (texts, lengths) = (call.text(0), call.int(1));
    call.texts(|row| {
        let text = texts.value(row);
        let fill = if call.has(2) { call.text(2).value(row) } else { " " };
        let length = usize::try_from(lengths.value(row)).unwrap_or_default();
        if length > MOST_BYTES {
            return Err(Error::new(ErrorKind::LimitExceeded, format!("a text of {length} characters is too long")));
        }
        let chars = text.chars().count();
        if chars >= length || fill.is_empty() {
            return Ok(Some(text.chars().take(length).collect::<String>()));
        }
        let filled = fill.chars().cycle().take(length - chars);
        Ok(Some(if left { filled.chain(text.chars()).collect() } else { text.chars().chain(filled).collect() }))
    })
}

/// A text in a normal form.
fn normalized(call: &Call<'_>) -> Result<ArrayRef> {
    use unicode_normalization::UnicodeNormalization;
    let texts = call.text(0);
    call.texts(|row| {
        let text = texts.value(row);
        let form = if call.has(1) { call.text(1).value(row).to_ascii_uppercase() } else { "NFC".to_owned() };
        Ok(Some(match form.as_str() {
            "NFC" => text.nfc().collect::<String>(),
            "NFD" => text.nfd().collect(),
            "NFKC" => text.nfkc().collect(),
            "NFKD" => text.nfkd().collect(),
            _ => {
                let message = format!("there is no normal form \"{form}\"");
                return Err(Error::new(ErrorKind::InvalidParameter, message).with_hint("it is NFC, NFD, NFKC or NFKD"));
            }
        }))
    })
}
