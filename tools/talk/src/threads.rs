//! How many threads a person may ask for.

use std::num::NonZeroUsize;

/// Most threads that a program starts on request: more than any machine has cores, and few enough that each system
/// can start them.
pub const MAX_THREADS: usize = 1024;

/// Reads the value of `--threads`.
///
/// ```
/// use clipa_talk::threads::thread_count;
/// assert_eq!(thread_count("8").unwrap().get(), 8);
/// assert!(thread_count("100000").unwrap_err().contains("at most 1024"));
/// ```
///
/// # Errors
/// It is no number, or not between 1 and [`MAX_THREADS`]; the message names the remedy.
pub fn thread_count(text: &str) -> Result<NonZeroUsize, String> {
    let remedy = "leave it out for one a core";
    let count: usize = text.parse().map_err(|_| format!("not a number of threads; {remedy}"))?;
    if count > MAX_THREADS {
        return Err(format!("at most {MAX_THREADS}; {remedy}"));
    }
    NonZeroUsize::new(count).ok_or_else(|| format!("at least 1; {remedy}"))
}
