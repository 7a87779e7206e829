//! Audit logs: what auditors read without asking the warehouse, as files in Redshift's layout.
//!
//! Three logs: connections, users, and every statement before it runs. A line is written when what it tells of happens,
//! and is with the operating system before that goes on. Files are named and laid out in folders as Redshift's in its
//! buckets; one that is full or old is compressed and another begun. Where the logs are required, what cannot be written
//! down does not happen: a login is refused, a statement is not run; else lost lines are counted. Logs of a bucket are
//! files of the local disk until they are compressed, and then put there ([`ship`]).

mod files;
mod lines;
mod ship;

use super::{ConnectionEvent, QueryRecord, UserRecord};
use crate::error::{Error, ErrorKind, Result};
use files::LogFile;
pub(crate) use ship::Bucket;
use ship::Shipper;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio_util::task::AbortOnDropHandle;

/// Where logs of a bucket are until they are there: a folder in the warehouse's directory.
const SPOOL: &str = "audit";
/// How often files are looked for that go to a bucket, at least.
const SHIP_EVERY: Duration = Duration::from_secs(10);
/// How long the end of a process waits for its last files to be put.
const PATIENCE: Duration = Duration::from_secs(10);

/// A log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditLog {
    /// Who came, was refused, and went.
    Connection,
    /// What became of users.
    User,
    /// Statements.
    UserActivity,
}

impl AuditLog {
    /// All of them.
    const ALL: [Self; 3] = [Self::Connection, Self::User, Self::UserActivity];

    /// Its name in those of files, as in Redshift.
    fn name(self) -> &'static str {
        match self {
            Self::Connection => "connectionlog",
            Self::User => "userlog",
            Self::UserActivity => "useractivitylog",
        }
    }
}

/// What is audited, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditConfig {
    /// `audit_directory`: where the files are; nothing is audited without one, or a bucket.
    pub directory: Option<PathBuf>,
    /// The same where it is a URL, `s3://bucket/path`.
    pub bucket: Option<String>,
    /// `audit_logs`: which logs there are.
    pub logs: Vec<AuditLog>,
    /// `audit_required`: whether what cannot be written down is refused.
    pub required: bool,
    /// `audit_rotate_minutes`: how old a file becomes; Redshift's are an hour's.
    pub rotate_after: Duration,
    /// `audit_rotate_mb`: how large one becomes, in megabytes.
    pub rotate_megabytes: u64,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            directory: None,
            bucket: None,
            logs: AuditLog::ALL.to_vec(),
            required: false,
            rotate_after: Duration::from_hours(1),
            rotate_megabytes: 64,
        }
    }
}

/// The names of the settings.
const SETTINGS: [&str; 5] =
    ["audit_directory", "audit_logs", "audit_required", "audit_rotate_mb", "audit_rotate_minutes"];

impl AuditConfig {
    /// Whether there is such a setting.
    pub fn has(name: &str) -> bool {
        SETTINGS.contains(&name)
    }

