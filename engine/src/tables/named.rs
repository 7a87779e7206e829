//! Reading with errors that say which file of which table it was.
//!
//! The readers are other people's code: their errors rarely name the file, and damaged bytes may make them panic.

use crate::error::{Error, ErrorKind};
use crate::lake::damage::{external, file_url};
use arrow::array::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// What an error has to name, and where to look what became of the file.
#[derive(Debug, Clone)]
struct Named {
    table: Arc<str>,
    url: Arc<str>,
    object: Arc<ObjectMeta>,
    store: Arc<dyn ObjectStore>,
}

impl Named {
    async fn error(self, error: DataFusionError) -> DataFusionError {
        let Some(reason) = reading_failed(&error) else { return error };
        let of = format!("data file \"{}\" of table \"{}\"", self.url, self.table);
        let damaged = |detail: String| Error::new(ErrorKind::BadFile, format!("{of} is damaged")).with_detail(detail);
        external(match self.store.head(&self.object.location).await {
            Err(object_store::Error::NotFound { .. }) => {
                Error::new(ErrorKind::UndefinedFile, format!("{of} does not exist"))
            }
            Err(error) => {
                Error::new(ErrorKind::Connection, format!("could not read {of}")).with_detail(error.to_string())
            }
            Ok(found) if found.size != self.object.size => {
                damaged(format!("it has {} bytes, not {}", found.size, self.object.size))
            }
            Ok(_) => damaged(reason),
        })
    }

    fn panicked(&self, panic: &(dyn Any + Send)) -> DataFusionError {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        let of = format!("data file \"{}\" of table \"{}\"", self.url, self.table);
        external(
            Error::new(ErrorKind::BadFile, format!("{of} is damaged"))
                .with_detail(format!("the decoder failed: {}", text.unwrap_or_default())),
        )
    }
}

/// The reason, for an error of reading a file; `None` for one of an expression that is computed in the scan, of
/// memory, or of ours.
fn reading_failed(error: &DataFusionError) -> Option<String> {
    match error {
        DataFusionError::ObjectStore(error) => Some(error.to_string()),
        DataFusionError::ParquetError(error) => Some(error.to_string()),
        DataFusionError::IoError(error) => Some(error.to_string()),
        DataFusionError::ArrowError(error, _) => match error.as_ref() {
            arrow::error::ArrowError::ParquetError(text) | arrow::error::ArrowError::IoError(text, _) => {
                Some(text.clone())
            }
            arrow::error::ArrowError::ExternalError(error) => Some(error.to_string()),
            _ => None,
        },
        DataFusionError::Execution(text) => text.starts_with("Failed to open Vortex file").then(|| text.clone()),
        DataFusionError::External(error) => {
            let vortex = error.downcast_ref::<vortex::error::VortexError>()?;
            let text = vortex.to_string();
            // Arithmetic of a filter is checked by Vortex.
            (!text.to_lowercase().contains("overflow")).then_some(text)
        }
        DataFusionError::Context(_, inner) => reading_failed(inner),
        DataFusionError::Shared(inner) => reading_failed(inner),
        _ => None,
    }
}

#[derive(Debug)]
pub(super) struct NamedMorselizer {
    pub(super) inner: Box<dyn Morselizer>,
    pub(super) table: Arc<str>,
    pub(super) url: ObjectStoreUrl,
    pub(super) store: Arc<dyn ObjectStore>,
}

impl Morselizer for NamedMorselizer {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let named = Named {
            table: Arc::clone(&self.table),
            url: file_url(&self.url, &file.object_meta.location).into(),
            object: Arc::new(file.object_meta.clone()),
            store: Arc::clone(&self.store),
        };
        Ok(Box::new(NamedPlanner { inner: self.inner.plan_file(file)?, named }))
    }
}

#[derive(Debug)]
struct NamedPlanner {
    inner: Box<dyn MorselPlanner>,
    named: Named,
}

impl MorselPlanner for NamedPlanner {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let Self { inner, named } = *self;
        let planned = match std::panic::catch_unwind(AssertUnwindSafe(|| inner.plan())) {
            Err(panic) => return Err(named.panicked(panic.as_ref())),
            // Where the file is looked up is asynchronous, so the error becomes a step of its own.
            Ok(Err(error)) => {
                return Ok(Some(MorselPlan::new().with_pending_planner(async move { Err(named.error(error).await) })));
            }
            Ok(Ok(None)) => return Ok(None),
            Ok(Ok(Some(plan))) => plan,
        };
        let mut plan = planned;
        let morsels = plan.take_morsels().into_iter();
        let morsels = morsels.map(|inner| Box::new(NamedMorsel { inner, named: named.clone() }) as Box<dyn Morsel>);
        let planners = plan.take_ready_planners().into_iter();
        let planners =
            planners.map(|inner| Box::new(NamedPlanner { inner, named: named.clone() }) as Box<dyn MorselPlanner>);
        let pending = plan.take_pending_planner();
        let mut wrapped = MorselPlan::new().with_morsels(morsels.collect()).with_planners(planners.collect());
        if let Some(pending) = pending {
            wrapped.set_pending_planner(async move {
                match AssertUnwindSafe(pending.into_future()).catch_unwind().await {
                    Err(panic) => Err(named.panicked(panic.as_ref())),
                    Ok(Err(error)) => Err(named.error(error).await),
                    Ok(Ok(inner)) => Ok(Box::new(NamedPlanner { inner, named }) as Box<dyn MorselPlanner>),
                }
            });
        }
        Ok(Some(wrapped))
    }
}

#[derive(Debug)]
struct NamedMorsel {
    inner: Box<dyn Morsel>,
    named: Named,
}

impl Morsel for NamedMorsel {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let Self { inner, named } = *self;
        let batches = AssertUnwindSafe(inner.into_stream()).catch_unwind();
        batches
            .then(move |batch| {
                let named = named.clone();
                async move {
                    match batch {
                        Err(panic) => Err(named.panicked(panic.as_ref())),
                        Ok(Err(error)) => Err(named.error(error).await),
                        Ok(Ok(batch)) => Ok(batch),
                    }
                }
            })
            .boxed()
    }
}
