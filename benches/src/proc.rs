//! What Linux tells of memory below `/proc`; zeros where there is none.

use std::path::Path;

/// A field of a file whose lines are a name, a number and `kB`, in bytes.
pub fn bytes(file: impl AsRef<Path>, field: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let value = lines.find_map(|(name, value)| (name == field).then_some(value));
    let kilobytes = value.and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}

/// The most memory that a process had in RAM, in bytes.
pub fn peak_bytes(process: impl std::fmt::Display) -> u64 {
    bytes(format!("/proc/{process}/status"), "VmHWM")
}

/// What a process has in memory of its own now, not of files, in bytes.
pub fn own_bytes(process: u32) -> u64 {
    bytes(format!("/proc/{process}/status"), "RssAnon")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_in_bytes() {
        assert!(bytes("/proc/meminfo", "MemTotal") > 64 << 20);
        let (peak, own) = (peak_bytes("self"), own_bytes(std::process::id()));
        assert!(own > 1 << 20 && peak >= own, "{peak} {own}");
        assert_eq!((bytes("/proc/self/status", "Nothing"), bytes("/nowhere", "VmHWM")), (0, 0));
    }
}
