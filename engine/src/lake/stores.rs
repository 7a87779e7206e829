//! Object stores by URL: the local file system and S3 and its likes, opened once each.
//!
//! Owns credentials and endpoints. S3's settings come from the warehouse's `s3.*` settings, then the environment
//! (`AWS_*`), then the profile files (`~/.aws/config`, `~/.aws/credentials`, read as AWS's own tools do), then
//! object_store's chain (web identity, container and instance metadata). Secrets never appear in errors or `Debug`.

use super::location::Location;
use super::region;
use crate::error::{Error, ErrorKind, Result};
use crate::sql::Access;
use aws_config::profile;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::object_store::{ObjectStoreRegistry, ObjectStoreUrl};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use url::Url;

/// The `s3.*` settings that a warehouse takes, with the environment's name of each.
const S3_SETTINGS: [(&str, AmazonS3ConfigKey); 6] = [
    ("s3.access_key_id", AmazonS3ConfigKey::AccessKeyId),
    ("s3.secret_access_key", AmazonS3ConfigKey::SecretAccessKey),
    ("s3.session_token", AmazonS3ConfigKey::Token),
    ("s3.region", AmazonS3ConfigKey::Region),
    ("s3.endpoint", AmazonS3ConfigKey::Endpoint),
    ("s3.anonymous", AmazonS3ConfigKey::SkipSignature),
];

/// Opens object stores on first use and keeps them.
pub struct Stores {
    settings: BTreeMap<String, String>,
    open: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}

