//! Kinds of connectors by name, each with the options that it takes.
//!
//! Options are checked here, before a factory sees them: an unknown or missing one is an error that names it.

use crate::connector::Connector;
use crate::declared::Declaration;
use crate::error::{ConnectorError, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Options by name. A [`Registry`] takes names in any case and gives them to factories in lower case.
pub type Options = BTreeMap<String, String>;

/// An option that a kind takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionSpec {
    /// Its name, in lower case.
    pub name: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// Whether its value must never be shown.
    pub secret: bool,
}

/// Makes connectors of one kind.
pub trait Factory: Send + Sync {
    /// The kind, in lower case, e.g. `kinesis`.
    fn kind(&self) -> &'static str;

    /// The options that it takes.
    fn options(&self) -> &'static [OptionSpec];

    /// Makes a connector from options that were checked. No request is made yet.
    fn connect(&self, options: &Options) -> Result<Arc<dyn Connector>>;

    /// Makes a connector whose tables have the declared columns, whatever the system tells of them. No request is made
    /// yet.
    fn declare(&self, _options: &Options, _declared: &Declaration) -> Result<Arc<dyn Connector>> {
        Err(ConnectorError::Unsupported(format!("declared columns of {}", self.kind())))
    }
}

/// The kinds that this program was built with.
#[derive(Default)]
pub struct Registry {
    factories: BTreeMap<&'static str, Box<dyn Factory>>,
}

impl Registry {
    /// The kinds of this crate that its cargo features leave in.
    #[must_use]
    pub fn builtin() -> Self {
        let registry = Self::default();
        #[cfg(feature = "kinesis")]
        let registry = registry.with(crate::kinesis::KinesisFactory);
        #[cfg(feature = "dynamodb")]
        let registry = registry.with(crate::dynamodb::DynamoDb);
        #[cfg(feature = "opensearch")]
        let registry = registry
            .with(crate::opensearch::SearchFactory::opensearch())
            .with(crate::opensearch::SearchFactory::elasticsearch());
        registry
    }

    /// With one more kind, of this crate.
    fn with(mut self, factory: impl Factory + 'static) -> Self {
        self.factories.insert(factory.kind(), Box::new(factory));
        self
    }

    /// Adds a kind.
    ///
    /// # Errors
    /// `InvalidArgument` when the kind is known already.
    pub fn register(&mut self, factory: Box<dyn Factory>) -> Result<()> {
        let kind = factory.kind();
        if self.factories.contains_key(kind) {
            return Err(ConnectorError::InvalidArgument(format!("connector \"{kind}\" is registered twice")));
        }
        self.factories.insert(kind, factory);
        Ok(())
    }

