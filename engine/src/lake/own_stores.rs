//! The object stores of one statement that brings its own keys or region: opened for it, and gone with it.
//!
//! They are known to readers by URLs of their own, so that no other statement can come to use them.

use super::location::Location;
use super::stores::Stores;
use crate::error::Result;
use crate::sql::Access;
use datafusion::execution::object_store::ObjectStoreUrl;
use object_store::ObjectStore;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Numbers the stores, so that each has a URL of its own.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Opens stores as a statement says.
pub(crate) struct OwnStores {
    stores: Arc<Stores>,
    access: Access,
    opened: Mutex<Vec<Own>>,
}

/// A store of the statement's own.
#[derive(Clone)]
struct Own {
    /// The URL that everybody knows it by.
    public: ObjectStoreUrl,
    url: ObjectStoreUrl,
    store: Arc<dyn ObjectStore>,
}

impl OwnStores {
    /// Those of a statement.
    pub(crate) fn new(stores: &Arc<Stores>, access: &Access) -> Self {
        Self { stores: Arc::clone(stores), access: access.clone(), opened: Mutex::default() }
    }

    /// The store of a location.
    pub(crate) async fn open(&self, location: &Location) -> Result<Arc<dyn ObjectStore>> {
        Ok(self.own(location).await?.1)
    }

    /// A location as readers find the statement's store by.
    pub(crate) async fn place(&self, location: &Location) -> Result<Location> {
        Ok(location.in_store(self.own(location).await?.0))
    }

    async fn own(&self, location: &Location) -> Result<(ObjectStoreUrl, Arc<dyn ObjectStore>)> {
        let public = location.store();
        if location.is_local() || self.access == Access::default() {
            return Ok((public.clone(), self.stores.open(location).await?));
        }
        let known = || {
            let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            opened.iter().find(|own| own.public == *public).map(|own| (own.url.clone(), Arc::clone(&own.store)))
        };
        if let Some(own) = known() {
            return Ok(own);
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let bucket = public.as_str().trim_start_matches("s3://").trim_end_matches('/');
        let url = ObjectStoreUrl::parse(format!("s3-own-{number}://{bucket}"))?;
        let store = self.stores.open_own(bucket, &url, &self.access).await?;
        let own = Own { public: public.clone(), url: url.clone(), store: Arc::clone(&store) };
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).push(own);
        Ok((url, store))
    }
}

impl Drop for OwnStores {
    fn drop(&mut self) {
        for own in self.opened.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            self.stores.forget(&own.url);
        }
    }
}
