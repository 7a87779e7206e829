//! A plan as steps that know no operator: what a person, JSON or a graph is shown.

use super::size;
use crate::journal::ScanRecord;

/// One step of a plan, over the steps that give it rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Step {
    /// Where it runs: `XN` for slices, `LD` for the leader, nothing for what happens at the files.
    pub(super) place: &'static str,
    /// What it does, as `Hash Join`.
    pub(super) name: String,
    /// How rows are moved for a join, as `DS_DIST_NONE`.
    pub(super) label: Option<&'static str>,
    /// What a scan reads, with the words before it: `on sales`.
    pub(super) object: Option<String>,
    /// The table that a scan reads.
    pub(super) table: Option<String>,
    /// What the first row costs.
    pub(super) startup: f64,
    /// What all rows cost.
    pub(super) total: f64,
    /// How many rows are expected.
    pub(super) rows: f64,
    /// Bytes of a row.
    pub(super) width: f64,
    /// Lines below it: key and value; a value alone where the key is empty.
    pub(super) details: Vec<(&'static str, String)>,
    /// Whether costs, rows and width are not shown.
    pub(super) without_costs: bool,
    /// What a step is to the one above where it does not give it its rows: `InitPlan`.
    pub(super) relation: Option<&'static str>,
    /// What its rows are made of, where that is shown.
    pub(super) output: Option<String>,
    /// What it did, where it ran.
    pub(super) actual: Option<Actual>,
    /// Where its rows come from.
    pub(super) children: Vec<Step>,
}

/// What a step did.
#[derive(Debug, Clone, Default)]
pub(super) struct Actual {
    /// Rows that it gave.
    pub(super) rows: u64,
    /// Time that it computed, of all slices together.
    pub(super) nanos: u64,
    /// The most memory that it held.
    pub(super) memory_bytes: u64,
    /// What it wrote to disk for want of memory.
    pub(super) spilled_bytes: u64,
    /// What it read of files.
    pub(super) read_bytes: u64,
    /// Blocks of files.
    pub(super) blocks: Option<Blocks>,
    /// What it asked of a foreign system.
    pub(super) remote: Option<Remote>,
    /// What else the journal is told.
    pub(super) detail: Option<Box<Detail>>,
}

/// What was asked of a foreign system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Remote {
    /// Requests that were sent, those sent again too.
    pub(super) requests: u64,
    /// Requests that were sent again.
    pub(super) retries: u64,
    /// Rows that the system looked at, where it tells.
    pub(super) rows_examined: u64,
    /// Capacity that it says was consumed, in thousandths of its unit.
    pub(super) capacity_milliunits: u64,
}

/// What the journal is told of an operator beside what EXPLAIN shows.
#[derive(Debug, Clone, Default)]
pub(super) struct Detail {
    /// Bytes that it gave.
    pub(super) output_bytes: u64,
    /// When it began, and when it ended, or now while it runs: microseconds since the epoch.
    pub(super) times_us: Option<(i64, i64)>,
    /// Of each slice the rows that it gave, and the nanoseconds that it computed.
    pub(super) slices: Vec<(u64, u64)>,
    /// The table that it read, as `schema.table`, with its number in `pg_class`.
    pub(super) table: Option<(String, i64)>,
    /// What it read of files.
    pub(super) scan: Option<ScanRecord>,
    /// Whether its table has no statistics.
    pub(super) unanalyzed: bool,
    /// Whether its table's distribution key says which slice reads a row.
    pub(super) placed: bool,
}

impl Detail {
    /// Together with what another operator of the same step did, below it.
    fn over(mut self, below: Self) -> Self {
        self.times_us = match (self.times_us, below.times_us) {
            (Some(own), Some(below)) => Some((own.0.min(below.0), own.1.max(below.1))),
            (own, below) => own.or(below),
        };
        if self.slices.is_empty() {
            self.slices = below.slices;
        } else {
            self.slices.iter_mut().zip(&below.slices).for_each(|(own, below)| own.1 += below.1);
        }
        if self.output_bytes == 0 {
            self.output_bytes = below.output_bytes;
        }
        self.table = self.table.or(below.table);
        self.scan = self.scan.or(below.scan);
        self.unanalyzed |= below.unanalyzed;
        self.placed |= below.placed;
        self
    }
}

/// Blocks of files: a column's of a managed table's file, a row group of Parquet, a stripe's row group of ORC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Blocks {
    /// Those that were read, where they are counted.
    pub(super) read: Option<u64>,
    /// Those that bounds or an earlier condition left out.
    pub(super) skipped: u64,
}

