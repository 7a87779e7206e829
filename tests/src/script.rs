//! One script in its own world: a fresh warehouse, its own folder, its own bucket.
//!
//! A script may use these places: `${lake}` the example lake, `${data}` the test data, `${tmp}` an empty folder of
//! its own, `${s3}` a bucket of its own (`s3://…`) with a copy of the example lake under `lake/`. The server of
//! `${s3}` runs only for scripts that name it. `connection <name>` gives another session of the same warehouse. A line
//! `# memory_limit_mb 16` opens the warehouse with so much memory.

use crate::database::{Database, Places};
use crate::s3::{S3Server, s3_settings};
use crate::warehouses::warehouse_config;
use anyhow::{Context, Result, ensure};
use millrace_engine::{Session, Warehouse};
use sqllogictest::{AsyncDB, DefaultColumnType, MakeConnection, Runner};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// In how many slices a script's statements run: the same on every machine, so that plans and files are.
/// `MILLRACE_SLT_SLICES` is another number, to see what depends on it.
const SLICES: usize = 2;

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// The example lake.
pub fn lake() -> PathBuf {
    repository().join("examples/lake")
}

/// Files of the tests.
pub fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data")
}

/// Where a script runs; dropping it removes everything.
pub struct World {
    /// The warehouse.
    pub warehouse: Arc<Warehouse>,
    /// The script's own folder.
    pub folder: TempDir,
    /// The server, for worlds with one, and the name of its bucket.
    pub s3: Option<(S3Server, String)>,
}

impl World {
    /// A fresh warehouse and folder, with an S3 server and a filled bucket when `with_s3`.
    pub async fn new(with_s3: bool) -> Result<Self> {
        Self::with_memory(with_s3, None).await
    }

    /// The same with a limit of memory.
    pub async fn with_memory(with_s3: bool, memory_limit_bytes: Option<usize>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let slices = std::env::var("MILLRACE_SLT_SLICES").ok().and_then(|slices| slices.parse().ok());
        let mut config = warehouse_config(folder.path().join("warehouse"));
        config.target_partitions = Some(slices.unwrap_or(SLICES));
        config.memory_limit_bytes = memory_limit_bytes;
        let mut s3 = None;
        if with_s3 {
            let server = S3Server::start().await?;
            let bucket = server.create_bucket()?;
            server.upload(&bucket, "lake", &lake())?;
            for (name, value) in s3_settings(&server) {
                config = config.with_setting(&name, &value).map_err(|error| anyhow::anyhow!("{error}"))?;
            }
            s3 = Some((server, bucket));
        }
        let warehouse = Warehouse::open(config).await.map_err(|error| anyhow::anyhow!("{error}"))?;
        std::fs::create_dir(folder.path().join("tmp"))?;
        Ok(Self { warehouse, folder, s3 })
    }

    /// A new session.
    pub fn session(&self) -> Session {
        Session::new(Arc::clone(&self.warehouse))
    }

    /// The folder that scripts call `${tmp}`.
    pub fn tmp(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    /// The bucket's URL, empty without a server.
    pub fn bucket_url(&self) -> String {
        self.s3.as_ref().map(|(_, bucket)| format!("s3://{bucket}")).unwrap_or_default()
    }

    /// A session with the places filled in.
    pub fn database(&self) -> Database {
        let mut places = vec![
            ("${lake}".to_owned(), lake().display().to_string()),
            ("${data}".to_owned(), data().display().to_string()),
            ("${tmp}".to_owned(), self.tmp().display().to_string()),
        ];
        if self.s3.is_some() {
            places.push(("${s3}".to_owned(), self.bucket_url()));
        }
        Database::new(self.session(), Places::from(places))
    }
}

/// Runs one script; with `complete` its expected results are rewritten instead of compared.
pub async fn run(path: &Path, complete: bool) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let memory = text.lines().find_map(|line| line.strip_prefix("# memory_limit_mb ")?.parse::<usize>().ok());
    let world = World::with_memory(text.contains("${s3}"), memory.map(|megabytes| megabytes << 20)).await?;
    let mut runner = Runner::new(|| async { Ok(world.database()) });
    runner.with_column_validator(same_types);
    if complete {
        let result = runner
            .update_test_file(path, " ", sqllogictest::default_validator, sqllogictest::default_normalizer, same_types)
            .await;
        result.map_err(|error| anyhow::anyhow!("{error}"))
    } else {
        compare(&mut runner, path).await
    }
}

/// Runs every record of a script, so that one report shows all that differs.
async fn compare<D, M>(runner: &mut Runner<D, M>, path: &Path) -> Result<()>
where
    D: AsyncDB<ColumnType = DefaultColumnType>,
    M: MakeConnection<Conn = D>,
{
    let mut failures = Vec::new();
    for record in sqllogictest::parse_file(path)? {
        if let Err(error) = runner.run_async(record).await {
            failures.push(error.to_string());
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// Column types agree when their number does and each is the same, or `?` in the script.
#[allow(clippy::ptr_arg)] // sqllogictest's signature
fn same_types(actual: &Vec<DefaultColumnType>, expected: &Vec<DefaultColumnType>) -> bool {
    let same = |(a, e): (&DefaultColumnType, &DefaultColumnType)| *e == DefaultColumnType::Any || a == e;
    actual.len() == expected.len() && actual.iter().zip(expected).all(same)
}
