//! Steps in segments and streams, as Redshift counts them.
//!
//! A segment is what one slice does without waiting: it begins with a scan, of a table or of rows that another segment
//! left, and ends where rows go to other slices or where all rows must be there before the first goes on. Segments of one
//! stream run at the same time; a stream begins when those before it have ended. Inner sides of joins are counted first.

use super::alerts;
use crate::exec::explain::step::{Actual, Detail, Step};
use crate::journal::{AlertRecord, MOST_STEPS, StepRecord};

/// Where the rows of a step go on: the segment that is open.
#[derive(Clone, Copy)]
struct Open {
    segment: u32,
    /// The number of its next step.
    next: u32,
}

/// The segments of a statement.
pub(super) struct Segments {
    steps: Vec<StepRecord>,
    alerts: Vec<AlertRecord>,
    /// The stream of each segment.
    streams: Vec<u32>,
    /// The first stream of the plan that is counted now.
    first_stream: u32,
    /// The last number of a work table.
    worktable: i64,
    /// The number of the last node, in the order of EXPLAIN's lines.
    node: u32,
    times_us: (i64, i64),
}

/// What a step is in Redshift's words.
enum Shape {
    /// A scan: nothing is below it.
    Scan,
    /// Rows go on as they come, after this word, if there is one.
    Passes(Option<&'static str>),
    /// All rows must be there, after this word.
    Blocks(&'static str),
    /// Rows go to other slices.
    Moves(&'static str),
    /// Two sides, with the join's word.
    Joins(&'static str),
    /// All inputs one after the other.
    Appends,
    /// What chooses partitions, then the scans of them.
    Partitions,
}

fn shape(step: &Step) -> Shape {
    let is_leaf = step.children.is_empty();
    match step.name.as_str() {
        "Sort" => Shape::Blocks("sort"),
        "HashAggregate" | "Aggregate" => Shape::Blocks("aggr"),
        "Unique" => Shape::Blocks("unique"),
        "GroupAggregate" => Shape::Passes(Some("aggr")),
        "Merge" => Shape::Passes(Some("merge")),
        "Limit" => Shape::Passes(Some("limit")),
        "Window" => Shape::Passes(Some("window")),
        "Network" => {
            let to_leader = step.details.iter().any(|(_, to)| to == "Send to leader");
            Shape::Moves(if to_leader { "return" } else { "dist" })
        }
        "S3 Query Scan" | "Subquery Scan" if !is_leaf => Shape::Passes(None),
        "Append" => Shape::Appends,
        "Partition Loop" => Shape::Partitions,
        name if name.starts_with("S3 ") && name.ends_with("Aggregate") => Shape::Passes(Some("aggr")),
        name if name.starts_with("Hash ") || name == "SetOp Except" => Shape::Joins("hjoin"),
        name if name.starts_with("Merge ") => Shape::Joins("mjoin"),
        name if name.starts_with("Nested Loop") => Shape::Joins("nloop"),
        _ if is_leaf => Shape::Scan,
        _ if step.children.len() > 1 => Shape::Appends,
        _ => Shape::Passes(Some("project")),
    }
}

/// How the sides of a join are moved: the word of the outer one, and that of the inner one.
fn moves(label: Option<&str>) -> (Option<&'static str>, Option<&'static str>) {
    match label {
        Some("DS_BCAST_INNER") => (None, Some("bcast")),
        Some("DS_DIST_INNER" | "DS_DIST_ALL_INNER") => (None, Some("dist")),
        Some("DS_DIST_OUTER") => (Some("dist"), None),
        Some("DS_DIST_BOTH") => (Some("dist"), Some("dist")),
        _ => (None, None),
    }
}

impl Segments {
    pub(super) fn new(times_us: (i64, i64)) -> Self {
        Self {
            steps: Vec::new(),
            alerts: Vec::new(),
            streams: Vec::new(),
            first_stream: 0,
            worktable: 0,
            node: 0,
            times_us,
        }
    }

    /// Counts a plan whose nodes come after the first so many, and what becomes of its rows.
    pub(super) fn plan(&mut self, root: &Step, nodes: u32, ending: &[&str], target: Option<&(String, i64)>) {
        self.node = nodes;
        self.first_stream = self.streams.iter().max().map_or(0, |last| last + 1);
        let mut open = self.walk(root);
        for word in ending {
            let (rows, bytes) = self.given(open);
            let mut step =
                StepRecord { name: (*word).to_owned(), node: nodes + 1, rows, bytes, ..StepRecord::default() };
            if let Some((table, number)) = target.filter(|_| matches!(*word, "insert" | "delete")) {
                (step.table, step.table_id) = (table.clone(), Some(*number));
            }
            self.push(&mut open, step);
        }
    }

    /// All steps, and what is wrong with them.
    pub(super) fn finish(mut self) -> (Vec<StepRecord>, Vec<AlertRecord>) {
        for step in &mut self.steps {
            step.stream = self.streams.get(step.segment as usize).copied().unwrap_or(0);
        }
        self.steps.sort_by_key(|step| (step.segment, step.step));
        self.steps.truncate(MOST_STEPS);
        self.alerts.truncate(MOST_STEPS);
        (self.steps, self.alerts)
    }

    fn walk(&mut self, step: &Step) -> Open {
        self.node += 1;
        let node = self.node;
        match shape(step) {
            Shape::Scan => {
                let mut open = self.begin(self.first_stream);
                self.scan(&mut open, step, node);
                open
            }
            Shape::Passes(word) => {
                let mut open = self.inputs(step);
                if let Some(word) = word {
                    self.push_of(&mut open, word, step, node);
                }
                open
            }
            Shape::Blocks(word) => {
                let mut open = self.inputs(step);
                let table = self.next_table();
                self.push_of(&mut open, word, step, node);
                self.name_table(table);
                self.go_on(open, 1, (table, node))
            }
            Shape::Moves(word) => {
                let mut open = self.inputs(step);
                self.cross(&mut open, word, node);
                open
            }
            Shape::Joins(word) => self.join(word, step, node),
            Shape::Appends => {
                let opens: Vec<Open> = step.children.iter().map(|child| self.walk(child)).collect();
                let stream = opens.iter().map(|open| self.stream(*open)).max().unwrap_or(self.first_stream);
                let mut open = self.begin(stream);
                let table = Some(self.next_table());
                let given = opens.iter().map(|open| self.given(*open));
                let (rows, bytes) = given.fold((0, 0), |sum, given| (sum.0 + given.0, sum.1 + given.1));
                let scan =
                    StepRecord { name: "scan".to_owned(), node, table_id: table, rows, bytes, ..StepRecord::default() };
                self.push(&mut open, scan);
                open
            }
            Shape::Partitions => {
                let opens: Vec<Open> = step.children.iter().map(|child| self.walk(child)).collect();
                match opens.last() {
                    Some(open) => *open,
                    None => self.begin(self.first_stream),
                }
            }
        }
    }

    /// The rows that a step is given; queries whose value it needs come before.
    fn inputs(&mut self, step: &Step) -> Open {
        let mut last = None;
        let mut before = self.first_stream;
        // In the order of EXPLAIN's lines, in which a value's query stands behind.
        for child in &step.children {
            let mut open = self.walk(child);
            if child.relation.is_some() {
                let table = self.next_table();
                self.push_of(&mut open, "save", child, self.node);
                self.name_table(table);
                before = before.max(self.stream(open) + 1);
            } else {
                last = Some(open);
            }
        }
        let open = last.unwrap_or_else(|| self.begin(self.first_stream));
        self.raise(open, before);
        open
    }

    fn join(&mut self, word: &'static str, step: &Step, node: u32) -> Open {
        let sides: Vec<&Step> = step.children.iter().filter(|child| child.relation.is_none()).collect();
        let [outer, inner] = sides.as_slice() else { return self.inputs(step) };
        let (outer_moves, inner_moves) = moves(step.label);
        // Nodes are numbered in the order of EXPLAIN's lines, where the outer side comes first.
        let before = self.node;
        self.node += size(outer);
        let built = self.inner_side(word, inner, inner_moves);
        let after = self.node;
        self.node = before;
        let stream = self.stream(built) + 1;
        let mut open = self.walk(outer);
        self.node = after;
        for child in step.children.iter().filter(|child| child.relation.is_some()) {
            self.walk(child);
        }
        if let Some(moved) = outer_moves {
            self.cross(&mut open, moved, before + 1);
        }
        self.raise(open, stream);
        let table = self.next_table();
        self.push_of(&mut open, word, step, node);
        self.name_table(table);
        if let Some(last) = self.steps.last_mut() {
            last.distribution = step.label.map(str::to_owned);
        }
        if matches!(step.label, Some("DS_DIST_INNER" | "DS_DIST_OUTER" | "DS_DIST_BOTH"))
            && let Some(uneven) = self.steps.last().and_then(|last| alerts::of_joined(&last.slices))
        {
            self.alert(uneven);
        }
        if word == "nloop" {
            self.alert(alerts::of_nested_loop());
        }
        if step.label == Some("DS_DIST_ALL_INNER") {
            self.alert(alerts::of_serial_join());
        }
        open
    }

    /// The side of a join that is there as a whole before the other is read.
    fn inner_side(&mut self, word: &str, inner: &Step, moved: Option<&'static str>) -> Open {
        let (hash, below) = match inner.children.as_slice() {
            [below] if inner.name == "Hash" => (Some(inner), below),
            _ => (None, inner),
        };
        if hash.is_some() {
            self.node += 1;
        }
        let node = self.node;
        let mut open = self.walk(below);
        if let Some(moved) = moved {
            self.cross(&mut open, moved, node);
        }
        let ending = match word {
            "hjoin" => "hash",
            "nloop" => "save",
            _ => return open,
        };
        let table = self.next_table();
        self.push_of(&mut open, ending, hash.unwrap_or(inner), node);
        self.name_table(table);
        open
    }

    fn begin(&mut self, stream: u32) -> Open {
        let segment = self.streams.len() as u32;
        self.streams.push(stream);
        Open { segment, next: 0 }
    }

    fn stream(&self, open: Open) -> u32 {
        self.streams.get(open.segment as usize).copied().unwrap_or(0)
    }

    /// A segment runs no sooner than in this stream.
    fn raise(&mut self, open: Open, stream: u32) {
        if let Some(own) = self.streams.get_mut(open.segment as usize) {
            *own = stream.max(*own);
        }
    }

    fn next_table(&mut self) -> i64 {
        self.worktable += 1;
        self.worktable
    }

    /// Gives the last step its work table.
    fn name_table(&mut self, table: i64) {
        if let Some(last) = self.steps.last_mut() {
            last.table_id = Some(table);
        }
    }

    /// Sends rows to other slices, where another segment takes them.
    fn cross(&mut self, open: &mut Open, word: &'static str, node: u32) {
        let (rows, bytes) = self.given(*open);
        let step = StepRecord { name: word.to_owned(), node, rows, bytes, ..StepRecord::default() };
        self.push(open, step);
        if word != "return"
            && let Some(alert) = alerts::of_moved(word, rows)
        {
            self.alert(alert);
        }
        let table = self.next_table();
        *open = self.go_on(*open, 0, (table, node));
        if let Some(last) = self.steps.last_mut() {
            last.from_network = true;
        }
    }

    /// A segment that reads what another left.
    fn go_on(&mut self, open: Open, later: u32, (table, node): (i64, u32)) -> Open {
        let (rows, bytes) = self.given(open);
        let mut next = self.begin(self.stream(open) + later);
        let table_id = Some(table);
        let step = StepRecord { name: "scan".to_owned(), node, table_id, rows, bytes, ..StepRecord::default() };
        self.push(&mut next, step);
        next
    }

    /// The rows and bytes of a segment's last step.
    fn given(&self, open: Open) -> (u64, u64) {
        let last = self.steps.iter().rev().find(|step| step.segment == open.segment);
        last.map_or((0, 0), |last| (last.rows, last.bytes))
    }

    fn scan(&mut self, open: &mut Open, step: &Step, node: u32) {
        let is_values = step.name != "Result" && step.table.is_none();
        let word = if step.name == "Result" { "project" } else { "scan" };
        self.push_of(open, word, step, node);
        let Some(last) = self.steps.last_mut() else { return };
        let detail = step.actual.as_ref().and_then(|actual| actual.detail.as_deref());
        let table = detail.and_then(|detail| detail.table.clone());
        if let Some((name, number)) = table {
            (last.table, last.table_id) = (name, Some(number));
        } else if let Some(name) = &step.table {
            (last.table, last.table_id) = (name.clone(), Some(0));
        } else if is_values {
            last.table_id = Some(0);
        }
        let rows = last.rows;
        let uneven = detail.filter(|detail| detail.placed).and_then(|_| alerts::of_placed(&last.slices));
        for alert in detail.map(|detail| alerts::of_scan(detail, rows)).unwrap_or_default().into_iter().chain(uneven) {
            self.alert(alert);
        }
    }

    /// A step with what a node of the plan did.
    fn push_of(&mut self, open: &mut Open, word: &str, step: &Step, node: u32) {
        let actual = step.actual.clone().unwrap_or_default();
        let Actual { rows, memory_bytes, spilled_bytes, blocks, detail, .. } = actual;
        let Detail { output_bytes, times_us, slices, mut scan, .. } = detail.map(|detail| *detail).unwrap_or_default();
        if let (Some(scan), Some(blocks)) = (&mut scan, blocks) {
            scan.blocks = Some((blocks.read, blocks.skipped));
        }
        let (start_us, end_us) = times_us.unwrap_or_default();
        // What was not seen to end has ended with the statement.
        let end_us = end_us.min(self.times_us.1);
        let slices = slices.into_iter().map(|(rows, nanos)| (rows, nanos / 1000)).collect();
        let record = StepRecord {
            name: word.to_owned(),
            node,
            start_us,
            end_us,
            rows,
            bytes: output_bytes,
            memory_bytes,
            spilled_bytes,
            slices,
            scan,
            ..StepRecord::default()
        };
        self.push(open, record);
    }

    fn push(&mut self, open: &mut Open, mut step: StepRecord) {
        (step.segment, step.step) = (open.segment, open.next);
        if step.start_us == 0 {
            // What has no counters of its own runs as long as what gives it its rows.
            let before = self.steps.iter().rev().find(|before| before.segment == open.segment);
            (step.start_us, step.end_us) = before.map_or(self.times_us, |before| (before.start_us, before.end_us));
        }
        if step.slices.is_empty() {
            step.slices.push((step.rows, 0));
        }
        open.next += 1;
        self.steps.push(step);
    }

    /// Warns of the last step.
    fn alert(&mut self, alert: AlertRecord) {
        if let Some(last) = self.steps.last() {
            self.alerts.push(AlertRecord { segment: last.segment, step: last.step, ..alert });
        }
    }
}

/// How many nodes a step and those below it are.
fn size(step: &Step) -> u32 {
    1 + step.children.iter().map(size).sum::<u32>()
}
