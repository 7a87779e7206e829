//! The priorities of automatic WLM.

/// How much sooner than others a statement begins, how much of the memory it may have, and whether others have the
/// processor before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Priority {
    Lowest,
    Low,
    #[default]
    Normal,
    High,
    Highest,
    /// For superusers to give; no queue has it.
    Critical,
}

impl Priority {
    /// Those that queues have, the lowest first.
    pub(crate) const ALL: [Self; 5] = [Self::Lowest, Self::Low, Self::Normal, Self::High, Self::Highest];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Lowest => "lowest",
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Highest => "highest",
            Self::Critical => "critical",
        }
    }

    /// The one of a name, in whatever case, that a queue may have.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.name().eq_ignore_ascii_case(name))
    }

    /// The same of those that a superuser may give.
    pub(crate) fn given(name: &str) -> Option<Self> {
        let critical = Self::Critical;
        if critical.name().eq_ignore_ascii_case(name) { Some(critical) } else { Self::named(name) }
    }

    /// Its number, from 0 for the lowest, as `stl_query_metrics.query_priority`.
    pub(crate) const fn number(self) -> u8 {
        self as u8
    }

    /// Whether others go before it when it computes, too.
    pub(super) const fn is_patient(self) -> bool {
        matches!(self, Self::Lowest | Self::Low)
    }

    /// Its share beside the others': each has twice that of the next lower one.
    pub(super) const fn weight(self) -> u64 {
        1 << self as u32
    }
}
