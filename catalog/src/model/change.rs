//! What a crawl changes: the unit that [`Catalog::finish_crawl`](crate::Catalog::finish_crawl) applies.

use super::{Database, Partition, Table, TableStatistics};

/// One change of the catalog. Tables are as they were read: with their numbers and versions, but for `Create`.
///
/// Statistics that are `None` leave a table's as they are.
#[derive(Debug, Clone, PartialEq)]
pub enum TableChange {
    /// Makes a database, unless it exists.
    CreateDatabase(Database),
    /// Makes a table; the name must be free.
    Create {
        /// The new table.
        table: Table,
        /// Its partitions.
        partitions: Vec<CrawledPartition>,
        /// Of the whole table.
        statistics: Option<TableStatistics>,
    },
    /// Gives a table a new definition, the earlier one is kept. Key types stay while there are partitions.
    Update {
        /// The new definition, with the version that it was made from.
        table: Table,
        /// Of the whole table.
        statistics: Option<TableStatistics>,
    },
    /// Gives a table a new definition and other partitions; the earlier definition is kept, the partitions are not.
    Replace {
        /// The new definition, with the version that it was made from.
        table: Table,
        /// All the table's partitions from now on.
        partitions: Vec<CrawledPartition>,
        /// Of the whole table.
        statistics: Option<TableStatistics>,
    },
    /// Adds partitions; none of them may exist.
    AddPartitions {
        /// The table, with the key types that it has now.
        table: Table,
        /// The new partitions.
        partitions: Vec<CrawledPartition>,
    },
    /// Gives partitions of the same values new definitions; all of them must exist. What was known of their rows goes
    /// where nothing is given.
    ReplacePartitions {
        /// The table, with the key types that it has now.
        table: Table,
        /// The new definitions.
        partitions: Vec<CrawledPartition>,
    },
    /// Drops the partitions of these values, those that exist.
    DropPartitions {
        /// The table, with the key types that it has now.
        table: Table,
        /// The values of each.
        values: Vec<Vec<Option<String>>>,
    },
    /// Drops a table.
    Drop {
        /// The table, with the version that it was read in.
        table: Table,
    },
    /// Puts statistics in the place of earlier ones; definitions and versions stay.
    Statistics {
        /// The table.
        table: Table,
        /// Of the whole table (`None`) or of the partition of these values.
        entries: Vec<(Option<Vec<Option<String>>>, TableStatistics)>,
    },
}

/// A partition with what is known of its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct CrawledPartition {
    /// Values, location and storage.
    pub partition: Partition,
    /// Of its files.
    pub statistics: Option<TableStatistics>,
}
