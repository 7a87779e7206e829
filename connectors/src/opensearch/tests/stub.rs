//! A server of canned answers.

use hyper::body::{Body, Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What was asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Such as `POST /_search`, with the query.
    pub(super) what: String,
    pub(super) body: Value,
    pub(super) authorization: String,
}

/// A status and a body.
pub(super) type Answer = (u16, String);

/// The status of an answer that never comes.
pub(super) const SILENT: u16 = 0;

/// A server on loopback; it goes with this value.
pub(super) struct Stub {
    pub(super) endpoint: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    given_up: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// An answer that never comes; counted when nobody waits for it any more.
struct Silence(Arc<AtomicUsize>);

impl Drop for Silence {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Stub {
    /// Answers each request by a function; `None` breaks the connection.
    pub(super) async fn start(answer: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(vec![]));
        let given_up = Arc::<AtomicUsize>::default();
        let (seen, answer, silent) = (asked.clone(), Arc::new(answer), given_up.clone());
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (seen, answer, silent) = (seen.clone(), answer.clone(), silent.clone());
                let service = service_fn(move |request| serve(request, seen.clone(), answer.clone(), silent.clone()));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service),
                );
            }
        });
        Stub { endpoint, asked, given_up, task }
    }

    /// How many requests that were never answered were given up.
    pub(super) fn given_up(&self) -> usize {
        self.given_up.load(Ordering::Relaxed)
    }

    /// All that was asked.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The bodies of what was asked with this beginning.
    pub(super) fn bodies(&self, what: &str) -> Vec<Value> {
        self.asked().into_iter().filter(|asked| asked.what.starts_with(what)).map(|asked| asked.body).collect()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the stub breaks the connection")]
struct Broken;

async fn serve<F: Fn(&Asked) -> Option<Answer>>(
    request: Request<Incoming>,
    seen: Arc<Mutex<Vec<Asked>>>,
    answer: Arc<F>,
    silent: Arc<AtomicUsize>,
) -> Result<Response<String>, Broken> {
    let what = format!("{} {}", request.method(), request.uri());
    let authorization = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let mut body = vec![];
    let mut incoming = request.into_body();
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut incoming).poll_frame(context)).await {
        let data: Result<Bytes, _> = frame.map_err(|_| Broken)?.into_data();
        body.extend_from_slice(&data.unwrap_or_default());
    }
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let asked = Asked { what, body, authorization: authorization.unwrap_or_default() };
    seen.lock().unwrap().push(asked.clone());
    let (status, body) = answer(&asked).ok_or(Broken)?;
    if status == SILENT {
        let _silence = Silence(silent);
        std::future::pending::<()>().await;
    }
    Ok::<_, Infallible>(Response::builder().status(status).body(body).unwrap()).map_err(|_| Broken)
}

pub(super) fn ok(body: &Value) -> Option<Answer> {
    Some((200, body.to_string()))
}

/// An error as the servers word it.
pub(super) fn error(status: u16, kind: &str) -> Option<Answer> {
    let cause = json!({"type": kind, "reason": format!("because of {kind}")});
    Some((
        status,
        json!({"error": {"root_cause": [cause], "type": kind, "reason": "all"}, "status": status}).to_string(),
    ))
}

/// What a server says of itself.
pub(super) fn version(distribution: Option<&str>, number: &str) -> Option<Answer> {
    let mut version = json!({"number": number});
    if let Some(distribution) = distribution {
        version["distribution"] = json!(distribution);
    }
    ok(&json!({"name": "stub", "version": version}))
}

/// A mapping of one index.
pub(super) fn mapping(index: &str, properties: Value) -> Option<Answer> {
    ok(&json!({index: {"mappings": {"properties": properties}}}))
}

/// An answer with these hits.
pub(super) fn hits(hits: &[Value]) -> Option<Answer> {
    ok(&json!({
        "took": 1, "timed_out": false, "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
        "pit_id": "pit-2", "hits": {"max_score": null, "hits": hits},
    }))
}

/// A document of the index `t`.
pub(super) fn document(id: &str, source: Value, sort: Value) -> Value {
    json!({"_index": "t", "_id": id, "_score": null, "_source": source, "sort": sort})
}

/// An OpenSearch 2.19 with one index `t` of these columns, whose search answers one page of documents.
pub(super) async fn one_page(properties: Value, sources: Vec<Value>) -> Stub {
    let documents: Vec<Value> =
        sources.into_iter().enumerate().map(|(at, source)| document(&at.to_string(), source, json!([at]))).collect();
    Stub::start(move |asked| match asked.what.as_str() {
        "GET /" => version(Some("opensearch"), "2.19.1"),
        "GET /t/_mapping" => mapping("t", properties.clone()),
        "GET /t/_search_shards" => ok(&json!({"shards": [[{"index": "t", "shard": 0}]]})),
        "POST /t/_count" => ok(&json!({"count": 70_000, "_shards": {"total": 1, "successful": 1, "failed": 0}})),
        "DELETE /_search/point_in_time" => ok(&json!({"pits": []})),
        "POST /_search" | "POST /t/_search" => hits(&documents),
        what if what.starts_with("POST /t/_search/point_in_time?keep_alive=5m&") => ok(&json!({"pit_id": "pit-1"})),
        _ => error(400, "unknown"),
    })
    .await
}
