//! What bounds the things in memory, however fast one thread makes them and however slow another is.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::lock;

/// So much weight may be in memory at once. The unit is the caller's: things, where each weighs 1, or bytes.
///
/// Clones are the same permits.
#[derive(Clone, Debug)]
pub struct Permits {
    shared: Arc<Shared>,
}

/// Weight that was taken from [`Permits`]; dropping it, also in a panic, returns it.
#[derive(Debug)]
#[must_use = "it returns its weight as soon as it is dropped"]
pub struct Permit {
    weight: u64,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    total: u64,
    state: Mutex<State>,
    /// Some weight came back, or the permits were closed.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    free: u64,
    /// Weight that is held beyond the total: it comes back before anything is free.
    owed: u64,
    /// Most weight that was held at once.
    most_held: u64,
    /// Threads that wait for some of it.
    waiting: usize,
    is_closed: bool,
}

impl Permits {
    /// Permits of `total` weight together, all of it free.
    pub fn new(total: u64) -> Permits {
        let state =
            Mutex::new(State { free: total, owed: 0, most_held: 0, waiting: 0, is_closed: false });
        Permits { shared: Arc::new(Shared { total, state, changed: Condvar::new() }) }
    }

    /// Waits until `weight` is free and takes it; `None` when the permits are closed, whatever is free.
    ///
    /// What weighs more than all permits together waits until all are free, and has them to itself.
    pub fn take(&self, weight: u64) -> Option<Permit> {
        let shared = &self.shared;
        let weight = weight.min(shared.total);
        let mut state = lock(&shared.state);
        while !state.is_closed && state.free < weight {
            state.waiting += 1;
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        if state.is_closed {
            return None;
        }
        state.hold(weight, shared.total);
        Some(Permit { weight, shared: Arc::clone(shared) })
    }

    /// Ends the taking: who waits in [`Permits::take`] wakes up. What was taken may be held on.
    pub fn close(&self) {
        lock(&self.shared.state).is_closed = true;
        self.shared.changed.notify_all();
    }

    /// Most weight that was held at once so far: more than the total only where [`Permit::settle`] found things heavier than
    /// was thought.
    pub fn most_held(&self) -> u64 {
        lock(&self.shared.state).most_held
    }

    /// Weight that nobody holds at this moment.
    pub fn free(&self) -> u64 {
        lock(&self.shared.state).free
    }
}

impl State {
    fn hold(&mut self, weight: u64, total: u64) {
        let free = self.free.min(weight);
        self.free -= free;
        self.owed += weight - free;
        self.most_held = self.most_held.max((total - self.free).saturating_add(self.owed));
    }

    fn release(&mut self, weight: u64) {
        let owed = self.owed.min(weight);
        self.owed -= owed;
        self.free += weight - owed;
    }
}

impl Permit {
    /// What was taken weighs this much, as it turned out. Never waits, so that no two holders wait for one another: what
    /// weighs more than is free is owed, and nobody else takes anything until that much is back.
    pub fn settle(&mut self, weight: u64) {
        let mut state = lock(&self.shared.state);
        state.release(self.weight);
        state.hold(weight, self.shared.total);
        self.weight = weight;
        if state.waiting > 0 {
            self.shared.changed.notify_all();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        state.release(self.weight);
        if state.waiting > 0 {
            self.shared.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::mpsc::{Receiver, TryRecvError, channel},
        thread,
        time::Duration,
    };

    use super::*;

    /// Takes `weight`, which is not free, in a thread of its own; what it got arrives in the channel. Returns when the
    /// thread waits.
    fn taken_elsewhere(permits: &Permits, weight: u64) -> Receiver<Option<Permit>> {
        let (to, from) = channel();
        let taker = permits.clone();
        thread::spawn(move || to.send(taker.take(weight)));
        while lock(&permits.shared.state).waiting == 0 {
            assert_eq!(from.try_recv().err(), Some(TryRecvError::Empty), "nobody waits");
            thread::yield_now();
        }
        from
    }

    fn arrives<T>(from: &Receiver<T>) -> T {
        from.recv_timeout(Duration::from_secs(60)).expect("nobody waits for ever")
    }

    #[test]
    fn weight_is_counted_and_returns_when_dropped() {
        let permits = Permits::new(10);
        let (one, two) = (permits.take(3), permits.take(7));
        assert_eq!(permits.free(), 0);
        drop(one);
        assert_eq!(permits.free(), 3);
        drop(two);
        assert_eq!(permits.free(), 10);
        assert_eq!(permits.take(0).map(|permit| permit.weight), Some(0));
    }

    #[test]
    fn who_takes_waits_until_enough_is_back() {
        let permits = Permits::new(2);
        let (one, two) = (permits.take(1), permits.take(1));
        let both = taken_elsewhere(&permits, 2);
        drop(one);
        assert!(both.try_recv().is_err(), "one is still held, two are wanted");
        drop(two);
        let both = arrives(&both);
        assert_eq!((both.is_some(), permits.free()), (true, 0));
        drop(both);
        assert_eq!(permits.free(), 2);
    }

    #[test]
    fn never_more_than_the_total_is_held() {
        let (permits, held) = (Permits::new(5), Mutex::new(0));
        thread::scope(|scope| {
            for weight in 1..=4 {
                let (permits, held) = (&permits, &held);
                scope.spawn(move || {
                    for _ in 0..200 {
                        let _permit = permits.take(weight).unwrap();
                        *lock(held) += weight;
                        assert!(*lock(held) <= 5);
                        thread::yield_now();
                        *lock(held) -= weight;
                    }
                });
            }
        });
        assert_eq!(permits.free(), 5);
    }

    #[test]
    fn what_is_heavier_than_all_is_alone() {
        let permits = Permits::new(3);
        let one = permits.take(1);
        let heavy = taken_elsewhere(&permits, 100);
        drop(one);
        let heavy = arrives(&heavy);
        assert_eq!(permits.free(), 0);
        drop(heavy);
        assert_eq!(permits.free(), 3);
    }

    #[test]
    fn what_turns_out_heavier_is_owed_and_what_is_lighter_comes_back() {
        let permits = Permits::new(10);
        let (mut one, mut two) = (permits.take(4).unwrap(), permits.take(4).unwrap());
        one.settle(1);
        assert_eq!((permits.free(), permits.most_held()), (5, 8));
        two.settle(20);
        assert_eq!((permits.free(), permits.most_held()), (0, 21));
        let waiting = taken_elsewhere(&permits, 3);
        drop(one);
        assert!(waiting.try_recv().is_err(), "still ten are owed");
        two.settle(7);
        let three = arrives(&waiting);
        assert_eq!(permits.free(), 0);
        drop((two, three));
        assert_eq!((permits.free(), permits.most_held()), (10, 21));
    }

    #[test]
    fn closing_wakes_who_waits_and_refuses_who_comes() {
        let permits = Permits::new(2);
        let held = permits.take(1);
        let waiting = taken_elsewhere(&permits, 2);
        permits.close();
        assert!(arrives(&waiting).is_none());
        assert!(permits.take(1).is_none(), "one is free, but closed is closed");
        drop(held);
        assert_eq!(permits.free(), 2);
    }
}
