//! Statements and what the services were asked for them: the connectors' own requests, from SQL to what came over the wire.
//! The forms of requests are those of the services' documentation.

mod dynamodb;
mod kinesis;
mod opensearch;

use crate::service::{Asked, Service};
use millrace_engine::{Session, Warehouse, WarehouseConfig};
use millrace_tests::database::rows;
use serde_json::Value;
use tempfile::TempDir;

/// A warehouse with a schema `s` over a service.
struct Over {
    service: Service,
    session: Session,
    _folder: TempDir,
}

impl Over {
    /// Makes the schema, from what follows FROM with `{}` in the place of the service's address.
    async fn new(from: &str, answer: impl Fn(&str, &Value) -> Value + Send + Sync + 'static) -> Self {
        let (service, folder) = (Service::start(answer).await, tempfile::tempdir().unwrap());
        let config = WarehouseConfig { target_partitions: Some(2), ..WarehouseConfig::new(folder.path()) };
        let mut session = Session::new(Warehouse::open(config).await.unwrap());
        let schema = format!("CREATE EXTERNAL SCHEMA s FROM {}", from.replace("{}", &service.endpoint));
        rows(&mut session, &schema).await.unwrap();
        Self { service, session, _folder: folder }
    }

    /// What the service was asked for a statement.
    async fn asked(&mut self, text: &str) -> Vec<Asked> {
        self.service.take();
        rows(&mut self.session, text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        self.service.take()
    }
}
