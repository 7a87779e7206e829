//! DataFusion's own functions by name and alias, made once for the process.
//!
//! No session's state holds them: a state is copied several times for each statement, and copying a thousand names
//! takes longer than planning a small query.

use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, WindowUDF};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

/// The functions, a kind a map, under their names and their aliases.
pub(crate) struct Functions {
    /// One value a row.
    pub(crate) scalar: HashMap<String, Arc<ScalarUDF>>,
    /// Those that take lambdas.
    pub(crate) higher_order: HashMap<String, Arc<HigherOrderUDF>>,
    /// One value a group.
    pub(crate) aggregate: HashMap<String, Arc<AggregateUDF>>,
    /// Those that need OVER.
    pub(crate) window: HashMap<String, Arc<WindowUDF>>,
}

static BUILTIN: LazyLock<Functions> = LazyLock::new(|| Functions {
    scalar: by_name(SessionStateDefaults::default_scalar_functions(), |function| (function.name(), function.aliases())),
    higher_order: by_name(SessionStateDefaults::default_higher_order_functions(), |function| {
        (function.name(), function.aliases())
    }),
    aggregate: by_name(SessionStateDefaults::default_aggregate_functions(), |function| {
        (function.name(), function.aliases())
    }),
    window: by_name(SessionStateDefaults::default_window_functions(), |function| (function.name(), function.aliases())),
});

/// DataFusion's functions.
pub(crate) fn functions() -> &'static Functions {
    &BUILTIN
}

impl Functions {
    /// Whether any function has a name, lambdas' apart.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.scalar.contains_key(name) || self.aggregate.contains_key(name) || self.window.contains_key(name)
    }

    /// The names of all functions, lambdas' apart, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.scalar.keys().chain(self.aggregate.keys()).chain(self.window.keys());
        names.cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }
}

fn by_name<F>(functions: Vec<Arc<F>>, names: impl Fn(&F) -> (&str, &[String])) -> HashMap<String, Arc<F>> {
    let mut found = HashMap::new();
    for function in functions {
        let (name, aliases) = names(&function);
        for name in aliases.iter().map(String::as_str).chain([name]) {
            found.insert(name.to_owned(), Arc::clone(&function));
        }
    }
    found
}
