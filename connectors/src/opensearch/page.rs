//! A page of a search's answer: its documents with what is read of them, and what the server says beside.
//!
//! A page has thousands of documents, and most of what it holds of each is looked at once or never: it is passed over where
//! it stands, so that hardly anything is made but the values that are read.

use super::json::{Json, Parser};
use super::tree::Tree;
use crate::error::Result;
use std::borrow::Cow;

/// Bytes beside a member's name and value: quotes, colon, comma.
const MEMBER_BYTES: usize = 4;

/// How deep documents, their values and those within them stand in an answer.
const DOCUMENT_DEPTH: usize = 3;
const VALUE_DEPTH: usize = 4;

/// An answer.
#[derive(Debug)]
pub(super) struct Page<'a> {
    /// The answer without its documents.
    pub(super) rest: Json<'a>,
    /// The documents; `None` where the answer has no list of them.
    pub(super) hits: Option<Vec<Hit<'a>>>,
    /// Bytes of all documents' `_source`.
    pub(super) source_bytes: usize,
    /// Bytes of what is read of them.
    pub(super) read_bytes: usize,
}

/// A document.
#[derive(Debug, Default)]
pub(super) struct Hit<'a> {
    pub(super) index: Cow<'a, str>,
    pub(super) id: Cow<'a, str>,
    pub(super) routing: Cow<'a, str>,
    /// The digits of a number.
    pub(super) score: Option<&'a str>,
    /// What is read of `_source`; texts of objects and lists have all of it.
    pub(super) source: Option<Json<'a>>,
    /// Values that the server was asked for in a format.
    pub(super) fields: Option<Json<'a>>,
    /// The text of the list of sort values.
    pub(super) sort: Option<&'a str>,
}

impl<'a> Page<'a> {
    /// Reads an answer; of documents what a tree names.
    ///
    /// # Errors
    /// As [`Json::parse`].
    pub(super) fn parse(bytes: &'a [u8], tree: &Tree) -> Result<Page<'a>> {
        let mut parser = Parser::new(bytes)?;
        let mut reader = Reader { tree, source_bytes: 0, read_bytes: 0 };
        let (mut rest, mut hits) = (vec![], None);
        let rest = if parser.next_is(b'{') {
            let text = parser.members(0, |parser, name| {
                if name == "hits" {
                    hits = reader.hits(parser)?;
                } else {
                    rest.push((name, parser.value(1)?));
                }
                Ok(())
            })?;
            Json::Object(rest, text)
        } else {
            parser.value(0)?
        };
        parser.finish()?;
        Ok(Page { rest, hits, source_bytes: reader.source_bytes, read_bytes: reader.read_bytes })
    }
}

struct Reader<'t> {
    tree: &'t Tree,
    source_bytes: usize,
    read_bytes: usize,
}

