//! Exchanges and sorts put into a plan while each operator is asked for its statistics once.
//!
//! For each input of each operator DataFusion 55 asks whether it has rows enough to be dealt out
//! (`get_repartition_requirement_status`), and each time all that is below answers again; so it does whenever a filter is
//! made anew. Where joins stand upon joins, that is most of the work. While that rule works, each operator keeps here what
//! it answered. One that is made of it there has not answered yet, so the plan comes out as it would without this.

use super::forward::{Around, AroundExec, Plan};
use datafusion::common::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::Statistics;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use std::sync::{Arc, OnceLock};

type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// DataFusion's rule that puts them in, or another that asks as often.
#[derive(Debug)]
pub(super) struct KeptStatistics(pub(super) Rule);

impl PhysicalOptimizerRule for KeptStatistics {
    fn optimize(&self, plan: Plan, config: &ConfigOptions) -> Result<Plan> {
        // Who has no inputs has nobody to ask.
        let keeping = AroundExec::put(plan, |node| Ok((!node.children().is_empty()).then(Kept::default)))?;
        AroundExec::<Kept>::take_off(self.0.optimize(keeping, config)?)
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

/// What an operator answered of all its rows. Whoever looks for the operator finds it.
#[derive(Debug, Default)]
struct Kept(OnceLock<Arc<Statistics>>);

impl Around for Kept {
    const NAME: &'static str = "KeptStatisticsExec";

    fn again(&self, _inner: &Plan) -> Result<Option<Self>> {
        Ok(Some(Self::default()))
    }

    fn execute(&self, inner: &Plan, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        inner.execute(partition, context)
    }

    fn metrics(&self, inner: &Plan) -> Option<MetricsSet> {
        inner.metrics()
    }

    fn child_stats_requests(&self, inner: &Plan, partition: Option<usize>) -> Vec<ChildStats> {
        if partition.is_none() && self.0.get().is_some() {
            return vec![ChildStats::Skip; inner.children().len()];
        }
        inner.child_stats_requests(partition)
    }

    fn statistics_from_inputs(
        &self,
        inner: &Plan,
        inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        if args.partition().is_some() {
            return inner.statistics_from_inputs(inputs, args);
        }
        if let Some(kept) = self.0.get() {
            return Ok(Arc::clone(kept));
        }
        let answer = inner.statistics_from_inputs(inputs, args)?;
        Ok(Arc::clone(self.0.get_or_init(|| answer)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::physical::rules;
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
    use datafusion::datasource::MemTable;
    use datafusion::datasource::source::DataSourceExec;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::physical_expr::PhysicalExpr;
    use datafusion::physical_optimizer::ensure_requirements::EnsureRequirements;
    use datafusion::physical_plan::execution_plan::ReplaceChildrenOptions;
    use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, displayable};
    use datafusion::prelude::{SessionConfig, SessionContext, col};
    use std::fmt;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Stands in for a scan and counts how often scans are asked.
    #[derive(Debug)]
    struct CountedExec(Plan, Arc<AtomicUsize>);

    impl DisplayAs for CountedExec {
        fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt_as(format, f)
        }
    }

    impl ExecutionPlan for CountedExec {
        fn name(&self) -> &'static str {
            "CountedExec"
        }

        fn properties(&self) -> &Arc<PlanProperties> {
            self.0.properties()
        }

        fn children(&self) -> Vec<&Plan> {
            Vec::new()
        }

        fn apply_expressions(
            &self,
            f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
        ) -> Result<TreeNodeRecursion> {
            self.0.apply_expressions(f)
        }

        fn replace_children(self: Arc<Self>, _: Vec<Plan>, _: ReplaceChildrenOptions) -> Result<Plan> {
            Ok(self)
        }

        fn with_new_children(self: Arc<Self>, _: Vec<Plan>) -> Result<Plan> {
            Ok(self)
        }

        fn execute(&self, partition: usize, task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
            self.0.execute(partition, task)
        }

        fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.statistics_from_inputs(inputs, args)
        }
    }

    /// DataFusion's rule alone and within ours, which must make the same plans, and how often each asks the scans.
    #[derive(Debug, Default)]
    struct Both(Mutex<Vec<[usize; 2]>>);

    impl PhysicalOptimizerRule for Both {
        fn optimize(&self, plan: Plan, config: &ConfigOptions) -> Result<Plan> {
            let theirs: Rule = Arc::new(EnsureRequirements::new());
            let ours: Rule = Arc::new(KeptStatistics(Arc::clone(&theirs)));
            let asked = |rule: &Rule| -> Result<usize> {
                let count: Arc<AtomicUsize> = Arc::default();
                let counted = Arc::clone(&plan).transform_up(|node| {
                    Ok(if node.is::<DataSourceExec>() {
                        Transformed::yes(Arc::new(CountedExec(node, Arc::clone(&count))) as Plan)
                    } else {
                        Transformed::no(node)
                    })
                });
                rule.optimize(counted.data()?, config)?;
                Ok(count.load(Ordering::Relaxed))
            };
            let asked = [asked(&theirs)?, asked(&ours)?];
            self.0.lock().unwrap().push(asked);
            let made = ours.optimize(Arc::clone(&plan), config)?;
            assert_eq!(shown(&made), shown(&theirs.optimize(Arc::clone(&plan), config)?));
            Ok(made)
        }

        fn name(&self) -> &'static str {
            "both"
        }

        fn schema_check(&self) -> bool {
            true
        }
    }

    /// A plan as EXPLAIN shows it, and the names of its operators, which tell what stands around them.
    fn shown(plan: &Plan) -> String {
        let mut names = Vec::new();
        let note = |node: &Plan| {
            names.push(node.name().to_owned());
            Ok(TreeNodeRecursion::Continue)
        };
        plan.apply(note).unwrap();
        format!("{}{names:?}", displayable(plan.as_ref()).indent(true))
    }

