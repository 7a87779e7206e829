//! Colours and what a terminal shows of them, as Trino has them ("Color functions").
//!
//! A colour is a text here: `#rrggbb`, or the name of one of the terminal's eight own colours.

use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar, shown_type};
use super::written_numbers::java_double;
use super::{cast, is_text};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::Dialect;
use datafusion::arrow::array::{ArrayRef, AsArray, Float64Array, StringViewArray};
use datafusion::arrow::compute::cast as arrow_cast;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use std::fmt::Write;

/// The terminal's own colours, by their numbers.
const NAMED: [&str; 8] = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/// What ends a colour in a terminal.
const END: &str = "\u{1b}[0m";

/// The most characters of a bar.
const MOST_WIDTH: i64 = 1 << 16;

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("color", ATHENA, &[Kind::Any], Gives::Of(color_type), color).variadic().doc(
        "color(text), color(x, low_color, high_color), color(x, low, high, low_color, high_color)",
        "A colour of the form #rgb or by its name; one between two, at a place from 0 to 1 or from low to high.",
        &[
            ("color('#f00')", "#ff0000"),
            ("color('GREEN')", "green"),
            ("color(0.5, color('#000'), color('#fff'))", "#808080"),
            ("color(47, 42, 52, rgb(255, 0, 0), rgb(255, 255, 0))", "#ff8000"),
        ],
    ),
    scalar("rgb", ATHENA, &[Kind::Int, Kind::Int, Kind::Int], Gives::Text, |call| {
        let (red, green, blue) = (call.int(0), call.int(1), call.int(2));
        call.texts(|row| {
            let part = |value: i64, name: &str| {
                u8::try_from(value).map_err(|_| invalid(format!("{name} must be between 0 and 255")))
            };
            let red = part(red.value(row), "red")?;
            let color = Colour { red, green: part(green.value(row), "green")?, blue: part(blue.value(row), "blue")? };
            Ok(Some(color.written()))
        })
    })
    .doc("rgb(red, green, blue)", "A colour of three parts from 0 to 255.", &[("rgb(255, 128, 0)", "#ff8000")]),
    scalar("render", ATHENA, &[Kind::Any, Kind::Text], Gives::Of(render_type), render).optional(1).doc(
        "render(value, color), render(boolean)",
        "A text or number in a colour, by the codes of terminals; a green tick or a red cross.",
        &[
            ("replace(render('hello', color('red')), chr(27), '^')", "^[38;5;1mhello^[0m"),
            ("replace(render(1234, color('#0f0')), chr(27), '^')", "^[38;5;46m1234^[0m"),
            ("replace(render(true), chr(27), '^')", "^[38;5;2m✓^[0m"),
        ],
    ),
    scalar("bar", ATHENA, &[Kind::Float, Kind::Int, Kind::Text, Kind::Text], Gives::Of(bar_type), bar).optional(2).doc(
        "bar(x, width [, low_color, high_color])",
        "A bar of so many characters, filled up to a share of it, from red to green or between two colours.",
        &[("replace(bar(1, 2, color('#f00'), color('#0f0')), chr(27), '^')", "^[38;5;196m█^[38;5;46m█^[0m")],
    ),
];

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidParameter, message)
}

fn missing(name: &str, types: &[DataType]) -> Error {
    let types: Vec<String> = types.iter().map(shown_type).collect();
    Error::new(ErrorKind::UndefinedFunction, format!("function {name}({}) does not exist", types.join(", ")))
}

/// The type of the values of a column.
fn plain(found: &DataType) -> &DataType {
    if let DataType::Dictionary(_, values) = found { values } else { found }
}

fn color_type(types: &[DataType]) -> Result<DataType> {
    let is_number = |found: &DataType| plain(found).is_numeric() || *found == DataType::Null;
    let is_color = |found: &DataType| is_text(plain(found)) || *found == DataType::Null;
    let numbers = match types.len() {
        1 => 0,
        3 => 1,
        5 => 3,
        _ => return Err(missing("color", types)),
    };
    let (numbers, colors) = types.split_at(numbers);
    if numbers.iter().all(is_number) && colors.iter().all(is_color) {
        return Ok(DataType::Utf8View);
    }
    Err(missing("color", types))
}

fn render_type(types: &[DataType]) -> Result<DataType> {
    let fits = match types {
        [DataType::Boolean | DataType::Null] => true,
        [value, _] => plain(value).is_numeric() || is_text(plain(value)) || *value == DataType::Null,
        _ => false,
    };
    if fits { Ok(DataType::Utf8View) } else { Err(missing("render", types)) }
}

fn bar_type(types: &[DataType]) -> Result<DataType> {
    if types.len() == 3 { Err(missing("bar", types)) } else { Ok(DataType::Utf8View) }
}

