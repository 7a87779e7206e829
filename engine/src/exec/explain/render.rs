//! Steps as text in PostgreSQL's indentation, as JSON with PostgreSQL's keys, as a graph in Graphviz's language.

use super::step::{Part, Step};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// A line for each step and detail.
pub(super) fn text(parts: &[Part]) -> Vec<String> {
    let mut lines = Vec::new();
    for part in parts {
        lines.extend(part.name.map(|name| format!("{name}:")));
        lines_of(&part.root, None, &mut lines);
        lines.extend(part.alerts.iter().map(|alert| format!(" ----- {alert} -----")));
    }
    lines
}

/// A step's own lines stand so far right of its arrow, which stands where the lines above it do.
const INDENT: usize = 6;

fn lines_of(step: &Step, arrow: Option<usize>, lines: &mut Vec<String>) {
    let (head, at) = match arrow {
        Some(at) => (format!("{}->  ", " ".repeat(at)), at + INDENT),
        None => (String::new(), 2),
    };
    let shown = [step.title(), step.figures()];
    let shown: Vec<String> = shown.into_iter().filter(|part| !part.is_empty()).collect();
    lines.push(format!("{head}{}", shown.join("  ")));
    let indent = " ".repeat(at);
    for (key, value) in step.lines() {
        lines.push(if key.is_empty() { format!("{indent}{value}") } else { format!("{indent}{key}: {value}") });
    }
    for child in &step.children {
        lines.extend(child.relation.map(|relation| format!("{indent}{relation}")));
        lines_of(child, Some(if child.relation.is_some() { at + 2 } else { at }), lines);
    }
}

/// One text: a list with an object for each plan.
pub(super) fn json(parts: &[Part]) -> String {
    let plans = parts.iter().map(|part| {
        let mut plan = Map::new();
        if let Some(name) = part.name {
            plan.insert("Part".to_owned(), json!(name));
        }
        plan.insert("Plan".to_owned(), value_of(&part.root));
        if !part.alerts.is_empty() {
            plan.insert("Alerts".to_owned(), json!(part.alerts));
        }
        Value::Object(plan)
    });
    let plans = Value::Array(plans.collect());
    serde_json::to_string_pretty(&plans).unwrap_or_default()
}

fn pair<'a>((key, value): &'a (&'static str, String)) -> (&'static str, &'a String) {
    (key, value)
}

fn value_of(step: &Step) -> Value {
    /// Two decimals, as in the text.
    fn cost(cost: f64) -> f64 {
        (cost * 100.).round() / 100.
    }
    let mut object = Map::new();
    let name = if step.place.is_empty() { step.name.clone() } else { format!("{} {}", step.place, step.name) };
    object.insert("Node Type".to_owned(), json!(name));
    if let Some(relation) = step.relation {
        object.insert("Parent Relationship".to_owned(), json!(relation));
    }
    if let Some(label) = step.label {
        object.insert("Distribution".to_owned(), json!(label));
    }
    if let Some(table) = &step.table {
        object.insert("Relation Name".to_owned(), json!(table));
    }
    if !step.without_costs {
        object.insert("Startup Cost".to_owned(), json!(cost(step.startup)));
        object.insert("Total Cost".to_owned(), json!(cost(step.total)));
        object.insert("Plan Rows".to_owned(), json!(step.rows.ceil() as u64));
        object.insert("Plan Width".to_owned(), json!(step.width.round() as u64));
    }
    for (key, value) in step.output.iter().map(|output| ("Output", output)).chain(step.details.iter().map(pair)) {
        object.insert(if key.is_empty() { "Network".to_owned() } else { key.to_owned() }, json!(value));
    }
    if let Some(actual) = &step.actual {
        object.insert("Actual Rows".to_owned(), json!(actual.rows));
        object.insert("Actual Time".to_owned(), json!(actual.nanos as f64 / 1e6));
        object.insert("Memory Bytes".to_owned(), json!(actual.memory_bytes));
        object.insert("Spilled Bytes".to_owned(), json!(actual.spilled_bytes));
        object.insert("Read Bytes".to_owned(), json!(actual.read_bytes));
        if let Some(blocks) = actual.blocks {
            object.insert("Blocks Read".to_owned(), json!(blocks.read));
            object.insert("Blocks Skipped".to_owned(), json!(blocks.skipped));
        }
        if let Some(remote) = actual.remote {
            object.insert("Requests".to_owned(), json!(remote.requests));
            object.insert("Retries".to_owned(), json!(remote.retries));
            object.insert("Rows Examined".to_owned(), json!(remote.rows_examined));
            object.insert("Consumed Capacity".to_owned(), json!(remote.capacity_milliunits as f64 / 1e3));
        }
    }
    if !step.children.is_empty() {
        object.insert("Plans".to_owned(), Value::Array(step.children.iter().map(value_of).collect()));
    }
    Value::Object(object)
}

