//! A path's text as a tree, by descent.

use super::{Comparison, JsonPath, MAX_DEPTH, MAX_STEPS, Method, Path, Predicate, Subscripts, deeper, wrong};
use crate::error::{Error, Result};
use serde_json::Value;

/// Parses a mode and a path whose variables have these names.
pub(super) fn parse(text: &str, passed: &[String]) -> Result<JsonPath> {
    let mut parser = Parser { text, passed, at: 0, depth: 0, steps: 0 };
    let lax = match parser.word() {
        "lax" => true,
        "strict" => false,
        _ => return Err(wrong(text, "it does not begin with its mode").with_hint("a path is 'lax $…' or 'strict $…'")),
    };
    let path = parser.any()?;
    let path = parser.path(path)?;
    parser.blanks();
    if parser.at < text.len() { Err(parser.unexpected()) } else { Ok(JsonPath { lax, path }) }
}

/// An expression: items, or whether something is so.
enum Node {
    Path(Path),
    Test(Predicate),
}

struct Parser<'a> {
    text: &'a str,
    passed: &'a [String],
    at: usize,
    depth: usize,
    steps: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn unexpected(&self) -> Error {
        let shown: String = self.rest().chars().take(20).collect();
        let reason = if shown.is_empty() { "it ends too early".to_owned() } else { format!("what is \"{shown}\"?") };
        wrong(self.text, &reason)
    }

    /// A variable by its name, which is as the clause PASSING has it: in capitals where it is not quoted there.
    fn variable(&mut self) -> Result<Path> {
        let name = self.word();
        if self.passed.iter().any(|passed| passed == name) {
            return Ok(Path::Variable(name.to_owned()));
        }
        let error = wrong(self.text, &format!("no value is passed for parameter {name}"));
        let in_capitals = self.passed.iter().any(|passed| passed.eq_ignore_ascii_case(name));
        Err(if in_capitals { error.with_hint(format!("PASSING … AS \"{name}\" keeps the case")) } else { error })
    }

    /// Counts a step, or an operator between two.
    fn step(&mut self) -> Result<()> {
        self.steps += 1;
        if self.steps > MAX_STEPS { Err(wrong(self.text, "it is too long")) } else { Ok(()) }
    }

    /// Takes a sign, if it is there.
    fn eat(&mut self, sign: &str) -> bool {
        self.blanks();
        let found = self.rest().starts_with(sign);
        self.at += if found { sign.len() } else { 0 };
        found
    }

    fn expect(&mut self, sign: &str) -> Result<()> {
        if self.eat(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Takes a name; empty where there is none.
    fn word(&mut self) -> &'a str {
        self.blanks();
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if rest.starts_with(|c: char| c.is_numeric()) {
            return "";
        }
        self.at += end;
        &rest[..end]
    }

    /// Takes a word, if it is there.
    fn keyword(&mut self, word: &str) -> bool {
        let before = self.at;
        let found = self.word() == word;
        if !found {
            self.at = before;
        }
        found
    }

    fn path(&self, node: Node) -> Result<Path> {
        match node {
            Node::Path(path) => Ok(path),
            Node::Test(_) => Err(wrong(self.text, "a predicate stands where a path is needed")),
        }
    }

    fn test(&self, node: Node) -> Result<Predicate> {
        match node {
            Node::Test(test) => Ok(test),
            Node::Path(_) => Err(wrong(self.text, "a path stands where a predicate is needed")),
        }
    }

    /// `a || b`
    fn any(&mut self) -> Result<Node> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(wrong(self.text, "it nests too deeply"));
        }
        let node = deeper(|| self.alternatives())?;
        self.depth -= 1;
        Ok(node)
    }

    fn alternatives(&mut self) -> Result<Node> {
        let mut left = self.both()?;
        while self.eat("||") {
            self.step()?;
            let right = self.both()?;
            left = Node::Test(Predicate::Or(Box::new(self.test(left)?), Box::new(self.test(right)?)));
        }
        Ok(left)
    }

    /// `a && b`
    fn both(&mut self) -> Result<Node> {
        let mut left = self.compared()?;
        while self.eat("&&") {
            self.step()?;
            let right = self.compared()?;
            left = Node::Test(Predicate::And(Box::new(self.test(left)?), Box::new(self.test(right)?)));
        }
        Ok(left)
    }

    fn compared(&mut self) -> Result<Node> {
        const SIGNS: [(&str, Comparison); 7] = [
            ("==", Comparison::Equal),
            ("<>", Comparison::NotEqual),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        let left = self.sum()?;
        if let Some((_, comparison)) = SIGNS.iter().find(|(sign, _)| self.eat(sign)) {
            let right = self.sum()?;
            return Ok(Node::Test(Predicate::Compare(self.path(left)?, *comparison, self.path(right)?)));
        }
        if self.keyword("starts") {
            if !self.keyword("with") {
                return Err(self.unexpected());
            }
            let right = self.sum()?;
            return Ok(Node::Test(Predicate::StartsWith(self.path(left)?, self.path(right)?)));
        }
        if self.keyword("is") {
            if !self.keyword("unknown") {
                return Err(self.unexpected());
            }
            return Ok(Node::Test(Predicate::IsUnknown(Box::new(self.test(left)?))));
        }
        if self.keyword("like_regex") {
            return Err(Error::unsupported("like_regex in a JSON path"));
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Node> {
        let mut left = self.product()?;
        while let Some(sign) = ['+', '-'].into_iter().find(|sign| self.eat(sign.encode_utf8(&mut [0; 4]))) {
            self.step()?;
            let right = self.product()?;
            left = self.arithmetic(left, sign, right)?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Node> {
        let mut left = self.signed()?;
        while let Some(sign) = ['*', '/', '%'].into_iter().find(|sign| self.eat(sign.encode_utf8(&mut [0; 4]))) {
            self.step()?;
            let right = self.signed()?;
            left = self.arithmetic(left, sign, right)?;
        }
        Ok(left)
    }

    fn arithmetic(&self, left: Node, sign: char, right: Node) -> Result<Node> {
        Ok(Node::Path(Path::Arithmetic(Box::new(self.path(left)?), sign, Box::new(self.path(right)?))))
    }

    fn signed(&mut self) -> Result<Node> {
        let (mut negated, mut signs) = (false, 0);
        while signs < MAX_DEPTH {
            if self.eat("-") {
                negated = !negated;
            } else if !self.eat("+") {
                break;
            }
            signs += 1;
        }
        let node = self.accessors()?;
        if signs == 0 {
            return Ok(node);
        }
        // A plus wants numbers, too.
        let negative = Path::Negated(Box::new(self.path(node)?));
        Ok(Node::Path(if negated { negative } else { Path::Negated(Box::new(negative)) }))
    }

    fn accessors(&mut self) -> Result<Node> {
        let mut node = self.primary()?;
        loop {
            self.step()?;
            if self.eat("..") {
                let base = Box::new(self.path(node)?);
                node = Node::Path(Path::Descendants(base, self.key()?));
            } else if self.eat(".") {
                let base = Box::new(self.path(node)?);
                node = Node::Path(self.member(base)?);
            } else if self.eat("[") {
                let base = Box::new(self.path(node)?);
                node = Node::Path(Path::Elements(base, self.subscripts()?));
            } else if self.eat("?") {
                self.expect("(")?;
                let base = Box::new(self.path(node)?);
                let test = self.any()?;
                let test = Box::new(self.test(test)?);
                self.expect(")")?;
                node = Node::Path(Path::Filter(base, test));
            } else {
                return Ok(node);
            }
        }
    }

    /// What follows a point: a key, all of them, or a method.
    fn member(&mut self, base: Box<Path>) -> Result<Path> {
        if self.eat("*") {
            return Ok(Path::Members(base));
        }
        self.blanks();
        let is_quoted = self.rest().starts_with('"');
        let key = self.key()?;
        if is_quoted || !self.eat("(") {
            return Ok(Path::Member(base, key));
        }
        let method = match key.as_str() {
            "abs" => Method::Abs,
            "ceiling" => Method::Ceiling,
            "double" => Method::Double,
            "floor" => Method::Floor,
            "keyvalue" => Method::KeyValue,
            "size" => Method::Size,
            "type" => Method::Type,
            "datetime" => return Err(Error::unsupported("datetime() in a JSON path")),
            _ => return Err(wrong(self.text, &format!("there is no method {key}()"))),
        };
        self.expect(")")?;
        Ok(Path::Method(base, method))
    }

    fn key(&mut self) -> Result<String> {
        self.blanks();
        if self.rest().starts_with('"') {
            return self.string();
        }
        let word = self.word();
        if word.is_empty() { Err(self.unexpected()) } else { Ok(word.to_owned()) }
    }

    /// A text in double quotes, which are doubled in it.
    fn string(&mut self) -> Result<String> {
        self.expect("\"")?;
        let mut made = String::new();
        loop {
            let rest = self.rest();
            let end = rest.find('"').ok_or_else(|| wrong(self.text, "a text does not end"))?;
            made.push_str(&rest[..end]);
            self.at += end + 1;
            if !self.rest().starts_with('"') {
                return Ok(made);
            }
            made.push('"');
            self.at += 1;
        }
    }

    fn subscripts(&mut self) -> Result<Subscripts> {
        if self.eat("*") {
            self.expect("]")?;
            return Ok(None);
        }
        let mut found = Vec::new();
        loop {
            let from = self.any()?;
            let from = self.path(from)?;
            let to = if self.keyword("to") {
                let to = self.any()?;
                Some(self.path(to)?)
            } else {
                None
            };
            found.push((from, to));
            if !self.eat(",") {
                self.expect("]")?;
                return Ok(Some(found));
            }
        }
    }

    fn primary(&mut self) -> Result<Node> {
        if self.eat("(") {
            let inner = self.any()?;
            self.expect(")")?;
            return Ok(inner);
        }
        if !self.rest().starts_with("!=") && self.eat("!") {
            // One is enough: what follows is in parentheses.
            if self.eat("!") {
                return Err(self.unexpected());
            }
            let inner = self.primary()?;
            return Ok(Node::Test(Predicate::Not(Box::new(self.test(inner)?))));
        }
        if self.eat("$") {
            let rest = self.rest();
            let named = rest.starts_with(|c: char| c.is_alphabetic() || c == '_');
            return Ok(Node::Path(if named { self.variable()? } else { Path::Context }));
        }
        if self.eat("@") {
            return Ok(Node::Path(Path::Current));
        }
        if self.rest().starts_with('"') {
            return Ok(Node::Path(Path::Literal(Value::String(self.string()?))));
        }
        if self.rest().starts_with(|c: char| c.is_ascii_digit()) {
            return Ok(Node::Path(Path::Literal(self.number()?)));
        }
        let before = self.at;
        Ok(Node::Path(match self.word() {
            "last" => Path::Last,
            "true" => Path::Literal(Value::Bool(true)),
            "false" => Path::Literal(Value::Bool(false)),
            "null" => Path::Literal(Value::Null),
            "exists" => {
                self.expect("(")?;
                let inner = self.any()?;
                let inner = self.path(inner)?;
                self.expect(")")?;
                return Ok(Node::Test(Predicate::Exists(inner)));
            }
            _ => {
                self.at = before;
                return Err(self.unexpected());
            }
        }))
    }

    fn number(&mut self) -> Result<Value> {
        let bytes = self.rest().as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut end = digits(0);
        if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
            end += 1 + digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits((end + 1 + sign).min(bytes.len()));
            end += if exponent > 0 { 1 + sign + exponent } else { 0 };
        }
        let number = &self.rest()[..end];
        let value = serde_json::from_str(number).map_err(|_| wrong(self.text, &format!("{number} is no number")))?;
        self.at += end;
        Ok(value)
    }
}
