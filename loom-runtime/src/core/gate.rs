//! The limit of a function: so many of its calls run at a time (`max_concurrent`).
//!
//! A call takes a [`Permit`] before it is placed. The work holds the permit until it has ended, also where the caller
//! has gone. A call that finds no permit waits in its caller's task, without a thread.
//!
//! Invariant: while a call waits, as many run as may. So a permit that comes back goes to one that waits, and a
//! call that comes takes one only if nobody waits. All of it is under one lock, which is held for some
//! instructions: a function with a limit takes milliseconds.

use std::collections::VecDeque;

use tokio::sync::oneshot::{Receiver, Sender, channel};

use crate::bridge::Priority;
use crate::scheduler::Item;
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One of so many permits goes to the call that has waited longest, whatever its priority.
const TURN_OF_THE_OLDEST: u32 = 16;

#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// As the last call said.
    limit: usize,
    running: usize,
    /// By priority, the lowest first; in each the oldest first.
    waiting: [VecDeque<Waiter>; Priority::ALL.len()],
    /// The number of the next waiter.
    next: u64,
    /// How many permits went to one that waited.
    turns: u32,
    /// With so many waiters those are removed that nobody waits for.
    sweep_at: usize,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    gives: Sender<Permit>,
}

/// The right to run, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit(Option<Arc<Gate>>);

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(gate) = self.0.take() {
            gate.lock().running -= 1;
            gate.admit();
        }
    }
}

/// The limits of functions that have one. All instances of a function, and all classes of its inputs, share one.
#[derive(Debug, Default)]
pub(crate) struct Gates(Mutex<Vec<(Item, Arc<Gate>)>>);

impl Gates {
    /// The gate of a function, made if there is none.
    pub(super) fn of(&self, item: Item) -> Arc<Gate> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, gate)) = gates.iter().find(|(of, _)| *of == item) {
            return Arc::clone(gate);
        }
        let gate = Arc::<Gate>::default();
        gates.push((item, Arc::clone(&gate)));
        gate
    }
}

impl Gate {
    /// Takes a permit, or the place of one that waits for it. From now on so many may run.
    pub(crate) fn enter(
        self: &Arc<Self>,
        limit: usize,
        priority: Priority,
    ) -> Result<Permit, Receiver<Permit>> {
        self.try_enter(limit).ok_or_else(|| self.wait(priority))
    }

    /// Takes a permit if that needs no wait. From now on so many may run.
    pub(crate) fn try_enter(self: &Arc<Self>, limit: usize) -> Option<Permit> {
        self.set_limit(limit);
        let mut state = self.lock();
        let is_free = state.waiting() == 0 && state.running < state.limit;
        is_free.then(|| {
            state.running += 1;
            Permit(Some(Arc::clone(self)))
        })
    }

    /// Joins the line. Those that nobody waits for any more leave it, once there are many.
    fn wait(self: &Arc<Self>, priority: Priority) -> Receiver<Permit> {
        let (gives, permit) = channel();
        let mut state = self.lock();
        let gone = if state.waiting() >= state.sweep_at { state.sweep() } else { Vec::new() };
        let number = state.next;
        state.next += 1;
        state.waiting[priority as usize].push_back(Waiter { number, gives });
        drop(state);
        // Outside of the lock, since the last part of a task may go with it.
        drop(gone);
        // A permit may have come back before this call was in the line.
        self.admit();
        permit
    }

    /// From now on so many may run, those that wait included.
    pub(crate) fn set_limit(self: &Arc<Self>, limit: usize) {
        let mut state = self.lock();
        let has_grown = limit > state.limit;
        state.limit = limit;
        drop(state);
        if has_grown {
            self.admit();
        }
    }

