//! A scan of a search index and a look-up of a document, beside sliced points in time and single requests over HTTP.

use super::{Bound, FILLING, Line, NAME, Options, Reading, beside, filled, look_up, note, prefixed};
use crate::report;
use crate::side::{Ours, cores};
use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::{Client, Method};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt::Write;
use std::sync::Arc;

/// Documents of one request that writes.
const WRITTEN: u64 = 5_000;

/// Documents of a page, as many as the connector takes.
const PAGE: u64 = 2_000;

/// Shards of the index.
const SHARDS: u32 = 4;

/// The server.
#[derive(Debug, Clone)]
struct Server {
    http: Client,
    endpoint: String,
    /// Whether it is OpenSearch, whose points in time have other addresses.
    is_opensearch: bool,
}

/// A page of a search.
#[derive(Debug, Deserialize)]
struct Page {
    hits: Hits,
    pit_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Hits {
    hits: Vec<Hit>,
}

#[derive(Debug, Deserialize)]
struct Hit {
    #[serde(rename = "_source")]
    source: Source,
    sort: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Source {
    n: u64,
    #[serde(default)]
    note: String,
}

/// Measures a scan and look-ups.
pub(super) async fn run(ours: &mut Ours, endpoint: &str, options: &Options) -> Result<Vec<Line>> {
    let server = Server::open(endpoint).await?;
    let bound = Bound::new(options.seconds);
    let documents = filled(server.fill(options.documents, &bound).await?, options.documents);
    ours.run(&format!("CREATE EXTERNAL SCHEMA search FROM OPENSEARCH '{endpoint}'")).await?;
    // The server's own aggregations would make no scan of it.
    let query = |_: usize, prefix| {
        let table = prefixed(&format!("search.{NAME}"), "n, note", prefix);
        format!("SELECT count(note), sum(n + 0), sum(octet_length(note)) FROM {table}")
    };
    let scanned = |reading| server.scan(reading);
    let scan = beside(ours, &bound, options.runs, "search scan", query, scanned).await?;
    let query = |number| format!("SELECT n FROM search.{NAME} WHERE id = 'd{number}'");
    let (work, keys) = ("search key look-up", (options.lookups, documents));
    let found = look_up(ours, &bound, work, keys, query, |number| server.find(number)).await?;
    Ok(vec![scan, found])
}

impl Server {
    async fn open(endpoint: &str) -> Result<Self> {
        let mut server =
            Self { http: Client::new(), endpoint: endpoint.trim_end_matches('/').to_owned(), is_opensearch: false };
        let version = server.ask(Method::GET, "/", None).await?;
        server.is_opensearch = version["version"]["distribution"] == "opensearch";
        Ok(server)
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: String) -> Result<reqwest::Response> {
        let request = self.http.request(method, format!("{}{path}", self.endpoint));
        let answer = request.header("content-type", kind).body(body).send().await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        anyhow::bail!("{path}: {status}: {}", answer.text().await?)
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let answer = self.send(method, path, "application/json", body).await?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }

    /// Makes the index anew unless it has as many documents already. Gives how many it has, which are fewer where time ran
    /// out.
    async fn fill(&self, documents: u64, bound: &Bound) -> Result<u64> {
        let count = self.ask(Method::GET, &format!("/{NAME}/_count"), None).await;
        if count.is_ok_and(|count| count["count"] == documents) {
            return Ok(documents);
        }
        report::print(&format!("filling the search index with {documents} documents"));
        // It need not be there.
        let _ = self.ask(Method::DELETE, &format!("/{NAME}"), None).await;
        let definition = json!({
            "settings": {"number_of_shards": SHARDS, "number_of_replicas": 0},
            "mappings": {"properties": {
                "id": {"type": "keyword"}, "n": {"type": "long"}, "note": {"type": "keyword"},
            }},
        });
        self.ask(Method::PUT, &format!("/{NAME}"), Some(definition)).await?;
        let firsts = (0..documents).step_by(WRITTEN as usize).take_while(|first| *first == 0 || bound.fills());
        let written = stream::iter(firsts.map(|first| self.write(first, documents.min(first + WRITTEN))));
        let written =
            written.buffer_unordered(FILLING / 4).try_fold(0_u64, |all, some| async move { Ok(all + some) }).await?;
        self.ask(Method::POST, &format!("/{NAME}/_refresh"), None).await?;
        Ok(written)
    }

