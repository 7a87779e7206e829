//! Grok: `%{PATTERN:field:type}` as one regular expression.
//!
//! The syntax is that of Glue's documentation of custom classifiers. A field that stands in several places, as in
//! alternatives, is one, and has the value of the place that matched.

use super::builtin;
use super::java_regex::{MAX_SIZE, compile, translate};
use crate::error::{Error, ErrorKind, Result};
use millrace_catalog::model::HiveType;
use regex::{CaptureLocations, Regex};
use std::collections::HashMap;

/// How deep patterns may be made of patterns; a limit against those that are made of themselves.
const MAX_DEPTH: usize = 32;

/// A named part of a grok pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GrokField {
    /// As written.
    pub(crate) name: String,
    /// `string` where the pattern says nothing.
    pub(crate) data_type: HiveType,
    /// The groups that have it.
    groups: Vec<String>,
    /// A pattern without a field in the outermost level: Athena's examples take it for a column of its name.
    implicit: bool,
}

/// A grok pattern, expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grok {
    written: String,
    regex: String,
    fields: Vec<GrokField>,
}

impl Grok {
    /// Expands a pattern; `custom` has further ones, a line each: the name, blanks, the pattern.
    ///
    /// # Errors
    /// `InvalidParameter` for a pattern of an unknown name, without an end, or too deep; `Unsupported` for parts that
    /// cannot be matched.
    pub(crate) fn new(pattern: &str, custom: Option<&str>) -> Result<Self> {
        let mut expansion = Expansion { custom: definitions(custom.unwrap_or_default())?, fields: Vec::new() };
        let regex = translate(&expansion.expand(pattern, 0)?)?;
        Ok(Self { written: pattern.to_owned(), regex, fields: expansion.fields })
    }

    /// The fields that the pattern names, in order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &GrokField> {
        self.fields.iter().filter(|field| !field.implicit)
    }

    /// # Errors
    /// `InvalidParameter` when the whole is no regular expression.
    pub(crate) fn matcher(&self) -> Result<GrokMatcher> {
        let regex = compile(&self.regex, false, &self.written)?;
        let groups = |field: &GrokField| {
            let found = regex
                .capture_names()
                .enumerate()
                .filter(|(_, name)| name.is_some_and(|name| field.groups.iter().any(|group| group == name)));
            found.map(|(group, _)| group).collect()
        };
        let fields = self.fields.iter().map(groups).collect();
        Ok(GrokMatcher { locations: regex.capture_locations(), regex, fields })
    }

    /// Which field each of the columns is: by name, whatever its case and signs; or all by position.
    ///
    /// # Errors
    /// `InvalidParameter` for a column that is no field.
    pub(super) fn columns(&self, names: &[&str]) -> Result<Vec<usize>> {
        let by_name = |name: &&str| self.fields.iter().position(|field| plain(&field.name) == plain(name));
        let Some(missing) = names.iter().find(|name| by_name(name).is_none()) else {
            return Ok(names.iter().filter_map(by_name).collect());
        };
        let explicit: Vec<usize> = (0..self.fields.len()).filter(|field| !self.fields[*field].implicit).collect();
        if explicit.len() == names.len() {
            return Ok(explicit);
        }
        Err(Error::new(
            ErrorKind::InvalidParameter,
            format!("column \"{missing}\" is no field of the grok pattern \"{}\"", self.written),
        ))
    }
}

/// A name without regard to case and to signs that are illegal in a column's.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

/// A compiled pattern with what a match needs.
#[derive(Debug, Clone)]
pub(crate) struct GrokMatcher {
    regex: Regex,
    locations: CaptureLocations,
    /// The groups of each field.
    fields: Vec<Vec<usize>>,
}

impl GrokMatcher {
    /// Where the pattern is first found in a line.
    pub(crate) fn find(&mut self, line: &str) -> Option<std::ops::Range<usize>> {
        self.regex.captures_read(&mut self.locations, line).map(|found| found.range())
    }

    /// A field's text in the line that was matched last.
    pub(super) fn field<'a>(&self, line: &'a str, field: usize) -> Option<&'a str> {
        let (start, end) = self.fields[field].iter().find_map(|group| self.locations.get(*group))?;
        line.get(start..end)
    }
}

