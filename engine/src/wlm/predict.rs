//! How long a statement will run, for short query acceleration: from what statements of the same shape took, else from
//! the rows of the tables that it reads and what a row has taken so far.
//!
//! A shape is a statement without its constants. Nothing is predicted of a statement of an unknown shape that reads a
//! table of which nothing is known.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many shapes are remembered.
const MOST_SHAPES: usize = 4_096;
/// How many of the last run times set the longest time of a short query.
const RECENT: usize = 512;
/// What a new run time counts beside those before it.
const WEIGHT: f64 = 0.3;
/// Seconds for a row of a table, before anything has run.
const SECONDS_OF_A_ROW: f64 = 1e-7;
/// Seconds that any statement takes.
const LEAST_SECONDS: f64 = 0.001;

/// What is known of a statement before it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Features {
    /// Its shape, from [`shape`].
    pub(crate) shape: u64,
    /// How many tables it reads; a table twice counts twice.
    pub(crate) tables: u32,
    /// Their rows together, if all are known.
    pub(crate) rows: Option<u64>,
}

impl Features {
    /// The rows that its run time is thought to grow with: each further table is one more look at them.
    fn work(&self) -> Option<f64> {
        Some(self.rows? as f64 * f64::from(self.tables.max(1)))
    }
}

/// What has been learned.
#[derive(Debug, Default)]
pub(super) struct Predictor(Mutex<Learned>);

#[derive(Debug)]
struct Learned {
    shapes: HashMap<u64, f64>,
    /// The shapes in the order in which they came.
    order: VecDeque<u64>,
    /// Seconds for a row.
    of_a_row: f64,
    recent: VecDeque<f64>,
}

impl Default for Learned {
    fn default() -> Self {
        Self { shapes: HashMap::new(), order: VecDeque::new(), of_a_row: SECONDS_OF_A_ROW, recent: VecDeque::new() }
    }
}

impl Predictor {
    fn lock(&self) -> MutexGuard<'_, Learned> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a statement will run.
    pub(super) fn predict(&self, features: Features) -> Option<Duration> {
        let learned = self.lock();
        let of_work = || Some(features.work()? * learned.of_a_row + LEAST_SECONDS);
        let seconds = learned.shapes.get(&features.shape).copied().or_else(of_work)?;
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// A statement has run so long.
    pub(super) fn learn(&self, features: Features, took: Duration) {
        let seconds = took.as_secs_f64();
        let mut learned = self.lock();
        let learned = &mut *learned;
        if let Some(known) = learned.shapes.get_mut(&features.shape) {
            *known += (seconds - *known) * WEIGHT;
        } else {
            if learned.order.len() >= MOST_SHAPES
                && let Some(oldest) = learned.order.pop_front()
            {
                learned.shapes.remove(&oldest);
            }
            learned.order.push_back(features.shape);
            learned.shapes.insert(features.shape, seconds);
        }
        if let Some(work) = features.work().filter(|work| *work >= 1.) {
            learned.of_a_row += ((seconds - LEAST_SECONDS).max(0.) / work - learned.of_a_row) * WEIGHT;
        }
        if learned.recent.len() >= RECENT {
            learned.recent.pop_front();
        }
        learned.recent.push_back(seconds);
    }

    /// The longest time of a short query where nobody has set it: as Redshift's documentation suggests, the 70th
    /// percentile of run times and two seconds more, between 2 and 20 seconds; 5 before anything has run.
    pub(super) fn longest(&self) -> Duration {
        let mut recent: Vec<f64> = self.lock().recent.iter().copied().collect();
        if recent.is_empty() {
            return Duration::from_secs(5);
        }
        let at = (recent.len() - 1) * 7 / 10;
        let (_, percentile, _) = recent.select_nth_unstable_by(at, f64::total_cmp);
        Duration::from_secs_f64((*percentile + 2.).clamp(2., 20.))
    }
}

/// A statement's shape: its text without constants, case and spaces.
pub(crate) fn shape(text: &str) -> u64 {
    hash(text, false)
}

/// The same with its constants.
pub(crate) fn text_hash(text: &str) -> u64 {
    hash(text, true)
}

fn hash(text: &str, with_constants: bool) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut characters = text.chars().peekable();
    let mut in_word = false;
    while let Some(character) = characters.next() {
        match character {
            '\'' => {
                '?'.hash(&mut hasher);
                while let Some(inner) = characters.next() {
                    // A doubled quote is one within the text.
                    if inner == '\'' && characters.next_if_eq(&'\'').is_none() {
                        break;
                    }
                    if with_constants {
                        inner.hash(&mut hasher);
                    }
                }
            }
            '0'..='9' if !in_word => {
                '?'.hash(&mut hasher);
                let mut digit = Some(character);
                while let Some(own) = digit {
                    if with_constants {
                        own.hash(&mut hasher);
                    }
                    digit = characters.next_if(|next| next.is_ascii_alphanumeric() || *next == '.');
                }
            }
            _ if character.is_whitespace() => {
                if in_word {
                    ' '.hash(&mut hasher);
                }
            }
            _ => character.to_lowercase().for_each(|lower| lower.hash(&mut hasher)),
        }
        in_word = character.is_alphanumeric() && (in_word || !character.is_ascii_digit()) || character == '_';
    }
    hasher.finish()
}
