//! What a server keeps open while a table is read: a point in time, or a scroll where it has none.
//!
//! Both are closed when the reading ends and when it is dropped; the server forgets them after [`KEEP_ALIVE`] at the
//! latest, which each page begins anew.

use super::client::{Client, Failure, Request, is_missing};
use crate::connector::Measures;
use crate::error::{ConnectorError, Result};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::runtime::Handle;

/// How long a server waits for the next page.
pub(super) const KEEP_ALIVE: &str = "5m";

/// Whose server it is, and of which version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flavour {
    pub(super) is_opensearch: bool,
    pub(super) version: (u64, u64),
}

impl Flavour {
    /// Reads the answer of `GET /`. OpenSearch 1 may pose as Elasticsearch 7.10, which has no point in time for us.
    pub(super) fn new(answer: &Value) -> Result<Flavour> {
        let bad =
            || ConnectorError::BadData("the server does not say that it is OpenSearch or Elasticsearch".to_owned());
        let version = answer.get("version").ok_or_else(bad)?;
        let number = version.get("number").and_then(Value::as_str).ok_or_else(bad)?;
        let mut parts = number.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
        let version_number = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        let is_opensearch = version.get("distribution").and_then(Value::as_str) == Some("opensearch");
        if !is_opensearch && version_number.0 < 7 {
            return Err(ConnectorError::Unsupported(format!("Elasticsearch {number}")));
        }
        Ok(Flavour { is_opensearch, version: version_number })
    }

    /// Whether it has points in time, and what orders documents in them.
    pub(super) fn has_points_in_time(self) -> bool {
        if self.is_opensearch { self.version >= (2, 4) } else { self.version >= (7, 12) }
    }
}

/// What is open at the server.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Handed {
    OpenSearchPoint(String),
    ElasticsearchPoint(String),
    Scroll(String),
}

/// Something open, closed when it goes.
pub(super) struct Cursor {
    client: Arc<Client>,
    handed: Option<Handed>,
}

impl Cursor {
    /// Opens a point in time, of all shards or of those that a preference names; `None` when the server does not know
    /// them after all. One that would lack a shard is not opened: Elasticsearch refuses it, OpenSearch has to be told.
    pub(super) async fn open(
        client: &Arc<Client>,
        flavour: Flavour,
        (table, preference): (&str, Option<&str>),
        measures: &Measures,
    ) -> Result<Option<Cursor>> {
        let opensearch = [table, "_search", "point_in_time"];
        let elasticsearch = [table, "_pit"];
        let path = if flavour.is_opensearch { opensearch.as_slice() } else { elasticsearch.as_slice() };
        let whole = flavour.is_opensearch.then_some(("allow_partial_pit_creation", "false"));
        let shards = preference.map(|shards| ("preference", shards));
        let query: Vec<(&str, &str)> = [("keep_alive", KEEP_ALIVE)].into_iter().chain(whole).chain(shards).collect();
        let answer = match client.send(&Request::new(Method::POST, path, &query), measures).await {
            Ok(bytes) => super::client::parse(&bytes)?,
            Err(Failure::Refused { status: 400 | 404 | 405, kind, .. }) if !is_missing(&kind) && is_unknown(&kind) => {
                return Ok(None);
            }
            Err(failure) => return Err(failure.on(table)),
        };
        let id = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        let handed = if flavour.is_opensearch {
            id("pit_id").map(Handed::OpenSearchPoint)
        } else {
            id("id").map(Handed::ElasticsearchPoint)
        };
        let handed = handed.ok_or_else(|| ConnectorError::BadData("the server opens no point in time".to_owned()))?;
        Ok(Some(Cursor { client: client.clone(), handed: Some(handed) }))
    }

    /// A scroll that a search began.
    pub(super) fn scroll(client: &Arc<Client>, id: &str) -> Cursor {
        Cursor { client: client.clone(), handed: Some(Handed::Scroll(id.to_owned())) }
    }

    /// The part of a search's body that names the point in time.
    pub(super) fn point(&self) -> Option<Value> {
        match &self.handed {
            Some(Handed::OpenSearchPoint(id) | Handed::ElasticsearchPoint(id)) => {
                Some(json!({"id": id, "keep_alive": KEEP_ALIVE}))
            }
            _ => None,
        }
    }

    /// The body that asks a scroll for its next page.
    pub(super) fn next_page(&self) -> Option<Value> {
        match &self.handed {
            Some(Handed::Scroll(id)) => Some(json!({"scroll": KEEP_ALIVE, "scroll_id": id})),
            _ => None,
        }
    }

    /// The server may hand out another name with each page.
    pub(super) fn renamed(&mut self, new: &str) {
        if let Some(Handed::OpenSearchPoint(id) | Handed::ElasticsearchPoint(id) | Handed::Scroll(id)) =
            &mut self.handed
            && id != new
        {
            new.clone_into(id);
        }
    }

    /// Closes it and waits for that. A failure is no reason to fail: the server forgets it by itself.
    pub(super) async fn close(mut self, measures: &Measures) {
        if let Some(handed) = self.handed.take() {
            close(&self.client, handed, measures).await;
        }
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        // One short request, bounded by the client's timeouts; nobody is left to wait for it.
        if let (Some(handed), Ok(runtime)) = (self.handed.take(), Handle::try_current()) {
            let client = self.client.clone();
            runtime.spawn(async move { close(&client, handed, &Measures::default()).await });
        }
    }
}

async fn close(client: &Client, handed: Handed, measures: &Measures) {
    let (path, body): (&[&str], _) = match handed {
        Handed::OpenSearchPoint(id) => (&["_search", "point_in_time"], json!({"pit_id": [id]})),
        Handed::ElasticsearchPoint(id) => (&["_pit"], json!({"id": id})),
        Handed::Scroll(id) => (&["_search", "scroll"], json!({"scroll_id": [id]})),
    };
    let request = Request { repeatable: false, ..Request::new(Method::DELETE, path, &[]).json(&body) };
    if let Err(failure) = client.send(&request, measures).await {
        tracing::debug!(?failure, "what was open at the search server was not closed");
    }
}

/// A server that does not know a request says so without a type of error, or by its status alone.
fn is_unknown(kind: &str) -> bool {
    kind.bytes().all(|byte| byte.is_ascii_digit()) || kind == "illegal_argument_exception"
}
