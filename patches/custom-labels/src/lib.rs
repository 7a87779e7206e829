//! Stands in for the crate `custom-labels`, by which Vortex marks its tasks for a profiler.
//!
//! The real crate generates bindings at build time and so wants libclang on every machine that builds Millrace. Nothing
//! here reads such labels: this crate has the interface that vortex-io's Tokio runtime uses, and does nothing.

#![forbid(unsafe_code)]

/// The labels of the running thread: none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Labelset;

impl Labelset {
    /// The labels in force here.
    pub fn clone_from_current() -> Self {
        Self
    }

    /// Runs `task` under these labels.
    pub fn enter<T>(&mut self, task: impl FnOnce() -> T) -> T {
        task()
    }
}

/// Labels that follow a future from thread to thread.
pub mod asynchronous {
    /// A future that carries labels.
    pub trait Label: Sized {
        /// The future under the labels in force here.
        fn with_current_labels(self) -> Self {
            self
        }
    }

    impl<F: Future> Label for F {}
}
