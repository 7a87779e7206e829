//! Floating-point numbers as PostgreSQL 12 and later write them: the fewest digits that give the number back, with an
//! exponent where it is below -4 or the number has more whole digits than the type holds.

use bytes::{BufMut, BytesMut};
use std::fmt::{LowerExp, Write};

/// Room for `-d.dddddddddddddddde-ddd`.
struct Digits {
    bytes: [u8; 32],
    length: usize,
}

impl Write for Digits {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        let Some(room) = self.bytes.get_mut(self.length..end) else { return Err(std::fmt::Error) };
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// A double.
pub(super) fn put_f64(value: f64, out: &mut BytesMut) {
    if value.is_finite() { put_finite(value, 15, out) } else { put_special(value, out) }
}

/// A real.
pub(super) fn put_f32(value: f32, out: &mut BytesMut) {
    if value.is_finite() { put_finite(value, 6, out) } else { put_special(f64::from(value), out) }
}

fn put_special(value: f64, out: &mut BytesMut) {
    out.put_slice(match value {
        v if v.is_nan() => b"NaN",
        v if v > 0.0 => b"Infinity",
        _ => b"-Infinity",
    });
}

/// `most` is the exponent from which on one is written.
fn put_finite(value: impl LowerExp, most: i32, out: &mut BytesMut) {
    // Rust writes the fewest digits: -1.2345e-7.
    let mut written = Digits { bytes: [0; 32], length: 0 };
    if write!(written, "{value:e}").is_err() {
        return;
    }
    let text = &written.bytes[..written.length];
    let text = match text.split_first() {
        Some((b'-', rest)) => {
            out.put_u8(b'-');
            rest
        }
        _ => text,
    };
    let at = text.iter().position(|b| *b == b'e').unwrap_or(text.len());
    let exponent = std::str::from_utf8(&text[(at + 1).min(text.len())..]).ok().and_then(|e| e.parse().ok());
    let exponent: i32 = exponent.unwrap_or(0);
    let (first, rest) = (&text[..1], text[..at].get(2..).unwrap_or_default());
    if exponent < -4 || exponent >= most {
        out.put_slice(first);
        if !rest.is_empty() {
            out.put_u8(b'.');
            out.put_slice(rest);
        }
        out.put_slice(if exponent < 0 { b"e-" } else { b"e+" });
        let magnitude = exponent.unsigned_abs();
        if magnitude < 10 {
            out.put_u8(b'0');
        }
        out.put_slice(itoa::Buffer::new().format(magnitude).as_bytes());
    } else if exponent < 0 {
        out.put_slice(b"0.");
        out.put_bytes(b'0', (-exponent - 1) as usize);
        out.put_slice(first);
        out.put_slice(rest);
    } else {
        let whole = exponent as usize;
        out.put_slice(first);
        if rest.len() <= whole {
            out.put_slice(rest);
            out.put_bytes(b'0', whole - rest.len());
        } else {
            out.put_slice(&rest[..whole]);
            out.put_u8(b'.');
            out.put_slice(&rest[whole..]);
        }
    }
}