    /// The kinds, in order.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.factories.keys().copied()
    }

    /// The options that a kind takes; `None` for an unknown kind.
    pub fn options(&self, kind: &str) -> Option<&'static [OptionSpec]> {
        self.factories.get(kind.to_ascii_lowercase().as_str()).map(|factory| factory.options())
    }

    /// Makes a connector of a kind.
    ///
    /// # Errors
    /// `NotFound` for an unknown kind, `InvalidArgument` for options that it does not take or that are missing.
    pub fn connect(&self, kind: &str, options: &Options) -> Result<Arc<dyn Connector>> {
        let (factory, options) = self.checked(kind, options)?;
        factory.connect(&options)
    }

    /// Makes a connector of a kind whose tables have declared columns.
    ///
    /// # Errors
    /// As of [`Registry::connect`], and `Unsupported` for a kind whose columns cannot be declared, or not so.
    pub fn declare(&self, kind: &str, options: &Options, declared: &Declaration) -> Result<Arc<dyn Connector>> {
        let (factory, options) = self.checked(kind, options)?;
        factory.declare(&options, declared)
    }

    /// The factory of a kind and the options as it takes them.
    fn checked(&self, kind: &str, options: &Options) -> Result<(&dyn Factory, Options)> {
        let factory = self
            .factories
            .get(kind.to_ascii_lowercase().as_str())
            .ok_or_else(|| ConnectorError::NotFound { kind: "connector", name: kind.to_owned() })?;
        let specs = factory.options();
        let invalid = |message: String| Err(ConnectorError::InvalidArgument(message));
        let mut known = Options::new();
        for (name, value) in options {
            let lower = name.to_ascii_lowercase();
            if !specs.iter().any(|spec| spec.name == lower) {
                return invalid(format!("connector \"{kind}\" has no option \"{name}\""));
            }
            if known.insert(lower, value.clone()).is_some() {
                return invalid(format!("the option \"{name}\" is given twice"));
            }
        }
        if let Some(missing) = specs.iter().find(|spec| spec.required && !known.contains_key(spec.name)) {
            return invalid(format!("connector \"{kind}\" needs the option \"{}\"", missing.name));
        }
        Ok((factory.as_ref(), known))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::connector::{BatchStream, Checkpoint, Measures, Pushdown, ScanRequest, Split};
    use crate::predicate::Predicate;
    use arrow::array::{ArrayRef, Int64Array};
    use arrow::datatypes::SchemaRef;
    use arrow::record_batch::RecordBatch;
    use async_trait::async_trait;
    use futures::{StreamExt, TryStreamExt};
    use std::sync::atomic::Ordering;

    /// The numbers below a bound, in two splits: what the trait's contract looks like.
    #[derive(Debug)]
    struct Numbers(i64);

    #[async_trait]
    impl Connector for Numbers {
        async fn tables(&self) -> Result<Vec<String>> {
            Ok(vec!["numbers".to_owned()])
        }

        async fn schema(&self, _table: &str) -> Result<SchemaRef> {
            Ok(batch(&[]).schema())
        }

        fn pushdown(&self, _table: &str, predicates: &[Predicate]) -> Vec<Pushdown> {
            vec![Pushdown::Unsupported; predicates.len()]
        }

        fn describe(&self, request: &ScanRequest) -> String {
            format!("numbers of {}", request.table)
        }

        async fn splits(&self, _request: &ScanRequest, parallelism: usize) -> Result<Vec<Split>> {
            let split = |id: usize| Split { id: id.to_string(), payload: vec![], after: vec![] };
            Ok((0..parallelism.min(2)).map(split).collect())
        }

        async fn scan(&self, _request: &ScanRequest, split: &Split, measures: &Arc<Measures>) -> Result<BatchStream> {
            measures.requests.fetch_add(1, Ordering::Relaxed);
            let rest = i64::from(split.id == "1");
            let numbers: Vec<i64> = (0..self.0).filter(|n| n % 2 == rest).collect();
            Ok(futures::stream::iter([Ok(batch(&numbers))]).boxed())
        }

        async fn checkpoint(&self, _request: &ScanRequest, _split: &Split) -> Result<Option<Checkpoint>> {
            Ok(None)
        }
    }

    fn batch(numbers: &[i64]) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from(numbers.to_vec()));
        RecordBatch::try_from_iter([("n", column)]).unwrap()
    }

    struct NumbersFactory;

    impl Factory for NumbersFactory {
        fn kind(&self) -> &'static str {
            "numbers"
        }

        fn options(&self) -> &'static [OptionSpec] {
            &[OptionSpec { name: "below", required: true, secret: false }]
        }

        fn connect(&self, options: &Options) -> Result<Arc<dyn Connector>> {
            let below = options.get("below").and_then(|below| below.parse().ok());
            let below = below.ok_or_else(|| ConnectorError::InvalidArgument("\"below\" takes a number".to_owned()))?;
            Ok(Arc::new(Numbers(below)))
        }
    }

    #[test]
    fn options_are_checked_before_connecting() {
        let mut registry = Registry::default();
        registry.register(Box::new(NumbersFactory)).unwrap();
        assert!(registry.register(Box::new(NumbersFactory)).is_err());
        let error = |kind: &str, options: &[(&str, &str)]| {
            let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            registry.connect(kind, &options).map(|_| ()).unwrap_err().to_string()
        };
        assert_eq!(error("kafka", &[]), "connector \"kafka\" does not exist");
        assert_eq!(error("numbers", &[]), "connector \"numbers\" needs the option \"below\"");
        assert_eq!(
            error("numbers", &[("below", "1"), ("Above", "0")]),
            "connector \"numbers\" has no option \"Above\""
        );
        assert_eq!(error("numbers", &[("Below", "x")]), "\"below\" takes a number");
        assert_eq!(error("numbers", &[("BELOW", "1"), ("below", "2")]), "the option \"below\" is given twice");
    }

    #[test]
    fn splits_together_are_the_table() {
        let mut registry = Registry::default();
        registry.register(Box::new(NumbersFactory)).unwrap();
        let options = Options::from([("Below".to_owned(), "10".to_owned())]);
        let connector = registry.connect("NUMBERS", &options).unwrap();
        let request = ScanRequest {
            table: "numbers".to_owned(),
            columns: vec!["n".to_owned()],
            predicates: vec![],
            limit: None,
            order: vec![],
            checkpoints: vec![],
        };
        let measures = Arc::new(Measures::default());
        let rows = futures::executor::block_on(async {
            let mut rows = 0;
            for split in connector.splits(&request, 8).await.unwrap() {
                let batches = connector.scan(&request, &split, &measures).await.unwrap();
                let batches: Vec<_> = batches.try_collect().await.unwrap();
                rows += batches.iter().map(RecordBatch::num_rows).sum::<usize>();
            }
            rows
        });
        assert_eq!((rows, measures.requests.load(Ordering::Relaxed)), (10, 2));
    }
}
