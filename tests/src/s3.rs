//! An S3 server in the test's process: s3s over a temporary directory, signatures checked, faults in front.
//!
//! Nothing but Rust and the loopback interface is needed. Buckets are folders under [`S3Server::root`], so a test
//! can also look at, or damage, what was stored.

use crate::faults::{Effect, Faults, Operation};
use anyhow::{Context, Result};
use futures::StreamExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder as Connection;
use s3s::auth::SimpleAuth;
#[allow(clippy::wildcard_imports, reason = "each request has two types")]
use s3s::dto::*;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// The access key that the server knows.
pub const ACCESS_KEY_ID: &str = "MILLRACETESTKEY";
/// Its secret.
pub const SECRET_ACCESS_KEY: &str = "millrace-test-secret";

/// A running server; dropping it stops it and removes its data.
pub struct S3Server {
    root: TempDir,
    address: SocketAddr,
    faults: Arc<Faults>,
    task: JoinHandle<()>,
}

impl S3Server {
    /// Starts a server without buckets on a free port of the loopback interface.
    pub async fn start() -> Result<Self> {
        let root = tempfile::tempdir()?;
        let files = FileSystem::new(root.path()).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let faults = Arc::new(Faults::default());
        let store = Store { files, root: root.path().to_owned(), faults: Arc::clone(&faults) };
        let mut builder = S3ServiceBuilder::new(store);
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY_ID, SECRET_ACCESS_KEY));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(serve(listener, builder.build()));
        Ok(Self { root, address, faults, task })
    }

    /// The server's URL, for path-style requests.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The folder whose folders are the buckets.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// What goes wrong, and what was asked.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Makes an empty bucket of a name never used before in this process.
    pub fn create_bucket(&self) -> Result<String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("bucket-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        std::fs::create_dir(self.root().join(&name))?;
        Ok(name)
    }

    /// Copies a file or folder of this machine into a bucket under `key`.
    pub fn upload(&self, bucket: &str, key: &str, from: &Path) -> Result<()> {
        copy(from, &self.root().join(bucket).join(key))
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The settings that lead a warehouse to the server.
pub fn s3_settings(server: &S3Server) -> Vec<(String, String)> {
    [
        ("s3.endpoint", server.endpoint()),
        ("s3.region", "us-east-1".to_owned()),
        ("s3.access_key_id", ACCESS_KEY_ID.to_owned()),
        ("s3.secret_access_key", SECRET_ACCESS_KEY.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

async fn serve(listener: TcpListener, service: S3Service) {
    // The set owns the connections: they end with the server.
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let service = service.clone();
        connections.spawn(async move {
            // A client that goes away in the middle is its own affair.
            let _ = Connection::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        std::fs::create_dir_all(to)?;
        for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    } else {
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::copy(from, to).with_context(|| from.display().to_string())?;
    }
    Ok(())
}

/// The store behind the server: files, with faults in front.
struct Store {
    files: FileSystem,
    root: PathBuf,
    faults: Arc<Faults>,
}

impl Store {
    /// Lets a request pass, holds it up or refuses it; gives an effect on the body back.
    async fn admit(&self, operation: Operation, key: &str) -> S3Result<Option<Effect>> {
        match self.faults.meet(operation, key) {
            Some(Effect::Denied) => Err(s3_error!(AccessDenied, "Access Denied")),
            Some(Effect::SlowDown) => Err(s3_error!(SlowDown, "Please reduce your request rate.")),
            Some(Effect::Broken) => Err(s3_error!(InternalError, "We encountered an internal error.")),
            Some(Effect::Elsewhere(region)) => {
                let mut error = s3_error!(PermanentRedirect, "The bucket must be addressed using another endpoint.");
                let mut headers = object_store::HeaderMap::new();
                headers.insert("x-amz-bucket-region", object_store::HeaderValue::from_static(region));
                error.set_headers(headers);
                Err(error)
            }
            Some(Effect::Malformed(region)) => {
                let text = format!(
                    "The authorization header is malformed; the region 'us-east-1' is wrong; expecting '{region}'"
                );
                Err(S3Error::with_message(S3ErrorCode::AuthorizationHeaderMalformed, text))
            }
            Some(Effect::Delay(time)) => {
                tokio::time::sleep(time).await;
                Ok(None)
            }
            body => Ok(body),
        }
    }
}

impl Store {
    /// In S3 a folder is no object; the file system behind would fail on it.
    fn is_folder(&self, bucket: &str, key: &str) -> bool {
        self.root.join(bucket).join(key).is_dir()
    }
}

/// A body of which only `limit` bytes arrive, with `pause` before each chunk.
fn spoil(body: StreamingBlob, limit: usize, pause: Duration) -> StreamingBlob {
    StreamingBlob::wrap(futures::stream::unfold((body, limit), move |(mut body, left)| async move {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        if left == 0 {
            return Some((Err(std::io::Error::other("the connection broke")), (body, left)));
        }
        let chunk = match body.next().await? {
            Ok(mut chunk) => {
                chunk.truncate(left);
                chunk
            }
            Err(error) => return Some((Err(std::io::Error::other(error)), (body, 0))),
        };
        let left = left - chunk.len();
        Some((Ok(chunk), (body, left)))
    }))
}

/// Writes the trait's methods that only pass a request on; the three that do more stand inside.
macro_rules! impl_s3 {
    ($($method:ident, $operation:ident, $input:ident => $output:ident, |$request:ident| $key:expr;)*) => {
        #[async_trait::async_trait]
        impl S3 for Store {
            $(async fn $method(&self, req: S3Request<$input>) -> S3Result<S3Response<$output>> {
                let $request = &req.input;
                self.admit(Operation::$operation, $key).await?;
                self.files.$method(req).await
            })*

            async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
                self.admit(Operation::Head, &req.input.key).await?;
                if self.is_folder(&req.input.bucket, &req.input.key) {
                    return Err(s3_error!(NoSuchKey));
                }
                self.files.head_object(req).await
            }

            async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
                let effect = self.admit(Operation::Get, &req.input.key).await?;
                if self.is_folder(&req.input.bucket, &req.input.key) {
                    return Err(s3_error!(NoSuchKey));
                }
                let mut response = self.files.get_object(req).await?;
                self.faults.sent(response.output.content_length.unwrap_or(0).unsigned_abs());
                response.output.body = response.output.body.map(|body| match effect {
                    Some(Effect::Truncate(limit)) => spoil(body, limit, Duration::ZERO),
                    Some(Effect::Trickle(pause)) => spoil(body, usize::MAX, pause),
                    _ => body,
                });
                Ok(response)
            }

            async fn list_objects_v2(
                &self,
                mut req: S3Request<ListObjectsV2Input>,
            ) -> S3Result<S3Response<ListObjectsV2Output>> {
                self.admit(Operation::List, req.input.prefix.as_deref().unwrap_or_default()).await?;
                if let Some(keys) = self.faults.page_size() {
                    req.input.max_keys = Some(keys);
                }
                self.files.list_objects_v2(req).await
            }
        }
    };
}

impl_s3! {
    put_object, Put, PutObjectInput => PutObjectOutput, |request| &request.key;
    copy_object, Put, CopyObjectInput => CopyObjectOutput, |request| &request.key;
    create_multipart_upload, Put, CreateMultipartUploadInput => CreateMultipartUploadOutput, |request| &request.key;
    upload_part, Put, UploadPartInput => UploadPartOutput, |request| &request.key;
    complete_multipart_upload, Put, CompleteMultipartUploadInput => CompleteMultipartUploadOutput,
        |request| &request.key;
    abort_multipart_upload, Delete, AbortMultipartUploadInput => AbortMultipartUploadOutput, |request| &request.key;
    delete_object, Delete, DeleteObjectInput => DeleteObjectOutput, |request| &request.key;
    delete_objects, Delete, DeleteObjectsInput => DeleteObjectsOutput, |request| &request.bucket;
    head_bucket, Head, HeadBucketInput => HeadBucketOutput, |request| &request.bucket;
    get_bucket_location, Head, GetBucketLocationInput => GetBucketLocationOutput, |request| &request.bucket;
}