impl Reader<'_> {
    /// The list of documents within the answer's member `hits`.
    fn hits<'a>(&mut self, parser: &mut Parser<'a>) -> Result<Option<Vec<Hit<'a>>>> {
        let mut hits = None;
        if !parser.next_is(b'{') {
            parser.pass(1)?;
            return Ok(hits);
        }
        parser.members(1, |parser, name| {
            if name != "hits" || !parser.next_is(b'[') {
                return parser.pass(2).map(drop);
            }
            let mut found = vec![];
            parser.elements(2, |parser| {
                found.push(self.hit(parser)?);
                Ok(())
            })?;
            hits = Some(found);
            Ok(())
        })?;
        Ok(hits)
    }

    fn hit<'a>(&mut self, parser: &mut Parser<'a>) -> Result<Hit<'a>> {
        let mut hit = Hit::default();
        if !parser.next_is(b'{') {
            parser.pass(DOCUMENT_DEPTH)?;
            return Ok(hit);
        }
        parser.members(DOCUMENT_DEPTH, |parser, name| {
            match name.as_ref() {
                "_index" => hit.index = text(parser)?,
                "_id" => hit.id = text(parser)?,
                "_routing" => hit.routing = text(parser)?,
                "_score" => {
                    if let Json::Number(digits) = parser.value(VALUE_DEPTH)? {
                        hit.score = Some(digits);
                    }
                }
                "_source" => {
                    parser.space();
                    let begin = parser.at();
                    hit.source = Some(self.read(parser, self.tree, VALUE_DEPTH)?);
                    self.source_bytes += parser.at() - begin;
                }
                "fields" => hit.fields = Some(parser.value(VALUE_DEPTH)?),
                "sort" if parser.next_is(b'[') => hit.sort = Some(parser.pass(VALUE_DEPTH)?),
                _ => {
                    parser.pass(VALUE_DEPTH)?;
                }
            }
            Ok(())
        })?;
        Ok(hit)
    }

    /// A value, with those members that are read.
    fn read<'a>(&mut self, parser: &mut Parser<'a>, tree: &Tree, depth: usize) -> Result<Json<'a>> {
        parser.space();
        let (begin, known) = (parser.at(), self.read_bytes);
        let value = if tree.is_whole() {
            parser.value(depth)?
        } else if parser.next_is(b'{') {
            let mut members = vec![];
            let text = parser.members(depth, |parser, name| {
                match tree.descend(&name) {
                    Some(below) => {
                        self.read_bytes += name.len() + MEMBER_BYTES;
                        members.push((name, self.read(parser, below, depth + 1)?));
                    }
                    None => {
                        parser.pass(depth + 1)?;
                    }
                }
                Ok(())
            })?;
            Json::Object(members, text)
        } else if parser.next_is(b'[') {
            let mut elements = vec![];
            let text = parser.elements(depth, |parser| {
                elements.push(self.read(parser, tree, depth + 1)?);
                Ok(())
            })?;
            Json::Array(elements, text)
        } else {
            parser.value(depth)?
        };
        if !tree.columns.is_empty() {
            // All of it is read, its members too.
            self.read_bytes = known + parser.at() - begin;
        }
        Ok(value)
    }
}

/// A text; empty for other values.
fn text<'a>(parser: &mut Parser<'a>) -> Result<Cow<'a, str>> {
    Ok(match parser.value(VALUE_DEPTH)? {
        Json::String(text) => text,
        _ => Cow::default(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_not_read_is_passed_over() {
        let mut tree = Tree::default();
        tree.add("a.b", 0, false);
        tree.add("geo", 1, true);
        tree.add("doc", 2, false);
        let page =
            br#"{"timed_out": false, "hits": {"total": 1, "hits": [{"_index": "t", "_id": "x\ty", "_score": 1.50,
            "_source": {"a": {"c": [1], "b": 2}, "geo": {"lat": 1, "lon": 2}, "doc": {"k": [ 3 ]}, "long": "......"},
            "sort": [ 1.10, null ], "other": {}}]}, "pit_id": "p"}"#;
        let page = Page::parse(page, &tree).unwrap();
        assert_eq!(page.rest.get("timed_out"), Some(&Json::Bool(false)));
        assert_eq!(page.rest.get("pit_id").and_then(Json::as_str), Some("p"));
        let hit = &page.hits.unwrap()[0];
        assert_eq!((hit.index.as_ref(), hit.id.as_ref(), hit.routing.as_ref()), ("t", "x\ty", ""));
        assert_eq!((hit.score, hit.sort), (Some("1.50"), Some("[ 1.10, null ]")));
        let source = hit.source.as_ref().unwrap();
        let a = source.get("a").unwrap();
        assert_eq!((a.get("b"), a.get("c"), source.get("long")), (Some(&Json::Number("2")), None, None));
        assert_eq!(source.get("geo").unwrap().get("lon"), Some(&Json::Number("2")));
        let mut text = String::new();
        source.get("doc").unwrap().write(&mut text);
        assert_eq!(text, r#"{"k":[3]}"#);
        // The names of a, b, geo and doc with what stands beside them, and all but a's values.
        assert_eq!((page.read_bytes, page.source_bytes), (57, 93));
    }

    #[test]
    fn answers_without_documents() {
        for (text, hits) in
            [("{}", None), ("[1]", None), (r#"{"hits": {"hits": 1}}"#, None), (r#"{"hits":{"hits":[]}}"#, Some(0))]
        {
            let page = Page::parse(text.as_bytes(), &Tree::default()).unwrap();
            assert_eq!(page.hits.map(|hits| hits.len()), hits, "{text}");
        }
        for text in ["", "{", r#"{"hits": {"hits": [}}"#, r#"{"hits": {"hits": [{"_source": {"a": 01}}]}}"#, "{} 1"] {
            assert!(Page::parse(text.as_bytes(), &Tree::default()).is_err(), "{text}");
        }
    }
}