/// The patterns of a list.
fn definitions(custom: &str) -> Result<HashMap<&str, &str>> {
    let mut patterns = HashMap::new();
    for line in custom.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let Some((name, pattern)) = line.split_once([' ', '\t']) else {
            return Err(invalid(&format!("the custom pattern \"{line}\" has a name only")));
        };
        patterns.insert(name, pattern.trim_start());
    }
    Ok(patterns)
}

fn invalid(why: &str) -> Error {
    Error::new(ErrorKind::InvalidParameter, format!("invalid grok pattern: {why}"))
}

struct Expansion<'a> {
    custom: HashMap<&'a str, &'a str>,
    fields: Vec<GrokField>,
}

impl Expansion<'_> {
    fn expand(&mut self, pattern: &str, depth: usize) -> Result<String> {
        if depth > MAX_DEPTH {
            return Err(invalid(&format!("patterns are nested over {MAX_DEPTH} deep")));
        }
        let (mut regex, mut rest) = (String::new(), pattern);
        while let Some(start) = rest.find("%{") {
            self.plain(&rest[..start], &mut regex)?;
            let reference = &rest[start + 2..];
            let end = reference.find('}').ok_or_else(|| invalid(&format!("\"{rest}\" has no end")))?;
            rest = &reference[end + 1..];
            let mut parts = reference[..end].splitn(3, ':').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let (field, data_type) = (parts.next(), parts.next());
            let Some(definition) = self.custom.get(name).copied().or_else(|| builtin::definition(name)) else {
                return Err(invalid(&format!("there is no pattern \"{name}\"")));
            };
            let group = match field {
                Some("") => return Err(invalid(&format!("a field's name is missing in \"{}\"", &reference[..end]))),
                Some(field) => Some(self.group(field, type_of(data_type)?, false)?),
                None if depth == 0 => Some(self.group(name, HiveType::String, true)?),
                None => None,
            };
            let inner = self.expand(definition, depth + 1)?;
            match group {
                Some(group) => regex.extend(["(?P<", &group, ">", &inner, ")"]),
                None => regex.extend(["(?:", &inner, ")"]),
            }
            if regex.len() > MAX_SIZE {
                return Err(invalid("it is too long"));
            }
        }
        self.plain(rest, &mut regex)?;
        Ok(regex)
    }

    /// Text that is a regular expression; its named groups are fields.
    fn plain(&mut self, text: &str, regex: &mut String) -> Result<()> {
        let mut rest = text;
        while let Some(start) = rest.find("(?<") {
            let (before, group) = (&rest[..start], &rest[start + 3..]);
            regex.push_str(before);
            rest = group;
            match group.split_once('>') {
                Some((name, after)) if !name.starts_with(['=', '!']) => {
                    let group = self.group(name, HiveType::String, false)?;
                    regex.extend(["(?P<", &group, ">"]);
                    rest = after;
                }
                _ => regex.push_str("(?<"),
            }
        }
        regex.push_str(rest);
        Ok(())
    }

    /// A new group of a field.
    fn group(&mut self, name: &str, data_type: HiveType, implicit: bool) -> Result<String> {
        let known = self.fields.iter().position(|field| field.name == name && field.implicit == implicit);
        let at = known.unwrap_or(self.fields.len());
        if known.is_none() {
            self.fields.push(GrokField { name: name.to_owned(), data_type, groups: Vec::new(), implicit });
        } else if self.fields[at].data_type != data_type {
            return Err(invalid(&format!("the field \"{name}\" has two types")));
        }
        let groups = &mut self.fields[at].groups;
        groups.push(format!("f{at}_{}", groups.len()));
        Ok(groups.last().cloned().unwrap_or_default())
    }
}

/// The types of Glue's documentation.
fn type_of(name: Option<&str>) -> Result<HiveType> {
    Ok(match name.map(str::to_ascii_lowercase).as_deref() {
        None | Some("string") => HiveType::String,
        Some("byte") => HiveType::TinyInt,
        Some("boolean") => HiveType::Boolean,
        Some("double") => HiveType::Double,
        Some("short") => HiveType::SmallInt,
        Some("int" | "integer") => HiveType::Int,
        Some("long") => HiveType::BigInt,
        Some("float") => HiveType::Float,
        Some("date") => HiveType::Date,
        Some("timestamp") => HiveType::Timestamp,
        Some(other) => {
            return Err(invalid(&format!("the type \"{other}\" is unknown"))
                .with_hint("types are byte, boolean, double, short, int, long, float, string, date and timestamp"));
        }
    })
}