/// One text: a node for each step, an edge from each step to the one that it gives rows to.
pub(super) fn graphviz(parts: &[Part]) -> String {
    let mut graph = "digraph plan {\n  rankdir = BT\n  node [shape = box]\n".to_owned();
    let mut count = 0;
    for part in parts {
        nodes_of(&part.root, part.name, &mut count, &mut graph);
    }
    graph.push('}');
    graph
}

/// Writes a step and what is below it; the number that it has.
fn nodes_of(step: &Step, part: Option<&str>, count: &mut usize, graph: &mut String) -> usize {
    let number = *count;
    *count += 1;
    let mut lines: Vec<String> = part.map(|part| format!("{part}:")).into_iter().collect();
    lines.extend([step.title(), step.figures()].into_iter().filter(|part| !part.is_empty()));
    let detail = |(key, value): (&str, String)| if key.is_empty() { value } else { format!("{key}: {value}") };
    lines.extend(step.lines().into_iter().map(detail));
    let label: String = lines.iter().map(|line| line.replace('\\', "\\\\").replace('"', "\\\"") + "\\l").collect();
    // Writing to a text cannot fail.
    _ = writeln!(graph, "  n{number} [label = \"{label}\"]");
    for child in &step.children {
        let below = nodes_of(child, child.relation, count, graph);
        let rows = child.actual.as_ref().map_or(child.rows.ceil(), |actual| actual.rows as f64);
        _ = writeln!(graph, "  n{below} -> n{number} [label = \"{rows:.0}\"]");
    }
    number
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn part() -> Part {
        let scan = Step { object: Some("on sales".to_owned()), ..Step::new("Seq Scan", Vec::new()) };
        let scan = Step { rows: 172_456., width: 14., table: Some("sales".to_owned()), ..scan }.costing(0., 1724.56);
        let sort = Step::new("Sort", vec![scan]).with("Sort Key", "a \"b\"");
        let network = Step::new("Network", vec![sort]).with("", "Send to leader");
        Part { name: None, root: Step::new("Merge", vec![network]).with("Merge Key", "a"), alerts: Vec::new() }
    }

    #[test]
    fn text_is_indented_as_in_postgresql() {
        let figures = "(cost=0.00..1724.56 rows=172456 width=14)";
        let expected = [
            format!("XN Merge  {figures}"),
            "  Merge Key: a".to_owned(),
            format!("  ->  XN Network  {figures}"),
            "        Send to leader".to_owned(),
            format!("        ->  XN Sort  {figures}"),
            "              Sort Key: a \"b\"".to_owned(),
            format!("              ->  XN Seq Scan on sales  {figures}"),
        ];
        assert_eq!(text(&[part()]), expected);
    }

    #[test]
    fn json_has_the_same_steps() {
        let value: Value = serde_json::from_str(&json(&[part()])).unwrap();
        let merge = &value[0]["Plan"];
        assert_eq!(merge["Node Type"], "XN Merge");
        let scan = &merge["Plans"][0]["Plans"][0]["Plans"][0];
        assert_eq!((&scan["Relation Name"], &scan["Plan Rows"]), (&json!("sales"), &json!(172_456)));
        assert_eq!(scan["Total Cost"], json!(1724.56));
    }

    #[test]
    fn a_graph_escapes_its_labels() {
        let graph = graphviz(&[part()]);
        assert!(graph.contains("Sort Key: a \\\"b\\\"\\l"), "{graph}");
        assert!(graph.contains("n3 -> n2 [label = \"172456\"]"), "{graph}");
    }
}
