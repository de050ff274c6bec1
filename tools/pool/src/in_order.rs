//! The same work on every item of a list.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use super::{FirstError, lock};

/// How work on an item ended the run.
enum Failure<E> {
    Error(E),
    Panic(Box<dyn Any + Send>),
}

/// Does `work` on every item, on at most so many threads (fewer where the system starts no more); returns the results in the order of the items.
///
/// # Errors
/// The first error in time; no other item is begun after it.
///
/// # Panics
/// With what `work` panicked with, when every thread has ended; no other item is begun after it.
pub fn in_order<T: Sync, R: Send, E: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (done, failure) = (Mutex::new(Vec::with_capacity(items.len())), FirstError::new(&stop));
    let work_on = || {
        while !failure.is_over() {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else { return };
            match catch_unwind(AssertUnwindSafe(|| work(item))) {
                Ok(Ok(result)) => lock(&done).push((place, result)),
                Ok(Err(error)) => failure.keep(Failure::Error(error)),
                Err(payload) => failure.keep(Failure::Panic(payload)),
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(items.len()) {
            // what a thread that the system does not start would have done, the others do
            if thread::Builder::new().spawn_scoped(scope, work_on).is_err() {
                break;
            }
        }
        work_on();
    });
    match failure.into_result() {
        Ok(()) => {}
        Err(Failure::Error(error)) => return Err(error),
        Err(Failure::Panic(payload)) => resume_unwind(payload),
    }
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|&(place, _)| place);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::caught;

    #[test]
    fn results_keep_the_order_of_the_items_whichever_is_done_first() {
        let items: Vec<u64> = (0..20).collect();
        for threads in [0, 1, 3, 50] {
            let tenfold = in_order(&items, threads, |&item| {
                (0..item % 3 * 100).for_each(|_| thread::yield_now());
                Ok::<_, ()>(item * 10)
            });
            assert_eq!(tenfold.unwrap(), (0..20).map(|item| item * 10).collect::<Vec<_>>());
        }
        assert_eq!(in_order(&[], 4, |item: &u64| Ok::<_, ()>(*item)), Ok(vec![]));
    }

    #[test]
    fn nothing_is_begun_after_an_error() {
        let begun = AtomicUsize::new(0);
        let failed = in_order(&[1, 2, 3, 4, 5, 6], 1, |&item| {
            begun.fetch_add(1, Ordering::Relaxed);
            if item == 2 { Err("two") } else { Ok(item) }
        });
        assert_eq!((failed, begun.into_inner()), (Err("two"), 2));
    }

    #[test]
    fn a_panic_ends_the_call_with_its_message_and_nothing_is_begun_after_it() {
        let items: Vec<u32> = (0..1000).collect();
        for threads in [1, 2] {
            let (begun, both) = (AtomicUsize::new(0), Barrier::new(threads));
            let ended = caught(|| {
                in_order(&items, threads, |&item| -> Result<(), ()> {
                    begun.fetch_add(1, Ordering::Relaxed);
                    if item < threads as u32 {
                        both.wait(); // each thread has one of the first items
                    }
                    panic!("item {}", item / threads as u32);
                })
            });
            assert_eq!(ended.unwrap_err().of("it").message, "item 0");
            assert_eq!(begun.into_inner(), threads, "every thread stops at the first panic");
        }
    }
    #[test]
    fn a_panic_of_another_thread_arrives_with_its_message() {
        let (both, caller) = (Barrier::new(2), thread::current().id());
        let ended = caught(|| {
            in_order(&[1, 2], 2, |_| -> Result<(), ()> {
                both.wait();
                assert!(thread::current().id() == caller, "another thread");
                Ok(())
            })
        });
        assert_eq!(ended.unwrap_err().of("it").message, "another thread");
    }
}
