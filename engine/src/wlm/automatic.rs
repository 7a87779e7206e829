//! Automatic WLM: how many statements run at once, and which of those that wait is next. Pure.
//!
//! As many run as there are cores, and more, up to a ceiling that the memory sets, while less than half of the memory
//! is in use. Who is next goes by the priorities' shares (stride scheduling): in the long run a priority begins twice
//! as many statements as the next lower one, and none starves.

use super::priority::Priority;

/// The most that run at once, as many as all slots of manual WLM.
const MOST_RUNNING: usize = 50;
/// How many statements for a core may run at once while there is memory.
const FOR_A_CORE: usize = 4;
/// Memory that a statement ought to have at least.
const LEAST_BYTES: usize = 64 << 20;
/// What a begun statement costs a priority of the smallest weight.
const STRIDE: u64 = 1 << 20;

/// The state of automatic WLM.
#[derive(Debug)]
pub(super) struct Automatic {
    /// So many run whatever memory they use.
    floor: usize,
    /// So many run at most.
    ceiling: usize,
    /// How far each priority is with its share.
    passes: [u64; Priority::ALL.len()],
    /// Where the one that was chosen last stood.
    reached: u64,
}

impl Automatic {
    /// For a machine of so many cores, and memory if there is a limit.
    pub(super) fn new(cores: usize, memory: Option<usize>) -> Self {
        let room = memory.map_or(MOST_RUNNING, |bytes| (bytes / LEAST_BYTES).clamp(1, MOST_RUNNING));
        let floor = cores.clamp(1, room);
        let ceiling = cores.saturating_mul(FOR_A_CORE).clamp(floor, room);
        Self { floor, ceiling, passes: [0; Priority::ALL.len()], reached: 0 }
    }

    /// Whether another may begin, when so many run and use so much of the memory.
    pub(super) fn has_room(&self, running: usize, used: usize, memory: Option<usize>) -> bool {
        running < self.floor || (running < self.ceiling && memory.is_none_or(|memory| used < memory / 2))
    }

    /// The part of the memory that a statement of a priority may have: a highest or critical one half, a lowest one a floor's share.
    pub(super) fn share(&self, memory: usize, priority: Priority) -> usize {
        let (most, least) = (memory / 2, memory / (self.floor + 1));
        let (most, least) = (most.max(least), least.min(most));
        least + (most - least) / (Priority::ALL.len() - 1) * priority.min(Priority::Highest) as usize
    }

    /// Chooses among the priorities that have statements waiting.
    pub(super) fn choose(&mut self, waiting: [bool; Priority::ALL.len()]) -> Option<Priority> {
        let candidates = Priority::ALL.into_iter().filter(|priority| waiting[*priority as usize]);
        // A priority that nobody asked for saves nothing up. Of equals the higher one is next.
        let pass = |priority: &Priority| self.passes[*priority as usize].max(self.reached);
        let chosen = candidates.min_by_key(|priority| (pass(priority), std::cmp::Reverse(*priority)))?;
        self.reached = pass(&chosen);
        self.passes[chosen as usize] = self.reached + STRIDE / chosen.weight();
        Some(chosen)
    }
}
