//! A server that records DynamoDB's requests and answers as a test says.

use chrono::{TimeDelta, Utc};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What a request is answered.
pub(super) enum Answer {
    /// This.
    Json(Value),
    /// An error of the service: HTTP's status, its code.
    Error(u16, &'static str),
    /// The connection is cut.
    Reset,
    /// The connection is cut in the middle of an answer.
    Cut,
    /// Nothing for so long, then this.
    Late(Duration, Value),
    /// An error with this code by a service whose clock is so far ahead.
    Ahead(TimeDelta, &'static str),
}

/// A request: the operation, its body, the time that it was signed for (`X-Amz-Date`).
type Recorded = (String, Value, String);

/// The bytes of an answer, and whether the connection is cut after them.
struct Sent {
    bytes: Option<Bytes>,
    is_cut: bool,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(match self.bytes.take() {
            Some(bytes) => Some(Ok(Frame::data(bytes))),
            None if self.is_cut => Some(Err(io::Error::from(io::ErrorKind::ConnectionReset))),
            None => None,
        })
    }
}

/// A running server; dropping it ends it.
pub(super) struct Stub {
    /// Its address.
    pub(super) endpoint: String,
    requests: Arc<Mutex<Vec<Recorded>>>,
    _serving: JoinSet<()>,
}

impl Stub {
    /// Begins to answer. The function gets the operation, its body, and how many requests for data of this operation
    /// came before.
    pub(super) async fn start(answer: impl Fn(&str, &Value, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(answer);
        let recorded = Arc::clone(&requests);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, Arc::clone(&recorded), Arc::clone(&answer)));
            }
        });
        Self { endpoint, requests, _serving: serving }
    }

    /// The requests of an operation so far.
    pub(super) fn requests(&self, operation: &str) -> Vec<Value> {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|(name, ..)| name == operation).map(|(_, body, _)| body.clone()).collect()
    }

    /// The times that the requests of an operation were signed for.
    pub(super) fn signed(&self, operation: &str) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|(name, ..)| name == operation).map(|(.., signed)| signed.clone()).collect()
    }

    /// Forgets what came so far.
    pub(super) fn forget(&self) {
        self.requests.lock().unwrap().clear();
    }
}

async fn serve<F>(stream: TcpStream, recorded: Arc<Mutex<Vec<Recorded>>>, answer: Arc<F>)
where
    F: Fn(&str, &Value, usize) -> Answer,
{
    let service = service_fn(|request: Request<Incoming>| {
        let (recorded, answer) = (Arc::clone(&recorded), Arc::clone(&answer));
        async move {
            let target = request.headers()["x-amz-target"].to_str().unwrap().to_owned();
            let operation = target.rsplit('.').next().unwrap().to_owned();
            let signed = request.headers()["x-amz-date"].to_str().unwrap().to_owned();
            let body: Value = serde_json::from_slice(&read(request.into_body()).await).unwrap();
            let before = {
                let mut recorded = recorded.lock().unwrap();
                let before = recorded.iter().filter(|(name, ..)| *name == operation).count();
                recorded.push((operation.clone(), body.clone(), signed));
                before
            };
            let refusal = |code: &str| {
                let code = format!("com.amazonaws.dynamodb.v20120810#{code}");
                json!({ "__type": code, "message": "the stub says so" })
            };
            let mut response = Response::builder().header("content-type", "application/x-amz-json-1.0");
            let mut is_cut = false;
            let (status, body) = match answer(&operation, &body, before) {
                Answer::Json(body) => (200, body.to_string()),
                Answer::Error(status, code) => (status, refusal(code).to_string()),
                Answer::Reset => return Err(io::Error::from(io::ErrorKind::ConnectionReset)),
                Answer::Cut => {
                    is_cut = true;
                    (200, "{\"Items\": [".to_owned())
                }
                Answer::Late(pause, body) => {
                    tokio::time::sleep(pause).await;
                    (200, body.to_string())
                }
                Answer::Ahead(ahead, code) => {
                    let date = (Utc::now() + ahead).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
                    response = response.header("date", date);
                    (400, refusal(code).to_string())
                }
            };
            Ok(response.status(status).body(Sent { bytes: Some(Bytes::from(body)), is_cut }).unwrap())
        }
    });
    // A connection that the client drops, or that is cut, is no failure of the test.
    drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn read(mut body: Incoming) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(data) = frame.unwrap().into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    bytes
}
