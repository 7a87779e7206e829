//! The allocator of our programs: mimalloc, which is told to keep freed pages for a while.
//!
//! Queries free and take the same memory many times a second. A page that went back to the system in between is cleared
//! by the kernel when it is taken again, which cost a tenth of all processor time of TPC-H's queries. This crate holds
//! the one call that is not safe, so that all others forbid unsafe code.

pub use mimalloc::MiMalloc;

/// The option's number in mimalloc's enumeration `mi_option_e`; the binding lacks its name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// How long freed pages are kept, in milliseconds; ten times that for whole segments. mimalloc's own value is 10.
const DELAY_MS: std::ffi::c_long = 1_000;

/// Has freed pages kept for a second before they go back to the system, unless mimalloc's own variable
/// `MIMALLOC_PURGE_DELAY` says how long. To be called once, when the program begins.
pub fn keep_freed_pages() {
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_some() {
        return;
    }
    // SAFETY: the function stores a number in a table of the allocator's, and takes any number of an option.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, DELAY_MS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: MiMalloc = MiMalloc;

    #[test]
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: the function reads a number.
        let delay = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
            assert_eq!(delay(), 10, "what mimalloc documents of its purge delay");
        }
        keep_freed_pages();
        assert!(std::env::var_os("MIMALLOC_PURGE_DELAY").is_some() || delay() == DELAY_MS);
    }
}
