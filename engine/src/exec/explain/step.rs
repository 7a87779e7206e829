//! A plan as steps that know no operator: what a person, JSON or a graph is shown.

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
    /// What a step is to the one above where it does not give it its rows: `InitPlan`.
    pub(super) relation: Option<&'static str>,
    /// Where its rows come from.
    pub(super) children: Vec<Step>,
}

impl Step {
    /// A step that runs in slices, and costs what its inputs do.
    pub(super) fn new(name: impl Into<String>, children: Vec<Step>) -> Self {
        let (startup, total) = children.iter().fold((0., 0.), |(startup, total), child| {
            (startup + child.startup, total + child.total)
        });
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

    /// `(cost=0.00..87.98 rows=8798 width=17)`
    pub(super) fn figures(&self) -> String {
        let Self { startup, total, rows, width, .. } = self;
        format!("(cost={startup:.2}..{total:.2} rows={:.0} width={width:.0})", rows.ceil())
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
