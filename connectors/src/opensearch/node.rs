//! Queries as they are put together, and their JSON.

use serde_json::{Value, json};

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    All,
    Nothing,
    /// One that only finds.
    Filter(Value),
    /// What this does not find.
    Not(Value),
    /// One that finds and scores.
    Score(Value),
    And(Vec<Node>),
    Or(Vec<Node>),
}

/// A query and whether all that it finds satisfies the condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Translated {
    pub(super) node: Node,
    pub(super) exact: bool,
}

impl Node {
    /// Whether it gives documents a score.
    pub(super) fn scores(&self) -> bool {
        match self {
            Node::Score(_) => true,
            Node::And(nodes) | Node::Or(nodes) => nodes.iter().any(Node::scores),
            _ => false,
        }
    }

    /// How many conditions it has, and how deep they nest.
    pub(super) fn size(&self) -> (usize, usize) {
        match self {
            Node::And(nodes) | Node::Or(nodes) => {
                let sizes = nodes.iter().map(Node::size);
                let (clauses, depth) =
                    sizes.fold((0, 0), |(sum, most), (clauses, depth)| (sum + clauses, most.max(depth)));
                (clauses, depth + 1)
            }
            _ => (1, 1),
        }
    }

    /// The query in JSON.
    pub(super) fn json(&self) -> Value {
        match self {
            Node::All => json!({"match_all": {}}),
            Node::Nothing => json!({"match_none": {}}),
            Node::Filter(query) | Node::Score(query) => query.clone(),
            Node::Not(query) => json!({"bool": {"must_not": [query]}}),
            Node::And(nodes) => {
                let mut parts = Conjunction::default();
                for node in nodes {
                    parts.add(node);
                }
                parts.json()
            }
            Node::Or(nodes) => {
                let scores = self.scores();
                let should = nodes.iter().map(|node| match node {
                    // So that it adds nothing to the score.
                    node if scores && !node.scores() => json!({"bool": {"filter": [node.json()]}}),
                    node => node.json(),
                });
                json!({"bool": {"should": should.collect::<Vec<_>>(), "minimum_should_match": 1}})
            }
        }
    }
}

/// The clauses of a `bool` query that must all hold.
#[derive(Default)]
struct Conjunction {
    must: Vec<Value>,
    filter: Vec<Value>,
    must_not: Vec<Value>,
}

impl Conjunction {
    fn add(&mut self, node: &Node) {
        match node {
            Node::All => {}
            Node::And(nodes) => nodes.iter().for_each(|node| self.add(node)),
            Node::Not(query) => self.must_not.push(query.clone()),
            node if node.scores() => self.must.push(node.json()),
            node => self.filter.push(node.json()),
        }
    }

    fn json(self) -> Value {
        let clauses = [("must", self.must), ("filter", self.filter), ("must_not", self.must_not)];
        let clauses: serde_json::Map<_, _> = clauses
            .into_iter()
            .filter(|(_, queries)| !queries.is_empty())
            .map(|(name, queries)| (name.to_owned(), Value::from(queries)))
            .collect();
        if clauses.is_empty() { Node::All.json() } else { json!({"bool": clauses}) }
    }
}
