//! Independent pieces of work on a few threads.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Cores that this process may use.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Does `work` on every item, on at most so many threads; gives what it gave, in the order of the items.
///
/// # Errors
/// The first error in time; no other item is begun after it.
pub fn in_order<T: Sync, R: Send, E: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let next = AtomicUsize::new(0);
    let (done, failure) = (Mutex::new(Vec::with_capacity(items.len())), Mutex::new(None));
    let work_on = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else { return };
            match work(item) {
                Ok(result) => lock(&done).push((place, result)),
                Err(error) => {
                    next.store(items.len(), Ordering::Relaxed);
                    lock(&failure).get_or_insert(error);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(items.len()) {
            scope.spawn(work_on);
        }
        work_on();
    });
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|&(place, _)| place);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

/// Locks. A thread that panicked behind the lock left something whole, or the whole run ends with it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_keep_the_order_of_the_items_whichever_is_done_first() {
        let items: Vec<u64> = (0..20).collect();
        for threads in [0, 1, 3, 50] {
            let tenfold = in_order(&items, threads, |&item| {
                thread::sleep(Duration::from_millis(item % 3));
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
}
