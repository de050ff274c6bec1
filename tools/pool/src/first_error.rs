//! The error that ends a run of several threads.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use super::lock;

/// Keeps the first error in time, and raises the flag by which every thread sees that the run is over.
///
/// The flag is the caller's, so that something else can raise it as well, Ctrl-C for one.
#[derive(Debug)]
pub struct FirstError<'s, E> {
    stop: &'s AtomicBool,
    first: Mutex<Option<E>>,
}

impl<'s, E> FirstError<'s, E> {
    /// No error so far; `stop` is raised by the first one.
    pub fn new(stop: &'s AtomicBool) -> FirstError<'s, E> {
        FirstError { stop, first: Mutex::new(None) }
    }

    /// Keeps the error, unless there is one already, and raises the flag.
    pub fn keep(&self, error: E) {
        lock(&self.first).get_or_insert(error);
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Is the flag raised, by an error or from outside?
    pub fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The end of the run, when every thread has ended; a flag raised from outside is no error.
    ///
    /// # Errors
    /// The first error that was kept.
    pub fn into_result(self) -> Result<(), E> {
        match self.first.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_stays_and_raises_the_flag() {
        let stop = AtomicBool::new(false);
        let failure = FirstError::new(&stop);
        assert!(!failure.is_over());
        failure.keep("one");
        failure.keep("two");
        assert!(failure.is_over());
        assert_eq!(failure.into_result(), Err("one"));
    }

    #[test]
    fn a_flag_from_outside_is_no_error() {
        let stop = AtomicBool::new(true);
        let failure = FirstError::<&str>::new(&stop);
        assert!(failure.is_over());
        assert_eq!(failure.into_result(), Ok(()));
    }
}