impl Remote {
    /// The capacity in units.
    fn capacity(self) -> String {
        format!("{:.1}", self.capacity_milliunits as f64 / 1e3)
    }
}

impl Actual {
    /// Together with what another operator of the same step did, below it.
    pub(super) fn over(self, below: Self) -> Self {
        Self {
            rows: self.rows,
            nanos: self.nanos + below.nanos,
            memory_bytes: self.memory_bytes.max(below.memory_bytes),
            spilled_bytes: self.spilled_bytes + below.spilled_bytes,
            read_bytes: self.read_bytes + below.read_bytes,
            blocks: self.blocks.or(below.blocks),
            remote: self.remote.or(below.remote),
            detail: match (self.detail, below.detail) {
                (Some(own), Some(below)) => Some(Box::new(own.over(*below))),
                (own, below) => own.or(below),
            },
        }
    }

    /// `(actual time=1.204 ms rows=8798)`
    pub(super) fn figures(&self) -> String {
        format!("(actual time={:.3} ms rows={})", self.nanos as f64 / 1e6, self.rows)
    }

    /// What is not zero of memory, disk and files, as lines.
    pub(super) fn details(&self) -> Vec<(&'static str, String)> {
        let mut details = Vec::new();
        for (key, bytes) in [("Memory", self.memory_bytes), ("Spilled", self.spilled_bytes), ("Read", self.read_bytes)]
        {
            if bytes > 0 {
                details.push((key, size(bytes)));
            }
        }
        if let Some(Blocks { read, skipped }) = self.blocks {
            let read = read.map(|read| format!("{read} read, ")).unwrap_or_default();
            details.push(("Blocks", format!("{read}{skipped} skipped")));
        }
        if let Some(remote) = self.remote {
            let again = if remote.retries > 0 { format!(", {} sent again", remote.retries) } else { String::new() };
            details.push(("Requests", format!("{}{again}", remote.requests)));
            if remote.rows_examined > 0 {
                details.push(("Rows Examined", remote.rows_examined.to_string()));
            }
            if remote.capacity_milliunits > 0 {
                details.push(("Consumed Capacity", remote.capacity()));
            }
        }
        details
    }
}

impl Step {
    /// A step that runs in slices, and costs what its inputs do.
    pub(super) fn new(name: impl Into<String>, children: Vec<Step>) -> Self {
        let (startup, total) =
            children.iter().fold((0., 0.), |(startup, total), child| (startup + child.startup, total + child.total));
        let rows = children.first().map_or(0., |child| child.rows);
        let width = children.first().map_or(0., |child| child.width);
        Self { place: "XN", name: name.into(), startup, total, rows, width, children, ..Self::default() }
    }

    /// With a line below it.
    pub(super) fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.details.push((key, value.into()));
        self
    }

    /// With other costs.
    pub(super) fn costing(mut self, startup: f64, total: f64) -> Self {
        (self.startup, self.total) = (startup, total.max(startup));
        self
    }

    /// Shows no costs of it and of what is below.
    pub(super) fn hide_costs(&mut self) {
        self.without_costs = true;
        self.children.iter_mut().for_each(Self::hide_costs);
    }

    /// The bytes of its rows.
    pub(super) fn bytes(&self) -> f64 {
        self.rows * self.width
    }

    /// The whole name: `XN Hash Join DS_DIST_NONE`, `XN Seq Scan on sales`.
    pub(super) fn title(&self) -> String {
        let parts = [Some(self.place), Some(self.name.as_str()), self.label, self.object.as_deref()];
        let parts: Vec<&str> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
        parts.join(" ")
    }

    /// The lines below it: what it computes of, and what that took.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let output = self.output.iter().map(|output| ("Output", output.clone()));
        let actual = self.actual.iter().flat_map(Actual::details);
        output.chain(self.details.iter().cloned()).chain(actual).collect()
    }

    /// `(cost=0.00..87.98 rows=8798 width=17)`
    pub(super) fn costs(&self) -> String {
        let Self { startup, total, rows, width, .. } = self;
        format!("(cost={startup:.2}..{total:.2} rows={:.0} width={width:.0})", rows.ceil())
    }

    /// Its costs, and what it did.
    pub(super) fn figures(&self) -> String {
        let mut figures = Vec::new();
        if !self.without_costs {
            figures.push(self.costs());
        }
        figures.extend(self.actual.as_ref().map(Actual::figures));
        figures.join(" ")
    }
}

/// The steps of one plan of a statement, and what it is for where there are several.
pub(super) struct Part {
    /// `When matched`, `Insert`.
    pub(super) name: Option<&'static str>,
    /// Its steps.
    pub(super) root: Step,
    /// What a person should look at.
    pub(super) alerts: Vec<String>,
}