    /// How many calls run, and how many wait or have given up waiting.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let state = self.lock();
        (state.running, state.waiting())
    }

    /// Gives free permits to those that wait.
    fn admit(self: &Arc<Self>) {
        loop {
            let mut state = self.lock();
            if state.running >= state.limit {
                return;
            }
            let Some(waiter) = state.pop() else { return };
            state.running += 1;
            drop(state);
            // Outside of the lock, since it wakes a task.
            if let Err(mut refused) = waiter.gives.send(Permit(Some(Arc::clone(self)))) {
                // Nobody waits for it any more. It is taken apart here, so that this does not call itself.
                refused.0 = None;
                self.lock().running -= 1;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn waiting(&self) -> usize {
        self.waiting.iter().map(VecDeque::len).sum()
    }

    /// Takes out those that nobody waits for any more.
    fn sweep(&mut self) -> Vec<Waiter> {
        let mut gone = Vec::new();
        for waiting in &mut self.waiting {
            for waiter in std::mem::take(waiting) {
                if waiter.gives.is_closed() { gone.push(waiter) } else { waiting.push_back(waiter) }
            }
        }
        self.sweep_at = (self.waiting() * 2).max(64);
        gone
    }

    /// The one that is next.
    fn pop(&mut self) -> Option<Waiter> {
        self.turns = self.turns.wrapping_add(1);
        let first = |of: &VecDeque<Waiter>| of.front().map(|waiter| waiter.number);
        let queue = if self.turns.is_multiple_of(TURN_OF_THE_OLDEST) {
            self.waiting.iter_mut().filter(|of| !of.is_empty()).min_by_key(|of| first(of))
        } else {
            self.waiting.iter_mut().rev().find(|of| !of.is_empty())
        };
        queue?.pop_front()
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    fn waits(gate: &Arc<Gate>, limit: usize, priority: Priority) -> Receiver<Permit> {
        gate.enter(limit, priority).expect_err("it waits")
    }

    #[test]
    fn a_permit_goes_to_the_highest_priority_and_then_to_the_oldest() {
        let gate = Arc::new(Gate::default());
        let held = gate.enter(1, Priority::Low).expect("it is free");
        let mut low = waits(&gate, 1, Priority::Low);
        let mut first = waits(&gate, 1, Priority::High);
        let mut second = waits(&gate, 1, Priority::High);
        assert_eq!(gate.counts(), (1, 3));
        drop(held);
        let held = first.try_recv().expect("it is first");
        assert!(second.try_recv().is_err() && low.try_recv().is_err());
        drop(held);
        drop(second.try_recv().expect("it is next"));
        drop(low.try_recv().expect("nobody else waits"));
        assert_eq!(gate.counts(), (0, 0));
    }

    #[test]
    fn the_oldest_gets_its_turn() {
        let gate = Arc::new(Gate::default());
        let mut held = gate.enter(1, Priority::Low).expect("it is free");
        let mut low = waits(&gate, 1, Priority::Low);
        for turn in 1.. {
            let mut high = waits(&gate, 1, Priority::High);
            drop(held);
            if let Ok(permit) = low.try_recv() {
                assert!(turn <= TURN_OF_THE_OLDEST, "turn {turn}");
                drop(permit);
                break;
            }
            held = high.try_recv().expect("it is next");
        }
    }

    #[test]
    fn one_that_has_gone_takes_no_permit_and_no_room() {
        let gate = Arc::new(Gate::default());
        let held = gate.enter(1, Priority::Normal).expect("it is free");
        for _ in 0..10_000 {
            drop(waits(&gate, 1, Priority::Normal));
            assert!(gate.counts().1 <= 65, "those are removed that nobody waits for");
        }
        let mut last = waits(&gate, 1, Priority::Normal);
        drop(held);
        let permit = last.try_recv().expect("it is the only one that waits");
        // Given, and dropped with its receiver.
        let given = waits(&gate, 1, Priority::Normal);
        drop(permit);
        assert_eq!(gate.counts(), (1, 0));
        drop(given);
        assert_eq!(gate.counts(), (0, 0));
    }

    #[test]
    fn a_limit_that_grows_lets_more_in_and_one_that_shrinks_ends_nothing() {
        let gate = Arc::new(Gate::default());
        let held = gate.enter(1, Priority::Normal).expect("it is free");
        let mut waiting = waits(&gate, 1, Priority::Normal);
        let third = gate.enter(3, Priority::Normal).expect("there is room");
        let more = [waiting.try_recv().expect("there is room"), third];
        assert_eq!(gate.counts(), (3, 0));
        let mut late = waits(&gate, 1, Priority::Normal);
        drop(more);
        assert!(late.try_recv().is_err(), "one runs still");
        drop(held);
        assert!(late.try_recv().is_ok());
    }

    /// Never more than the limit run, and every permit comes back.
    #[test]
    fn threads_that_enter_leave_and_give_up() {
        const LIMIT: usize = 3;
        let gate = Arc::new(Gate::default());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build();
        let runtime = runtime.expect("it starts");
        let running = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let tasks: Vec<_> = (0..8_u64)
            .map(|task| {
                let (gate, running) = (Arc::clone(&gate), Arc::clone(&running));
                runtime.spawn(async move {
                    for turn in 0..500_u64 {
                        let seed = task * 500 + turn;
                        let priority = Priority::ALL[usize::try_from(seed % 3).unwrap_or(0)];
                        let permit = match gate.enter(LIMIT, priority) {
                            Ok(permit) => permit,
                            Err(_gives_up) if seed.is_multiple_of(7) => continue,
                            Err(waits) => waits.await.expect("a permit"),
                        };
                        let others = running.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        assert!(others < LIMIT);
                        tokio::task::yield_now().await;
                        running.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
                        drop(permit);
                    }
                })
            })
            .collect();
        runtime.block_on(async {
            for task in tasks {
                task.await.expect("no panic");
            }
        });
        assert_eq!(gate.counts().0, 0);
        assert!(gate.enter(1, Priority::Low).is_ok());
    }
}
