//! The extended protocol: prepared statements, portals.

use super::connection::Connection;
use super::failure::Failure;
use super::message::{Bind, Target};
use millrace_engine::Error;

/// A statement bound to values.
pub(super) struct Portal;

impl Connection {
    pub(super) async fn parse(&mut self, _name: String, _text: &str, _types: &[u32]) -> Result<(), Failure> {
        Err(Error::unsupported("the extended protocol").into())
    }
    pub(super) fn bind(&mut self, _bind: Bind) -> Result<(), Failure> {
        Err(Error::unsupported("the extended protocol").into())
    }
    pub(super) async fn describe(&mut self, _target: &Target) -> Result<(), Failure> {
        Err(Error::unsupported("the extended protocol").into())
    }
    pub(super) async fn execute(&mut self, _portal: &str, _most: usize) -> Result<(), Failure> {
        Err(Error::unsupported("the extended protocol").into())
    }
    pub(super) fn close(&mut self, _target: &Target) -> Result<(), Failure> {
        Err(Error::unsupported("the extended protocol").into())
    }
}