    /// Sets a setting by name; false when there is none.
    ///
    /// # Errors
    /// `InvalidParameter` for a value that it does not take.
    pub fn set(&mut self, name: &str, value: &str) -> Result<bool> {
        let invalid = |reason: &str| {
            let message = format!("invalid value for setting \"{name}\": \"{value}\"");
            Error::new(ErrorKind::InvalidParameter, message).with_detail(reason)
        };
        let number = || match value.parse::<u32>() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(invalid("it takes a number from 1")),
        };
        match name {
            "audit_directory" if value.contains("://") => {
                if !value.starts_with("s3://") {
                    return Err(invalid("it takes a folder, or s3://bucket/path"));
                }
                (self.directory, self.bucket) = (None, Some(value.to_owned()));
            }
            "audit_directory" => {
                let folder = Some(PathBuf::from(value)).filter(|path| path != Path::new(""));
                (self.directory, self.bucket) = (folder, None);
            }
            "audit_logs" => {
                let log = |name: &str| {
                    let name = name.trim().to_ascii_lowercase();
                    AuditLog::ALL.into_iter().find(|log| log.name() == name)
                };
                let logs: Option<Vec<AuditLog>> = value.split(',').map(log).collect();
                self.logs = logs.ok_or_else(|| invalid("it takes connectionlog, userlog, useractivitylog"))?;
            }
            "audit_required" => {
                self.required = match value.to_ascii_lowercase().as_str() {
                    "on" | "true" | "1" => true,
                    "off" | "false" | "0" => false,
                    _ => return Err(invalid("it takes on or off")),
                };
            }
            "audit_rotate_mb" => self.rotate_megabytes = number()?.into(),
            "audit_rotate_minutes" => self.rotate_after = Duration::from_mins(number()?.into()),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The audit logs of a warehouse.
#[derive(Debug)]
pub(crate) struct Audit {
    logs: Vec<(AuditLog, Mutex<LogFile>)>,
    required: bool,
    lost: AtomicU64,
    shipper: Option<Arc<Shipper>>,
    /// Puts files into the bucket from time to time.
    ships: Mutex<Option<AbortOnDropHandle<()>>>,
}

impl Audit {
    /// Opens the logs that are configured; `warehouse` names whose they are, `bucket` is the one of the configuration.
    ///
    /// # Errors
    /// `BadFile` where they are required and cannot be written.
    pub(crate) async fn open(config: &AuditConfig, warehouse: &Path, bucket: Option<Bucket>) -> Result<Arc<Self>> {
        let spool = warehouse.join(SPOOL);
        let directory = if bucket.is_some() { Some(&spool) } else { config.directory.as_ref() };
        let cluster =
            warehouse.file_name().map_or_else(|| "warehouse".to_owned(), |name| name.to_string_lossy().into());
        let mut logs = Vec::new();
        for log in AuditLog::ALL {
            if let Some(directory) = directory.filter(|_| config.logs.contains(&log)) {
                let limits = (config.rotate_after, config.rotate_megabytes << 20);
                logs.push((log, Mutex::new(LogFile::new(directory.clone(), &cluster, log.name(), limits))));
            }
        }
        let shipper = bucket.map(|bucket| Arc::new(Shipper::new(bucket, spool.clone())));
        if let Some(shipper) = &shipper {
            shipper.check(&format!("millrace-audit-{cluster}.txt")).await;
            shipper.take_up();
        }
        let (required, lost) = (config.required, AtomicU64::new(0));
        let audit = Arc::new(Self { logs, required, lost, shipper, ships: Mutex::default() });
        for (log, _) in &audit.logs {
            audit.write(*log, "")?;
        }
        if audit.shipper.is_some() {
            let every = config.rotate_after.min(SHIP_EVERY);
            let ships = tokio::spawn(ship_for_ever(Arc::downgrade(&audit), every));
            *audit.ships.lock().unwrap_or_else(PoisonError::into_inner) = Some(AbortOnDropHandle::new(ships));
        }
        Ok(audit)
    }

    /// Ends the files, and puts what goes to a bucket, if that does not take long; the next process puts the rest.
    pub(crate) async fn close(&self) {
        drop(self.ships.lock().unwrap_or_else(PoisonError::into_inner).take());
        for (_, file) in &self.logs {
            file.lock().unwrap_or_else(PoisonError::into_inner).end();
        }
        if let Some(shipper) = &self.shipper
            && tokio::time::timeout(PATIENCE, shipper.ship()).await.is_err()
        {
            tracing::warn!("audit logs are still to be put into their bucket");
        }
    }

    /// Files that are still to be put into the bucket, and why the last one could not be.
    pub(crate) fn unshipped(&self) -> (u64, Option<String>) {
        self.shipper.as_ref().map_or((0, None), |shipper| (shipper.waiting(), shipper.failure()))
    }

    /// Whether statements are logged.
    pub(crate) fn logs_statements(&self) -> bool {
        self.logs.iter().any(|(log, _)| *log == AuditLog::UserActivity)
    }

    /// Writes down that a client came, was refused or went.
    ///
    /// # Errors
    /// `BadFile` where the log is required and cannot be written.
    pub(crate) fn connection(&self, event: &ConnectionEvent) -> Result<()> {
        if self.logs.is_empty() { Ok(()) } else { self.write(AuditLog::Connection, &lines::of_connection(event)) }
    }

    /// Asks, before a user is changed, whether that can be written down where it must be.
    ///
    /// # Errors
    /// As [`Audit::connection`].
    pub(crate) fn check_users(&self) -> Result<()> {
        if self.required { self.write(AuditLog::User, "") } else { Ok(()) }
    }

    /// Writes down what becomes of a user.
    ///
    /// # Errors
    /// As [`Audit::connection`].
    pub(crate) fn user(&self, record: &UserRecord) -> Result<()> {
        if self.logs.is_empty() { Ok(()) } else { self.write(AuditLog::User, &lines::of_user(record)) }
    }

    /// Writes down a statement that is about to run, by the user of this number.
    ///
    /// # Errors
    /// As [`Audit::connection`].
    pub(crate) fn statement(&self, record: &QueryRecord, user: i32) -> Result<()> {
        self.write(AuditLog::UserActivity, &lines::of_statement(record, user))
    }

    /// Lines that were lost since the warehouse was opened.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn write(&self, log: AuditLog, line: &str) -> Result<()> {
        let Some((_, file)) = self.logs.iter().find(|(known, _)| *known == log) else { return Ok(()) };
        let written = file.lock().unwrap_or_else(PoisonError::into_inner).append(line);
        let Err(error) = written else { return self.check_bucket(log) };
        if self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(%error, log = log.name(), "could not write an audit log");
        }
        if !self.required {
            return Ok(());
        }
        Err(unwritten(log, error.to_string()))
    }