/// A colour of three parts.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Colour {
    red: u8,
    green: u8,
    blue: u8,
}

impl Colour {
    /// What a text of so many hexadecimal digits for each part is.
    fn of_digits(text: &str, each: usize) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 3 * each && digits.is_ascii())?;
        let part = |at: usize| {
            let part = &digits[at * each..(at + 1) * each];
            let value = u8::from_str_radix(part, 16).ok().filter(|_| !part.starts_with('+'))?;
            Some(if each == 1 { value * 17 } else { value })
        };
        Some(Self { red: part(0)?, green: part(1)?, blue: part(2)? })
    }

    /// The colour that a value of ours is, which has a name or three parts; only those mix.
    fn mixable(text: &str, which: &str) -> Result<Self> {
        Self::of_digits(text, 2).ok_or_else(|| invalid(format!("{which} not a valid RGB color")))
    }

    fn written(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }

    /// Its number among the colours of a terminal that has six steps of each part.
    fn of_terminal(self) -> u16 {
        let step = |part: u8| u16::from(part) * 6 / 256;
        16 + step(self.red) * 36 + step(self.green) * 6 + step(self.blue)
    }
}

/// A colour's number in a terminal.
fn in_terminal(text: &str) -> Result<u16> {
    let named = || NAMED.iter().position(|name| *name == text).map(|at| at as u16);
    let found = Colour::of_digits(text, 2).map(Colour::of_terminal).or_else(named);
    found.ok_or_else(|| invalid(format!("Invalid color: '{text}'")))
}

fn begin(color: u16) -> String {
    format!("\u{1b}[38;5;{color}m")
}

/// Hue, saturation and brightness, each from 0 to 1, in single precision as Java has them.
#[derive(Debug, Clone, Copy)]
struct Shade {
    hue: f32,
    saturation: f32,
    brightness: f32,
}

impl Shade {
    fn of(color: Colour) -> Self {
        let Colour { red, green, blue } = color;
        let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
        let range = f32::from(most - least);
        let brightness = f32::from(most) / 255.0;
        if range == 0.0 {
            return Self { hue: 0.0, saturation: 0.0, brightness };
        }
        let distance = |part: u8| f32::from(most - part) / range;
        let sixths = if red == most {
            distance(blue) - distance(green)
        } else if green == most {
            2.0 + distance(red) - distance(blue)
        } else {
            4.0 + distance(green) - distance(red)
        };
        let hue = sixths / 6.0;
        Self { hue: if hue < 0.0 { hue + 1.0 } else { hue }, saturation: range / f32::from(most), brightness }
    }

    fn color(self) -> Colour {
        let Self { hue, saturation, brightness } = self;
        let sixths = (hue - hue.floor()) * 6.0;
        let rest = sixths - sixths.floor();
        let low = brightness * (1.0 - saturation);
        let falling = brightness * (1.0 - saturation * rest);
        let rising = brightness * (1.0 - saturation * (1.0 - rest));
        let (red, green, blue) = match sixths as u8 {
            _ if saturation == 0.0 => (brightness, brightness, brightness),
            0 => (brightness, rising, low),
            1 => (falling, brightness, low),
            2 => (low, brightness, rising),
            3 => (low, falling, brightness),
            4 => (rising, low, brightness),
            _ => (brightness, low, falling),
        };
        let part = |share: f32| (share * 255.0 + 0.5) as u8;
        Colour { red: part(red), green: part(green), blue: part(blue) }
    }
}

/// The colour at a place between two.
fn between(place: f32, low: Colour, high: Colour) -> Colour {
    let (low, high) = (Shade::of(low), Shade::of(high));
    let at = |low: f32, high: f32| place * (high - low) + low;
    let shade = Shade {
        hue: at(low.hue, high.hue),
        saturation: at(low.saturation, high.saturation),
        brightness: at(low.brightness, high.brightness),
    };
    shade.color()
}

fn color(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = |at: usize| -> Result<StringViewArray> {
        Ok(arrow_cast(&call.args[at], &DataType::Utf8View)?.as_string_view().clone())
    };
    let numbers = |at: usize| -> Result<Float64Array> {
        Ok(arrow_cast(&call.args[at], &DataType::Float64)?.as_primitive::<Float64Type>().clone())
    };
    if call.args.len() == 1 {
        let texts = texts(0)?;
        return call.texts(|row| {
            let text = texts.value(row);
            if let Some(color) = Colour::of_digits(text, 1) {
                return Ok(Some(color.written()));
            }
            let named = text.to_lowercase();
            let known = NAMED.contains(&named.as_str());
            if known { Ok(Some(named)) } else { Err(invalid(format!("Invalid color: '{text}'"))) }
        });
    }
    let (low, high) = (texts(call.args.len() - 2)?, texts(call.args.len() - 1)?);
    let values = numbers(0)?;
    let bounds = if call.args.len() == 5 { Some((numbers(1)?, numbers(2)?)) } else { None };
    call.texts(|row| {
        let value = values.value(row);
        let place = match &bounds {
            Some((from, to)) => (value - from.value(row)) / (to.value(row) - from.value(row)),
            None => value,
        };
        let low = Colour::mixable(low.value(row), "lowColor")?;
        let high = Colour::mixable(high.value(row), "highColor")?;
        Ok(Some(between(place.clamp(0.0, 1.0) as f32, low, high).written()))
    })
}

