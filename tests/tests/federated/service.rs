//! A foreign system's service in this process: it answers each request by a function and keeps what it was asked.

use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What was asked (an operation of AWS's, else a method and a path) and the request's body.
pub(crate) type Asked = (String, Value);

/// A running service; dropping it ends it.
pub(crate) struct Service {
    /// Its address.
    pub(crate) endpoint: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    _serving: JoinSet<()>,
}

impl Service {
    /// Begins to answer.
    pub(crate) async fn start(answer: impl Fn(&str, &Value) -> Value + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (asked, answer) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::new(answer));
        let mut serving = JoinSet::new();
        let recorded = Arc::clone(&asked);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, Arc::clone(&recorded), Arc::clone(&answer)));
            }
        });
        Self { endpoint, asked, _serving: serving }
    }

    /// What was asked since this was called last.
    pub(crate) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

async fn serve<F>(stream: TcpStream, recorded: Arc<Mutex<Vec<Asked>>>, answer: Arc<F>)
where
    F: Fn(&str, &Value) -> Value,
{
    let service = service_fn(|request: Request<Incoming>| {
        let (recorded, answer) = (Arc::clone(&recorded), Arc::clone(&answer));
        async move {
            let what = match request.headers().get("x-amz-target") {
                Some(target) => target.to_str().unwrap().rsplit('.').next().unwrap().to_owned(),
                None => format!("{} {}", request.method(), request.uri()),
            };
            let kind = request.headers().get(CONTENT_TYPE).cloned();
            let kind = kind.unwrap_or_else(|| HeaderValue::from_static("application/json"));
            let body: Value = serde_json::from_slice(&read(request.into_body()).await).unwrap_or_default();
            let answer = answer(&what, &body).to_string();
            recorded.lock().unwrap().push((what, body));
            Response::builder().header(CONTENT_TYPE, kind).body(answer)
        }
    });
    // A connection that the client drops is no failure of the test.
    drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn read(mut body: Incoming) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(data) = frame.unwrap().into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    bytes
}
