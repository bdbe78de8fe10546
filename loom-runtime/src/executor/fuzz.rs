//! Random sequences of operations on an executor, beside what each task should be doing.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Poll, Waker};

use proptest::collection::vec;
use proptest::prelude::*;

use super::tests::{Dropped, Drops, poll_once};
use super::{Executor, JoinHandle};

/// Tasks are chosen by a number, modulo how many there are.
#[derive(Clone, Debug)]
enum Step {
    /// A task that wakes itself so often, then waits for a wake so often, and then is ready.
    Spawn(u8, u8),
    Cycle,
    Wake(usize),
    Abort(usize),
    DropHandle(usize),
    PollHandle(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_u8, 0..3_u8).prop_map(|(yields, waits)| Step::Spawn(yields, waits)),
        6 => Just(Step::Cycle),
        6 => any::<usize>().prop_map(Step::Wake),
        2 => any::<usize>().prop_map(Step::Abort),
        2 => any::<usize>().prop_map(Step::DropHandle),
        2 => any::<usize>().prop_map(Step::PollHandle),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    Waits,
    Done,
    Aborted,
}

struct Task {
    handle: Option<JoinHandle<usize>>,
    waker: Rc<RefCell<Option<Waker>>>,
    yields: u8,
    waits: u8,
    state: State,
    is_aborted: bool,
}

impl Task {
    /// What a poll of it does.
    fn poll(&mut self) {
        self.state = if self.is_aborted {
            State::Aborted
        } else if let Some(left) = self.yields.checked_sub(1) {
            self.yields = left;
            State::Ready
        } else if let Some(left) = self.waits.checked_sub(1) {
            self.waits = left;
            State::Waits
        } else {
            State::Done
        };
    }

    fn is_over(&self) -> bool {
        matches!(self.state, State::Done | State::Aborted)
    }
}

async fn work(
    number: usize,
    mut yields: u8,
    mut waits: u8,
    waker: Rc<RefCell<Option<Waker>>>,
    _dropped: Dropped,
) -> usize {
    std::future::poll_fn(move |cx| {
        let kept = waker.borrow_mut().replace(cx.waker().clone());
        drop(kept);
        if let Some(left) = yields.checked_sub(1) {
            yields = left;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(left) = waits.checked_sub(1) {
            waits = left;
            return Poll::Pending;
        }
        Poll::Ready(number)
    })
    .await
}

struct Run {
    executor: Executor,
    tasks: Vec<Task>,
    drops: Drops,
}

impl Run {
    fn chosen(&mut self, chosen: usize) -> Option<&mut Task> {
        let at = chosen.checked_rem(self.tasks.len())?;
        self.tasks.get_mut(at)
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Spawn(yields, waits) => {
                let waker = Rc::default();
                let dropped = self.drops.one();
                let future = work(self.tasks.len(), yields, waits, Rc::clone(&waker), dropped);
                let handle = Some(self.executor.spawn(future));
                let state = State::Ready;
                self.tasks.push(Task { handle, waker, yields, waits, state, is_aborted: false });
            }
            Step::Cycle => self.cycle(),
            Step::Wake(chosen) => {
                let Some(task) = self.chosen(chosen) else { return };
                let waker = task.waker.borrow().clone();
                if let Some(waker) = waker {
                    waker.wake();
                    if task.state == State::Waits {
                        task.state = State::Ready;
                    }
                }
            }
            Step::Abort(chosen) => {
                let Some(task) = self.chosen(chosen) else { return };
                let Some(handle) = &task.handle else { return };
                handle.abort();
                if !task.is_over() {
                    task.is_aborted = true;
                    task.state = State::Ready;
                }
            }
            Step::DropHandle(chosen) => {
                let handle = self.chosen(chosen).and_then(|task| task.handle.take());
                drop(handle);
            }
            Step::PollHandle(chosen) => {
                let Some(at) = chosen.checked_rem(self.tasks.len()) else { return };
                look(&mut self.tasks[at], at);
            }
        }
    }

    fn cycle(&mut self) {
        self.executor.poll();
        for task in self.tasks.iter_mut().filter(|task| task.state == State::Ready) {
            task.poll();
        }
        let live = self.tasks.iter().filter(|task| !task.is_over()).count();
        assert_eq!(self.executor.task_count(), live);
        assert_eq!(self.drops.count(), self.tasks.len() - live, "futures are dropped at their end");
    }
}

/// Takes the result of a task that is over, if it has a handle.
fn look(task: &mut Task, number: usize) {
    let Some(mut handle) = task.handle.take() else { return };
    match poll_once(&mut handle) {
        Poll::Pending => {
            assert!(!task.is_over(), "{number}");
            task.handle = Some(handle);
        }
        Poll::Ready(Ok(value)) => assert_eq!((task.state, value), (State::Done, number)),
        Poll::Ready(Err(error)) => {
            assert!(error.is_cancelled() && task.is_aborted, "{number}");
            // It is over at once where it was not running.
            task.state = State::Aborted;
        }
    }
}

/// Miri takes about a thousand times as long.
const STEPS: usize = if cfg!(miri) { 40 } else { 200 };

proptest! {
    #[test]
    fn every_task_does_what_it_should(slots in 0..4_usize, steps in vec(step(), 1..STEPS)) {
        let executor = Executor::builder().slots(slots).spill_to_heap(true).build();
        let mut run = Run { executor, tasks: Vec::new(), drops: Drops::default() };
        for step in &steps {
            run.step(step);
        }
        let Run { executor, mut tasks, drops } = run;
        drop(executor);
        assert_eq!(drops.count(), tasks.len(), "each future is dropped once");
        for (number, task) in tasks.iter_mut().enumerate() {
            if !task.is_over() {
                task.is_aborted = true;
                task.state = State::Aborted;
            }
            look(task, number);
        }
    }
}
