//! What the stays of statements in a queue of WLM prove: how many had slots at once, who waited how long, who was passed
//! by.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The columns of `stl_wlm_query` that a [`Stay`] is read of, in its order.
pub const COLUMNS: &str = "datediff(microsecond, timestamp '2020-01-01', queue_start_time), \
                           datediff(microsecond, timestamp '2020-01-01', exec_start_time), \
                           datediff(microsecond, timestamp '2020-01-01', exec_end_time)";

/// A statement's stay in a queue, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    /// When it came.
    pub queued: i64,
    /// When it had its slot.
    pub begun: i64,
    /// When it gave it back.
    pub ended: i64,
}

/// What is found of a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Statements.
    pub statements: usize,
    /// The most that had slots at once.
    pub at_once: usize,
    /// The longest that one waited, in microseconds.
    pub longest_wait: i64,
    /// The longest that one ran, in microseconds.
    pub longest_run: i64,
    /// The most that came after one and began before it.
    pub passed_by: usize,
}

/// Looks at the stays in one queue.
pub fn judge(stays: &[Stay]) -> Found {
    let most = |of: fn(&Stay) -> i64| stays.iter().map(of).max().unwrap_or(0);
    Found {
        statements: stays.len(),
        at_once: at_once(stays),
        longest_wait: most(|stay| stay.begun - stay.queued),
        longest_run: most(|stay| stay.ended - stay.begun),
        passed_by: passed_by(stays),
    }
}

/// The most at once; who ends when another begins was not there with it.
fn at_once(stays: &[Stay]) -> usize {
    let mut begins: Vec<&Stay> = stays.iter().collect();
    begins.sort_by_key(|stay| stay.begun);
    let (mut running, mut most) = (BinaryHeap::new(), 0);
    for stay in begins {
        while running.peek().is_some_and(|Reverse(ended)| *ended <= stay.begun) {
            running.pop();
        }
        running.push(Reverse(stay.ended));
        most = most.max(running.len());
    }
    most
}

/// The most statements that came after one and began before it.
fn passed_by(stays: &[Stay]) -> usize {
    let mut came: Vec<&Stay> = stays.iter().collect();
    came.sort_by_key(|stay| stay.queued);
    let passed = |(at, stay): (usize, &&Stay)| {
        let later = came[at + 1..].iter().take_while(|later| later.queued < stay.begun);
        later.filter(|later| later.begun < stay.begun && later.queued > stay.queued).count()
    };
    came.iter().enumerate().map(passed).max().unwrap_or(0)
}

/// The longest that a statement may wait where nobody is passed by: until all clients before it had their turns.
pub fn longest_fair_wait(clients: usize, slots: usize, longest_run: i64) -> i64 {
    let turns = clients.saturating_sub(1).div_ceil(slots.max(1));
    longest_run.saturating_mul(i64::try_from(turns).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_are_judged() {
        type Times = (i64, i64, i64);
        let stay = |(queued, begun, ended): Times| Stay { queued, begun, ended };
        let cases: [(&[Times], [i64; 4]); 4] = [
            (&[], [0, 0, 0, 0]),
            // One after the other in one slot.
            (&[(0, 0, 10), (1, 10, 20), (2, 20, 21)], [1, 18, 10, 0]),
            // Two at once; the third passes the second by.
            (&[(0, 0, 10), (1, 8, 12), (2, 2, 8)], [2, 7, 10, 1]),
            // Three that ran together for a moment.
            (&[(0, 0, 5), (0, 1, 6), (0, 4, 9), (0, 5, 7)], [3, 5, 5, 0]),
        ];
        for (stays, [at_once, longest_wait, longest_run, passed_by]) in cases {
            let stays: Vec<Stay> = stays.iter().copied().map(stay).collect();
            let found = judge(&stays);
            let counts = [found.at_once as i64, found.longest_wait, found.longest_run, found.passed_by as i64];
            assert_eq!(counts, [at_once, longest_wait, longest_run, passed_by], "{stays:?}");
        }
    }

    #[test]
    fn turns_bound_a_fair_wait() {
        assert_eq!(longest_fair_wait(1, 1, 7), 0);
        assert_eq!(longest_fair_wait(101, 5, 10), 200);
        assert_eq!(longest_fair_wait(3, 5, 10), 10);
    }
}