fn render(call: &Call<'_>) -> Result<ArrayRef> {
    let values = &call.args[0];
    if !call.has(1) {
        let flags = arrow_cast(values, &DataType::Boolean)?;
        let flags = flags.as_boolean();
        return call.texts(|row| {
            let (color, sign) = if flags.value(row) { (2, '✓') } else { (1, '✗') };
            Ok(Some(format!("{}{sign}{END}", begin(color))))
        });
    }
    let colors = call.text(1);
    let in_color = |row: usize, text: &str| -> Result<Option<String>> {
        Ok(Some(format!("{}{text}{END}", begin(in_terminal(colors.value(row))?))))
    };
    match plain(values.data_type()) {
        DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Decimal128(..) => {
            let doubles = arrow_cast(values, &DataType::Float64)?;
            let doubles = doubles.as_primitive::<Float64Type>();
            call.texts(|row| in_color(row, &java_double(doubles.value(row))))
        }
        _ => {
            let texts = arrow_cast(&cast::as_text(values, Dialect::Athena)?, &DataType::Utf8View)?;
            let texts = texts.as_string_view();
            call.texts(|row| in_color(row, texts.value(row)))
        }
    }
}

fn bar(call: &Call<'_>) -> Result<ArrayRef> {
    let (shares, widths) = (call.float(0), call.int(1));
    let colors = call.has(3).then(|| (call.text(2), call.text(3)));
    call.texts(|row| {
        let width = widths.value(row);
        if width > MOST_WIDTH {
            return Err(invalid(format!("a bar has at most {MOST_WIDTH} characters, not {width}")));
        }
        let (low, high) = match colors {
            Some((low, high)) => {
                (Colour::mixable(low.value(row), "lowColor")?, Colour::mixable(high.value(row), "highColor")?)
            }
            None => (Colour { red: 255, green: 0, blue: 0 }, Colour { red: 0, green: 255, blue: 0 }),
        };
        let filled = ((shares.value(row) * width as f64) as i64).min(width).max(0);
        let mut made = String::new();
        for at in 0..filled {
            let place = (at as f64 / (width - 1) as f64) as f32;
            let _ = write!(made, "{}█", begin(between(place, low, high).of_terminal()));
        }
        made.push_str(END);
        made.push_str(&" ".repeat(usize::try_from(width - filled).unwrap_or_default()));
        Ok(Some(made))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn of(text: &str) -> Colour {
        Colour::of_digits(text, 1).unwrap()
    }

    // Trino's tests of its colours.
    #[test]
    fn colors_lie_between_others() {
        let (black, white) = (of("#000"), of("#fff"));
        for (place, expected) in [(0.0, "#000000"), (0.5, "#808080"), (1.0, "#ffffff")] {
            assert_eq!(between(place, black, white).written(), expected, "{place}");
        }
        assert_eq!(between(0.5, of("#f00"), of("#ff0")).written(), "#ff8000");
        let steps = |low: &str, high: &str, count: u8| {
            let place = |at: u8| f32::from(at) / f32::from(count - 1);
            (0..count).map(|at| between(place(at), of(low), of(high)).of_terminal()).collect::<Vec<_>>()
        };
        assert_eq!(steps("#f00", "#0f0", 10), [196, 202, 208, 214, 226, 226, 154, 118, 82, 46]);
        assert_eq!(steps("#f0f", "#00f", 5)[..3], [201, 165, 129]);
    }

    #[test]
    fn texts_are_colors_or_not() {
        assert_eq!(of("#cde"), Colour { red: 0xcc, green: 0xdd, blue: 0xee });
        assert_eq!(of("#789").written(), "#778899");
        assert_eq!(Colour::of_digits("#+1+2+3", 2), None);
        assert_eq!(Colour::of_digits("#12", 1), None);
        assert_eq!(Colour::of_digits("red", 1), None);
        assert_eq!(in_terminal("white").unwrap(), 7);
        assert_eq!(in_terminal("#0000ff").unwrap(), 21);
        assert!(in_terminal("beige").is_err());
    }
}