impl Stores {
    /// The stores of a warehouse with its `s3.*` settings.
    ///
    /// # Errors
    /// `UndefinedObject` for a setting that is not one of `s3.access_key_id`, `s3.secret_access_key`,
    /// `s3.session_token`, `s3.region`, `s3.endpoint`, `s3.anonymous`, `s3.path_style`, `s3.profile`.
    pub fn new(settings: BTreeMap<String, String>) -> Result<Self> {
        for name in settings.keys() {
            let known = S3_SETTINGS.iter().any(|(known, _)| known == name);
            if !known && name != "s3.path_style" && name != "s3.profile" {
                return Err(Error::new(ErrorKind::UndefinedObject, format!("setting \"{name}\" does not exist")));
            }
        }
        let local: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new());
        Ok(Self { settings, open: Mutex::new(HashMap::from([("file://".to_owned(), local)])) })
    }

    /// The store of a location, opened now if it is not yet.
    pub async fn open(&self, location: &Location) -> Result<Arc<dyn ObjectStore>> {
        let url: &Url = location.store().as_ref();
        if let Some(store) = self.opened(url) {
            return Ok(store);
        }
        let bucket = url.host_str().unwrap_or_default();
        let store: Arc<dyn ObjectStore> = Arc::new(self.s3(bucket, &Access::default()).await?);
        Ok(Arc::clone(self.lock().entry(key(url)).or_insert(store)))
    }

    /// Puts another store in the place of a location's, for all who open it later.
    pub(crate) fn replace(&self, location: &Location, store: Arc<dyn ObjectStore>) {
        self.lock().insert(key(location.store().as_ref()), store);
    }

    /// Opens a bucket with a statement's keys and region, under a URL that nobody else knows.
    pub(crate) async fn open_own(
        &self,
        bucket: &str,
        url: &ObjectStoreUrl,
        access: &Access,
    ) -> Result<Arc<dyn ObjectStore>> {
        let store: Arc<dyn ObjectStore> = Arc::new(self.s3(bucket, access).await?);
        self.lock().insert(key(url.as_ref()), Arc::clone(&store));
        Ok(store)
    }

    /// Closes what [`Stores::open_own`] opened.
    pub(crate) fn forget(&self, url: &ObjectStoreUrl) {
        self.lock().remove(&key(url.as_ref()));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<dyn ObjectStore>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened(&self, url: &Url) -> Option<Arc<dyn ObjectStore>> {
        self.lock().get(&key(url)).cloned()
    }

    async fn s3(&self, bucket: &str, access: &Access) -> Result<object_store::aws::AmazonS3> {
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
        if access.keys.is_some() {
            // Neither a token nor a web identity of the environment belongs to the statement's keys.
            let known = builder;
            builder = AmazonS3Builder::new().with_bucket_name(bucket);
            for setting in [AmazonS3ConfigKey::Endpoint, AmazonS3ConfigKey::Region] {
                if let Some(value) = known.get_config_value(&setting) {
                    builder = builder.with_config(setting, value);
                }
            }
        }
        if let Ok(endpoint) = std::env::var("AWS_ENDPOINT_URL_S3").or_else(|_| std::env::var("AWS_ENDPOINT_URL")) {
            builder = builder.with_endpoint(endpoint);
        }
        for (name, config) in S3_SETTINGS {
            let of_keys = !matches!(config, AmazonS3ConfigKey::Region | AmazonS3ConfigKey::Endpoint);
            if access.keys.is_some() && of_keys {
                continue;
            }
            if let Some(value) = self.settings.get(name) {
                builder = builder.with_config(config, value);
            }
        }
        if let Some(keys) = &access.keys {
            builder = builder.with_access_key_id(&keys.key_id).with_secret_access_key(&keys.secret);
            if let Some(token) = &keys.token {
                builder = builder.with_token(token);
            }
        }
        if let Some(region) = &access.region {
            builder = builder.with_region(region);
        }
        let virtual_hosted = std::env::var("AWS_VIRTUAL_HOSTED_STYLE_REQUEST").is_ok_and(|v| v == "true");
        let path_style = self.settings.get("s3.path_style").map_or(!virtual_hosted, |v| v != "false");
        builder = builder.with_virtual_hosted_style_request(!path_style);

        let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint).unwrap_or_default();
        let mut client = ClientOptions::new().with_connect_timeout(Duration::from_secs(5));
        client = client.with_timeout(Duration::from_mins(2)).with_allow_http(endpoint.starts_with("http://"));
        builder = builder.with_client_options(client).with_retry(RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(5),
                base: 2.,
            },
            max_retries: 6,
            retry_timeout: Duration::from_mins(1),
        });
        builder = self.with_profile(builder).await?.with_http_connector(region::Connector::default());
        builder
            .build()
            .map_err(|e| Error::new(ErrorKind::InvalidParameter, format!("bucket \"{bucket}\" cannot be used: {e}")))
    }

    /// Fills in what neither settings nor environment gave from the profile files.
    ///
    /// # Errors
    /// `InvalidParameter` for a profile that is named and not there, `Unsupported` for one whose credentials come
    /// from another program or service.
    async fn with_profile(&self, mut builder: AmazonS3Builder) -> Result<AmazonS3Builder> {
        let named = self.settings.get("s3.profile").cloned().or_else(|| std::env::var("AWS_PROFILE").ok());
        let invalid = |message: String| Error::new(ErrorKind::InvalidParameter, message);
        let chosen = self.settings.get("s3.profile").cloned().map(Into::into);
        let profiles = profile::load(&Fs::real(), &Env::real(), &EnvConfigFiles::default(), chosen)
            .await
            .map_err(|e| invalid(format!("the AWS profile files cannot be read: {e}")))?;
        let selected = profiles.get_profile(profiles.selected_profile());
        let Some(selected) = selected else {
            return match named {
                Some(name) => Err(invalid(format!("AWS profile \"{name}\" does not exist"))),
                None => Ok(builder),
            };
        };
        if builder.get_config_value(&AmazonS3ConfigKey::Region).is_none()
            && let Some(region) = selected.get("region")
        {
            builder = builder.with_region(region);
        }
        let keyed = builder.get_config_value(&AmazonS3ConfigKey::AccessKeyId).is_some();
        let anonymous = builder.get_config_value(&AmazonS3ConfigKey::SkipSignature);
        if keyed || anonymous.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(builder);
        }
        if let (Some(key), Some(secret)) = (selected.get("aws_access_key_id"), selected.get("aws_secret_access_key")) {
            builder = builder.with_access_key_id(key).with_secret_access_key(secret);
            if let Some(token) = selected.get("aws_session_token") {
                builder = builder.with_token(token);
            }
            return Ok(builder);
        }
        let elsewhere = ["role_arn", "sso_session", "sso_start_url", "credential_process"];
        match elsewhere.into_iter().find(|property| selected.get(property).is_some()) {
            Some(property) => Err(Error::unsupported(format!("\"{property}\" in an AWS profile")).with_hint(
                "give AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, for example by \
                 aws configure export-credentials",
            )),
            None => Ok(builder),
        }
    }
}

fn key(url: &Url) -> String {
    format!("{}://{}", url.scheme(), &url[url::Position::BeforeHost..url::Position::AfterPort])
}

impl ObjectStoreRegistry for Stores {
    fn register_store(&self, url: &Url, store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        self.lock().insert(key(url), store)
    }

    fn get_store(&self, url: &Url) -> DataFusionResult<Arc<dyn ObjectStore>> {
        self.opened(url)
            .ok_or_else(|| DataFusionError::from(Error::internal(format!("the object store of {url} is not open"))))
    }
}
