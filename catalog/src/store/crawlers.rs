//! Crawlers' definitions. Snapshots do not show them, so changing them leaves the commit counter where it is.

use super::catalog::Catalog;
use super::classifiers;
use super::connection::{Lease, Write};
use super::crawls::running_state;
use super::databases::check_name;
use super::document::{decode, encode};
use super::migrate::now_ms;
use super::place::Place;
use super::sql::sql;
use crate::error::{CatalogError, Result};
use crate::model::{Crawler, CrawlerState};

/// `name, version, document` of a crawler.
type CrawlerRow = (String, i64, String);

impl Catalog {
    /// Makes a crawler and gives it back with version 1 and its times; `None` only with `if_not_exists`, when the
    /// name is taken. Its classifiers must exist; its database need not, a crawl makes it.
    pub async fn create_crawler(&self, crawler: &Crawler, if_not_exists: bool) -> Result<Option<Crawler>> {
        check(crawler)?;
        let mut write = self.write().await?;
        if find_crawler(&mut write, &crawler.name).await?.is_some() {
            write.abandon().await?;
            let taken = CatalogError::already_exists("crawler", &crawler.name);
            return if if_not_exists { Ok(None) } else { Err(taken) };
        }
        check_classifiers(&mut write, crawler).await?;
        let mut made = Crawler { version: 1, ..crawler.clone() };
        if made.create_time_ms == 0 {
            made.create_time_ms = now_ms();
        }
        if made.update_time_ms == 0 {
            made.update_time_ms = made.create_time_ms;
        }
        let query = sql("INSERT INTO millrace_crawler (name, version, document) VALUES ($1, 1, $2)");
        write.execute(query.bind(&made.name).bind(encode(&made)?)).await?;
        write.commit_uncounted().await?;
        Ok(Some(made))
    }

    /// Gives the crawler of that name another definition and gives it back with its new version. `crawler.version` is
    /// the version that the change was made from: [`CatalogError::Conflict`] when it is no longer the crawler's.
    /// While it runs: [`CatalogError::InvalidArgument`], Glue's `CrawlerRunningException`.
    pub async fn update_crawler(&self, crawler: &Crawler) -> Result<Crawler> {
        check(crawler)?;
        let mut write = self.write().await?;
        let existing = existing_crawler(&mut write, &crawler.name).await?;
        check_idle(&mut write, &crawler.name).await?;
        if existing.version != crawler.version {
            let message = format!("crawler \"{}\" was changed by another session", crawler.name);
            return Err(CatalogError::Conflict(message));
        }
        check_classifiers(&mut write, crawler).await?;
        let stored = Crawler {
            version: existing.version + 1,
            create_time_ms: existing.create_time_ms,
            update_time_ms: now_ms(),
            ..crawler.clone()
        };
        let query = sql("UPDATE millrace_crawler SET version = $1, document = $2 WHERE name = $3");
        write.execute(query.bind(stored.version).bind(encode(&stored)?).bind(&stored.name)).await?;
        write.commit_uncounted().await?;
        Ok(stored)
    }

    /// Drops a crawler with the records of its runs; what it was. The tables that it made stay. While it runs:
    /// [`CatalogError::InvalidArgument`], Glue's `CrawlerRunningException`.
    pub async fn drop_crawler(&self, name: &str) -> Result<Crawler> {
        let mut write = self.write().await?;
        let dropped = existing_crawler(&mut write, name).await?;
        check_idle(&mut write, name).await?;
        write.execute(sql("DELETE FROM millrace_crawler WHERE name = $1").bind(name)).await?;
        write.commit_uncounted().await?;
        Ok(dropped)
    }

    /// The crawler of this name, read from the file.
    pub async fn crawler(&self, name: &str) -> Result<Option<Crawler>> {
        let mut lease = self.read().await?;
        let found = find_crawler(&mut lease, name).await?;
        lease.release();
        Ok(found)
    }

    /// All crawlers, by name.
    pub async fn crawlers(&self) -> Result<Vec<Crawler>> {
        let mut lease = self.read().await?;
        let crawlers = list_crawlers(&mut lease).await?;
        lease.release();
        Ok(crawlers)
    }
}

fn check(crawler: &Crawler) -> Result<()> {
    check_name("crawler", &crawler.name)?;
    check_name("database", &crawler.database)?;
    if crawler.targets.is_empty() {
        return Err(CatalogError::InvalidArgument(format!("crawler \"{}\" has no targets", crawler.name)));
    }
    Ok(())
}

async fn check_classifiers(write: &mut Write<'_>, crawler: &Crawler) -> Result<()> {
    for name in &crawler.classifiers {
        classifiers::existing(write, name).await?;
    }
    Ok(())
}

async fn check_idle(write: &mut Write<'_>, name: &str) -> Result<()> {
    match running_state(write, name).await? {
        CrawlerState::Ready => Ok(()),
        CrawlerState::Running | CrawlerState::Stopping => {
            Err(CatalogError::InvalidArgument(format!("crawler \"{name}\" is running")))
        }
    }
}

async fn find_crawler(lease: &mut Lease<'_>, name: &str) -> Result<Option<Crawler>> {
    let query = sql("SELECT name, version, document FROM millrace_crawler WHERE name = $1").bind(name);
    let row: Option<CrawlerRow> = lease.first(query).await?;
    row.map(|row| decode_crawler(lease.place(), row)).transpose()
}

/// The crawler of this name, or that there is none.
pub(super) async fn existing_crawler(lease: &mut Lease<'_>, name: &str) -> Result<Crawler> {
    find_crawler(lease, name).await?.ok_or_else(|| CatalogError::not_found("crawler", name))
}

/// All crawlers, by name.
pub(super) async fn list_crawlers(lease: &mut Lease<'_>) -> Result<Vec<Crawler>> {
    let query = sql("SELECT name, version, document FROM millrace_crawler ORDER BY name");
    let rows: Vec<CrawlerRow> = lease.all(query).await?;
    rows.into_iter().map(|row| decode_crawler(lease.place(), row)).collect()
}

fn decode_crawler(place: &Place, (name, version, document): CrawlerRow) -> Result<Crawler> {
    let crawler: Crawler = decode(place, &format!("crawler \"{name}\""), &document)?;
    Ok(Crawler { name, version, ..crawler })
}
