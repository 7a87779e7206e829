//! Custom classifiers: definitions without versions, named by the crawlers that ask them.

use super::catalog::Catalog;
use super::connection::{Lease, Write};
use super::crawlers::list_crawlers;
use super::databases::check_name;
use super::document::{decode, encode};
use super::migrate::now_ms;
use super::place::Place;
use super::sql::sql;
use crate::error::{CatalogError, Result};
use crate::model::Classifier;

/// `name, document` of a classifier.
type ClassifierRow = (String, String);

impl Catalog {
    /// Makes a classifier and gives it back with its time; `None` only with `if_not_exists`, when the name is taken.
    pub async fn create_classifier(&self, classifier: &Classifier, if_not_exists: bool) -> Result<Option<Classifier>> {
        check_name("classifier", &classifier.name)?;
        let mut write = self.write().await?;
        if find(&mut write, &classifier.name).await?.is_some() {
            write.abandon().await?;
            let taken = CatalogError::already_exists("classifier", &classifier.name);
            return if if_not_exists { Ok(None) } else { Err(taken) };
        }
        let mut made = classifier.clone();
        if made.create_time_ms == 0 {
            made.create_time_ms = now_ms();
        }
        let query = sql("INSERT INTO millrace_classifier (name, document) VALUES ($1, $2)");
        write.execute(query.bind(&made.name).bind(encode(&made)?)).await?;
        write.commit_uncounted().await?;
        Ok(Some(made))
    }

    /// Gives the classifier of that name another definition; crawls that run keep what they have read.
    pub async fn update_classifier(&self, classifier: &Classifier) -> Result<Classifier> {
        let mut write = self.write().await?;
        let existing = existing(&mut write, &classifier.name).await?;
        let stored = Classifier { create_time_ms: existing.create_time_ms, ..classifier.clone() };
        let query = sql("UPDATE millrace_classifier SET document = $1 WHERE name = $2");
        write.execute(query.bind(encode(&stored)?).bind(&stored.name)).await?;
        write.commit_uncounted().await?;
        Ok(stored)
    }

    /// Drops a classifier; what it was. One that a crawler names is [`CatalogError::InvalidArgument`].
    pub async fn drop_classifier(&self, name: &str) -> Result<Classifier> {
        let mut write = self.write().await?;
        let dropped = existing(&mut write, name).await?;
        let crawlers = list_crawlers(&mut write).await?;
        if let Some(user) = crawlers.iter().find(|crawler| crawler.classifiers.iter().any(|used| used == name)) {
            return Err(CatalogError::InvalidArgument(format!(
                "classifier \"{name}\" is used by crawler \"{}\"",
                user.name
            )));
        }
        write.execute(sql("DELETE FROM millrace_classifier WHERE name = $1").bind(name)).await?;
        write.commit_uncounted().await?;
        Ok(dropped)
    }

    /// The classifier of this name, read from the file.
    pub async fn classifier(&self, name: &str) -> Result<Option<Classifier>> {
        let mut lease = self.read().await?;
        let found = find(&mut lease, name).await?;
        lease.release();
        Ok(found)
    }

    /// All classifiers, by name.
    pub async fn classifiers(&self) -> Result<Vec<Classifier>> {
        let mut lease = self.read().await?;
        let query = sql("SELECT name, document FROM millrace_classifier ORDER BY name");
        let rows: Vec<ClassifierRow> = lease.all(query).await?;
        lease.release();
        rows.into_iter().map(|row| decode_classifier(self.place(), row)).collect()
    }
}

async fn find(lease: &mut Lease<'_>, name: &str) -> Result<Option<Classifier>> {
    let query = sql("SELECT name, document FROM millrace_classifier WHERE name = $1").bind(name);
    let row: Option<ClassifierRow> = lease.first(query).await?;
    row.map(|row| decode_classifier(lease.place(), row)).transpose()
}

/// The classifier of this name, or that there is none.
pub(super) async fn existing(write: &mut Write<'_>, name: &str) -> Result<Classifier> {
    find(write, name).await?.ok_or_else(|| CatalogError::not_found("classifier", name))
}

fn decode_classifier(place: &Place, (name, document): ClassifierRow) -> Result<Classifier> {
    let classifier: Classifier = decode(place, &format!("classifier \"{name}\""), &document)?;
    Ok(Classifier { name, ..classifier })
}
