//! Faults of an object store: what goes wrong, at which request, how often.
//!
//! A [`Faults`] is shared between a test and its server. It also keeps the list of requests, because many promises
//! are about requests that are not made (a pruned partition is not listed, a count reads footers only).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `ListObjectsV2`, one page.
    List,
    /// `GetObject`, whole or a range.
    Get,
    /// `HeadObject`.
    Head,
    /// `PutObject` and every step of a multipart upload.
    Put,
    /// `DeleteObject` and `DeleteObjects`.
    Delete,
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// 403 `AccessDenied`.
    Denied,
    /// 503 `SlowDown`: the client shall try again.
    SlowDown,
    /// 500 `InternalError`.
    Broken,
    /// The answer begins after this time.
    Delay(Duration),
    /// 301 `PermanentRedirect` without a place, as for a bucket of this region.
    Elsewhere(&'static str),
    /// 400 `AuthorizationHeaderMalformed`, as for a signature made for another region than this.
    Malformed(&'static str),
    /// The body breaks off after so many bytes, though its length was announced.
    Truncate(usize),
    /// The body comes in chunks with this time before each.
    Trickle(Duration),
}

/// One fault.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Which requests.
    pub operation: Operation,
    /// Only keys (or listed prefixes) that begin so, without the bucket.
    pub prefix: String,
    /// So many matching requests pass first.
    pub after: usize,
    /// So many are hit then.
    pub times: usize,
    /// What happens to them.
    pub effect: Effect,
}

impl Fault {
    /// A fault that hits every request of the kind.
    pub fn always(operation: Operation, effect: Effect) -> Self {
        Self { operation, prefix: String::new(), after: 0, times: usize::MAX, effect }
    }
}

/// A request that the server saw: its kind and its key or prefix.
pub type Request = (Operation, String);

/// The faults of one server and its log.
#[derive(Debug, Default)]
pub struct Faults {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    faults: Vec<Fault>,
    requests: Vec<Request>,
    bytes_sent: u64,
    page_size: Option<i32>,
}

impl Faults {
    /// Adds a fault; the first that matches a request wins.
    pub fn inject(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    /// Removes every fault and forgets the requests.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.faults.clear();
        state.requests.clear();
        state.bytes_sent = 0;
    }

    /// The requests since the last [`Self::clear`], in order.
    pub fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    /// How many requests of a kind there were since the last [`Self::clear`].
    pub fn count(&self, operation: Operation) -> usize {
        self.lock().requests.iter().filter(|(kind, _)| *kind == operation).count()
    }

    /// Notes how long the body of an answer is.
    pub fn sent(&self, bytes: u64) {
        self.lock().bytes_sent += bytes;
    }

    /// The lengths of all bodies of objects since the last [`Self::clear`].
    pub fn bytes_sent(&self) -> u64 {
        self.lock().bytes_sent
    }

    /// Listings give at most so many keys a page (S3 gives 1,000).
    pub fn set_page_size(&self, keys: i32) {
        self.lock().page_size = Some(keys);
    }

    /// The page size when a test has set one.
    pub fn page_size(&self) -> Option<i32> {
        self.lock().page_size
    }

    /// Notes a request and says what shall happen to it.
    pub fn meet(&self, operation: Operation, key: &str) -> Option<Effect> {
        let mut state = self.lock();
        state.requests.push((operation, key.to_owned()));
        for fault in &mut state.faults {
            if fault.operation != operation || !key.starts_with(&fault.prefix) {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
            } else if fault.times > 0 {
                fault.times -= 1;
                return Some(fault.effect);
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_after_its_count_and_so_often_as_told() {
        let faults = Faults::default();
        faults.inject(Fault {
            operation: Operation::List,
            prefix: "lake/".to_owned(),
            after: 1,
            times: 2,
            effect: Effect::Broken,
        });
        assert_eq!(faults.meet(Operation::Get, "lake/a"), None);
        assert_eq!(faults.meet(Operation::List, "other/"), None);
        assert_eq!(faults.meet(Operation::List, "lake/"), None);
        assert_eq!(faults.meet(Operation::List, "lake/"), Some(Effect::Broken));
        assert_eq!(faults.meet(Operation::List, "lake/x"), Some(Effect::Broken));
        assert_eq!(faults.meet(Operation::List, "lake/"), None);
        assert_eq!(faults.count(Operation::List), 5);
    }
}