    /// Refuses what must be audited while the bucket takes no files.
    fn check_bucket(&self, log: AuditLog) -> Result<()> {
        let failure = self.shipper.as_ref().filter(|_| self.required).and_then(|shipper| shipper.failure());
        failure.map_or(Ok(()), |failure| Err(unwritten(log, failure)))
    }
}

fn unwritten(log: AuditLog, why: String) -> Error {
    let message = format!("could not write the {}, which is required", log.name());
    Error::new(ErrorKind::BadFile, message).with_detail(why)
}

/// Puts files into the bucket until the logs are closed.
async fn ship_for_ever(audit: Weak<Audit>, every: Duration) {
    loop {
        {
            let Some(audit) = audit.upgrade() else { return };
            for (_, file) in &audit.logs {
                file.lock().unwrap_or_else(PoisonError::into_inner).end_if_old();
            }
            if let Some(shipper) = &audit.shipper {
                shipper.ship().await;
            }
        }
        tokio::time::sleep(every).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn config(directory: &Path) -> AuditConfig {
        AuditConfig { directory: Some(directory.to_owned()), ..AuditConfig::default() }
    }

    #[test]
    fn settings_are_checked() {
        let mut config = AuditConfig::default();
        assert!(config.set("audit_logs", "userlog, ConnectionLog").unwrap());
        assert_eq!(config.logs, [AuditLog::User, AuditLog::Connection]);
        assert!(!config.set("auto_vacuum", "on").unwrap());
        config.set("audit_directory", "s3://logs/here").unwrap();
        assert_eq!((config.directory.as_deref(), config.bucket.as_deref()), (None, Some("s3://logs/here")));
        config.set("audit_directory", "/var/log").unwrap();
        assert_eq!((config.directory.as_deref(), config.bucket.as_deref()), (Some(Path::new("/var/log")), None));
        for (name, value) in [
            ("audit_directory", "ftp://logs"),
            ("audit_logs", "all"),
            ("audit_required", "maybe"),
            ("audit_rotate_mb", "0"),
        ] {
            assert_eq!(config.set(name, value).unwrap_err().sqlstate(), "22023", "{name}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_refused_where_it_is_required() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("file");
        std::fs::write(&blocked, "no folder").unwrap();
        let lenient = Audit::open(&config(&blocked), Path::new("w"), None).await.unwrap();
        assert!(lenient.connection(&ConnectionEvent::default()).is_ok());
        assert_eq!(lenient.lost(), 4);
        let strict = AuditConfig { required: true, ..config(&blocked) };
        assert_eq!(Audit::open(&strict, Path::new("w"), None).await.unwrap_err().sqlstate(), "58030");
    }

    #[tokio::test]
    async fn users_are_not_to_be_changed_where_that_cannot_be_written_down() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        // Each line begins a file.
        let lenient = AuditConfig { rotate_after: Duration::ZERO, ..config(&logs) };
        let strict = AuditConfig { required: true, ..lenient.clone() };
        let lenient = Audit::open(&lenient, Path::new("lenient"), None).await.unwrap();
        let strict = Audit::open(&strict, Path::new("strict"), None).await.unwrap();
        assert!(strict.check_users().is_ok());
        std::fs::rename(&logs, folder.path().join("moved")).unwrap();
        std::fs::write(&logs, "no folder").unwrap();
        assert_eq!(strict.check_users().unwrap_err().sqlstate(), "58030");
        assert!(lenient.check_users().is_ok());
        assert_eq!(lenient.lost(), 0, "nothing was to be written");
    }

    #[tokio::test]
    async fn only_the_logs_that_are_wanted_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = AuditConfig { logs: vec![AuditLog::User], ..config(folder.path()) };
        let audit = Audit::open(&wanted, Path::new("w"), None).await.unwrap();
        assert!(!audit.logs_statements());
        audit.connection(&ConnectionEvent::default()).unwrap();
        audit.user(&UserRecord { name: "ann".to_owned(), ..UserRecord::default() }).unwrap();
        let files = files::all(folder.path());
        assert_eq!(files.len(), 1);
        assert!(std::fs::read_to_string(&files[0]).unwrap().contains("|ann|"));
    }
}
