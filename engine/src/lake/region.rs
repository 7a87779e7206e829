//! What S3 says of a bucket's region, kept for the user.
//!
//! A request that comes to the wrong region is answered with a redirect that leads nowhere, or with 400; the right region
//! stands in a header. object_store drops both header and body of such a redirect, so the answer is taken up here and
//! told as an error whose text has the region, which `error::translate` looks for.

use async_trait::async_trait;
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};

/// The header that S3 names a bucket's region by.
const HEADER: &str = "x-amz-bucket-region";

/// What stands before the region in the error's text.
pub(crate) const MARK: &str = "the bucket's region is '";

/// Connects as object_store does, with an ear for the region.
#[derive(Debug, Default)]
pub(super) struct Connector(ReqwestConnector);

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Service(self.0.connect(options)?)))
    }
}

#[derive(Debug)]
struct Service(HttpClient);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut response = self.0.execute(request).await?;
        // A redirect that leads somewhere was followed already.
        let elsewhere = matches!(response.status().as_u16(), 301 | 307 | 400);
        let region = response.headers().get(HEADER).filter(|_| elsewhere);
        let Some(region) = region.and_then(|region| region.to_str().ok()).map(str::to_owned) else {
            return Ok(response);
        };
        // Not tried again, and with its text kept.
        if let Ok(status) = 400_u16.try_into() {
            *response.status_mut() = status;
        }
        *response.body_mut() = format!("{MARK}{region}'").into();
        Ok(response)
    }
}