    /// Writes some documents; gives how many.
    async fn write(&self, first: u64, end: u64) -> Result<u64> {
        let mut lines = String::new();
        for number in first..end {
            let document = json!({"id": format!("d{number}"), "n": number, "note": note(number)});
            writeln!(lines, "{{\"index\":{{}}}}\n{document}")?;
        }
        let answer = self.send(Method::POST, &format!("/{NAME}/_bulk"), "application/x-ndjson", lines).await?;
        let answer: Value = serde_json::from_slice(&answer.bytes().await?)?;
        ensure!(answer["errors"] == false, "documents were refused");
        Ok(end - first)
    }

    /// Slices at once, each page after the other; the documents' number, the sum of their numbers, their notes' bytes.
    async fn scan(&self, reading: Arc<Reading>) -> Result<String> {
        // OpenSearch numbers the documents of a shard only, so each slice is one.
        let slices = if self.is_opensearch { SHARDS as usize } else { cores().min(SHARDS as usize) };
        let parts = (0..slices).map(|slice| {
            let (server, reading) = (self.clone(), Arc::clone(&reading));
            tokio::spawn(async move { server.slice(slice, slices, &reading).await })
        });
        let (mut count, mut sum, mut bytes) = (0_u64, 0_u64, 0_u64);
        for part in parts.collect::<Vec<_>>() {
            let (documents, numbers, notes) = part.await??;
            (count, sum, bytes) = (count + documents, sum + numbers, bytes + notes);
        }
        Ok(format!("{count},{sum},{bytes}"))
    }

    async fn slice(&self, slice: usize, slices: usize, reading: &Reading) -> Result<(u64, u64, u64)> {
        let (open, member) = if self.is_opensearch { ("_search/point_in_time", "pit_id") } else { ("_pit", "id") };
        let opened = self.ask(Method::POST, &format!("/{NAME}/{open}?keep_alive=5m"), None).await?;
        let mut pit = opened[member].as_str().context("no point in time")?.to_owned();
        let tie = if self.is_opensearch { "_doc" } else { "_shard_doc" };
        let mut after: Option<Value> = None;
        let mut found = (0, 0, 0);
        loop {
            let mut body = json!({
                "size": PAGE, "track_total_hits": false, "_source": ["n", "note"], "sort": [tie],
                "pit": {"id": pit, "keep_alive": "5m"},
            });
            if slices > 1 {
                body["slice"] = json!({"id": slice, "max": slices});
            }
            if let Some(after) = after {
                body["search_after"] = after;
            }
            let answer = self.send(Method::POST, "/_search", "application/json", body.to_string()).await?;
            let mut page: Page = serde_json::from_slice(&answer.bytes().await?)?;
            for hit in &page.hits.hits {
                found = (found.0 + 1, found.1 + hit.source.n, found.2 + hit.source.note.len() as u64);
            }
            after = page.hits.hits.last_mut().and_then(|hit| hit.sort.take());
            pit = page.pit_id.unwrap_or(pit);
            if after.is_none() || !reading.goes_on(page.hits.hits.len()) {
                break;
            }
        }
        let (path, body) = if self.is_opensearch {
            ("/_search/point_in_time", json!({"pit_id": [pit]}))
        } else {
            ("/_pit", json!({"id": pit}))
        };
        self.ask(Method::DELETE, path, Some(body)).await?;
        Ok(found)
    }

    async fn find(&self, number: u64) -> Result<u64> {
        let body = json!({"size": 10, "_source": ["n"], "query": {"term": {"id": format!("d{number}")}}});
        let answer = self.send(Method::POST, &format!("/{NAME}/_search"), "application/json", body.to_string()).await?;
        let page: Page = serde_json::from_slice(&answer.bytes().await?)?;
        Ok(page.hits.hits.first().context("a document is not there")?.source.n)
    }
}