    /// A session with a table `t` in no order and a table `s` by its first column, and what its plans go through.
    fn session(config: SessionConfig) -> (SessionContext, Arc<Both>) {
        let both = Arc::new(Both::default());
        let name = EnsureRequirements::new().name().to_owned();
        let place = |rule: Rule| if rule.name() == name { Arc::clone(&both) as Rule } else { rule };
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_default_features()
            .with_physical_optimizer_rules(rules().into_iter().map(place).collect())
            .build();
        let session = SessionContext::new_with_state(state);
        let numbers =
            |divisor: i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values((0..24).map(|n| n / divisor))) };
        let batch = RecordBatch::try_from_iter([("k", numbers(1)), ("g", numbers(3)), ("v", numbers(5))]).unwrap();
        let table = || MemTable::try_new(batch.schema(), vec![vec![batch.clone()], vec![batch.clone()]]).unwrap();
        session.register_table("t", Arc::new(table())).unwrap();
        let sorted = table().with_sort_order(vec![vec![col("k").sort(true, false)]]);
        session.register_table("s", Arc::new(sorted)).unwrap();
        (session, both)
    }

    async fn plan(session: &SessionContext, query: &str) {
        session.sql(query).await.unwrap().create_physical_plan().await.unwrap();
    }

    const QUERIES: [&str; 15] = [
        "SELECT a.k, b.v FROM t a JOIN t b ON a.k = b.k WHERE a.v > b.v",
        "SELECT a.g, count(*), sum(c.v) FROM t a JOIN t b ON a.k = b.k JOIN s c ON b.g = c.k GROUP BY a.g \
         ORDER BY 2 DESC LIMIT 3",
        "SELECT a.v, b.v, c.v FROM t a LEFT JOIN t b ON a.k = b.k AND a.g = b.g LEFT JOIN s c ON b.g = c.g AND b.k = c.k",
        "SELECT k, g, sum(v) FROM (SELECT a.k, b.g, a.v FROM t a JOIN s b ON a.g = b.g AND a.k = b.k) j GROUP BY g, k \
         HAVING sum(v) > 3",
        "SELECT k FROM t WHERE k IN (SELECT g FROM s) AND NOT EXISTS (SELECT 1 FROM t u WHERE u.k = t.g)",
        "SELECT a.k, rank() OVER (PARTITION BY a.g ORDER BY b.v), sum(b.v) OVER (ORDER BY a.k) \
         FROM t a JOIN s b ON a.k = b.k ORDER BY 1",
        "SELECT k, count(*) FROM (SELECT k FROM t UNION ALL SELECT k FROM s) u GROUP BY k ORDER BY k",
        "SELECT a.k FROM t a, t b WHERE a.v + b.v > 10 ORDER BY a.k LIMIT 2",
        "SELECT a.k, b.v FROM t a CROSS JOIN s b",
        "SELECT a.k, b.k FROM s a FULL JOIN s b ON a.k = b.k ORDER BY a.k",
        "SELECT k, (SELECT max(v) FROM s) FROM t WHERE v > 2 ORDER BY k",
        "SELECT DISTINCT a.g FROM s a JOIN t b ON a.k = b.k WHERE a.k = 2 AND b.v BETWEEN 1 AND 5",
        "SELECT a.k, a.g, count(b.v) FROM t a JOIN s b ON a.g = b.g GROUP BY ROLLUP (a.k, a.g)",
        "SELECT k, g, max(v) FROM s GROUP BY k, g ORDER BY k, g LIMIT 5",
        "WITH RECURSIVE n AS (SELECT CAST(1 AS BIGINT) AS i UNION ALL SELECT n.i + 1 FROM n WHERE n.i < 5) \
         SELECT n.i, s.v FROM n JOIN s ON s.k = n.i",
    ];

    #[tokio::test]
    async fn plans_are_the_same() {
        // Partitions, rows of a batch, joins by hash, rows and bytes of a table for all partitions, orders kept.
        let settings = [
            (4, 8_192, true, 1 << 20, false),
            (4, 2, true, 1 << 20, false),
            (4, 2, true, 0, false),
            (4, 2, true, 0, true),
            (4, 2, false, 0, false),
            (1, 2, false, 0, true),
        ];
        for (partitions, rows, by_hash, collected, keeps_order) in settings {
            let mut config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(rows);
            let options = &mut config.options_mut().optimizer;
            options.prefer_hash_join = by_hash;
            options.hash_join_single_partition_threshold = collected;
            options.hash_join_single_partition_threshold_rows = collected;
            options.prefer_existing_sort = keeps_order;
            let (session, both) = session(config);
            for query in QUERIES {
                plan(&session, query).await;
            }
            assert!(both.0.lock().unwrap().len() >= QUERIES.len());
        }
    }

    #[tokio::test]
    async fn scans_below_many_joins_are_not_asked_more_often() {
        let (session, both) = session(SessionConfig::new().with_target_partitions(4));
        for tables in [4, 8, 16] {
            let joins = (1..tables).map(|number| format!(" JOIN t t{number} ON t{number}.k = t{}.k", number - 1));
            let joins = joins.collect::<Vec<_>>().concat();
            plan(&session, &format!("SELECT t0.k, t{}.v FROM t t0{joins}", tables - 1)).await;
            let asked = both.0.lock().unwrap().pop();
            let Some([theirs, ours]) = asked else { unreachable!("the plan did not go through the rule") };
            // Each operator above asks each scan below; here an operator asks the one below it, and once again to answer.
            assert!(theirs >= tables * tables / 2 && ours <= 3 * tables, "{tables}: {theirs}, {ours}");
        }
    }
}
