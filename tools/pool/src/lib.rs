//! Threads of ours: independent pieces of work, and what assembly lines are built of.
//!
//! Whoever starts threads follows one pattern, so that a panic anywhere ends the run with a message and nobody waits
//! for ever:
//!
//! - Pieces that need nothing of each other go through [`in_order`].
//! - An assembly line joins its threads by bounded channels: who waits at one wakes up when the other side is gone.
//! - What is in memory carries a [`Permit`]. It returns itself when the thing is dropped, also while a thread unwinds;
//!   so none is lost, and [`Permits::close`] wakes who waits for one.
//! - A thread's work runs in [`caught`]: a panic becomes [`Panicked`], an error that names what was in work.
//! - The first error is kept by [`FirstError`], which raises the flag that the other threads look at.
//!
//! ```
//! use std::{sync::atomic::AtomicBool, thread};
//! use clipa_pool::{FirstError, Panicked, Permits, caught};
//!
//! fn read_row(row: u32) -> Vec<u8> {
//!     panic!("no row {row}")
//! }
//!
//! let (stop, permits) = (AtomicBool::new(false), Permits::new(3));
//! let failure = FirstError::new(&stop);
//! thread::scope(|scope| {
//!     scope.spawn(|| {
//!         let done = caught(|| {
//!             let _permit = permits.take(2);
//!             read_row(7)
//!         });
//!         if let Err(panic) = done {
//!             failure.keep(panic.of("the worker"));
//!             permits.close();
//!         }
//!     });
//! });
//! assert_eq!(permits.free(), 3);
//! let Panicked { what, message } = failure.into_result().unwrap_err();
//! assert_eq!((&*what, &*message), ("the worker", "no row 7"));
//! ```

mod first_error;
mod in_order;
mod panicked;
mod permits;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

pub use first_error::FirstError;
pub use in_order::in_order;
pub use panicked::{Panic, Panicked, caught};
pub use permits::{Permit, Permits};

/// Cores that this process may use.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Locks. A thread that panicked behind the lock left something whole, or the whole run ends with it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
