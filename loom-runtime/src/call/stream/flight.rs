//! The items of a stream that are in flight, and the order of their results.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::core::Core;
use crate::panics::{KeptWaker, drop_ignoring_panic};
use crate::scheduler::Arm;
use crate::sync::{Arc, thread};

use super::super::adaptive::AdaptiveFuture;
use super::super::current::current_core;

/// How many items are in flight for each compute thread by default: one that runs, and one that is
/// next.
const EACH: usize = 2;

/// The items in flight, and the order of their results.
pub(super) struct Flight<U> {
    items: VecDeque<AdaptiveFuture<U>>,
    /// How many items, from the front, have stored `waker`. Only an unordered stream uses this: an
    /// ordered one polls the front item alone.
    polled: usize,
    waker: Option<KeptWaker>,
    pub(super) limit: Option<usize>,
    pub(super) is_ordered: bool,
    /// The core that was set, or the current one at the first poll.
    pub(super) core: Option<Arc<Core>>,
    /// The stream has ended, or an item has panicked.
    is_over: bool,
}

impl<U> Flight<U> {
    pub(super) fn new() -> Self {
        Self {
            items: VecDeque::new(),
            polled: 0,
            waker: None,
            limit: None,
            is_ordered: true,
            core: None,
            is_over: false,
        }
    }

    /// Takes items in while there is room, and polls for the next result.
    pub(super) fn poll<S: Stream>(
        &mut self,
        mut stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        mut start: impl FnMut(&Arc<Core>, S::Item) -> AdaptiveFuture<U>,
    ) -> Poll<Option<U>> {
        let core = Arc::clone(self.core.get_or_insert_with(current_core));
        let limit = self.limit.unwrap_or_else(|| EACH * core.compute_threads.max(1));
        while !self.is_over && self.items.len() < limit {
            match stream.as_mut().poll_next(cx) {
                Poll::Ready(Some(item)) => {
                    // Where `start` panics, the stream has ended.
                    self.is_over = true;
                    let mut item = start(&core, item);
                    self.is_over = false;
                    // So a drop of the stream cancels the item, polled or not.
                    item.mark_awaited();
                    let has_run = item.arm() == Arm::InlineTokio;
                    self.items.push_back(item);
                    // A result of an inline call is returned before more items run inline.
                    if has_run {
                        break;
                    }
                }
                Poll::Ready(None) => self.is_over = true,
                Poll::Pending => break,
            }
        }
        let outcome = if self.is_ordered {
            self.items.front_mut().map(|item| item.poll_outcome(cx).map(|outcome| (0, outcome)))
        } else {
            self.poll_any(cx)
        };
        match outcome {
            Some(Poll::Ready((at, outcome))) => {
                self.items.remove(at);
                if at < self.polled {
                    self.polled -= 1;
                }
                match outcome {
                    Ok(value) => Poll::Ready(Some(value)),
                    Err(payload) => {
                        self.is_over = true;
                        // A result may panic when it is dropped, and this panic is the one that counts.
                        self.items.drain(..).for_each(drop_ignoring_panic);
                        resume_unwind(payload)
                    }
                }
            }
            None if self.is_over => Poll::Ready(None),
            Some(Poll::Pending) | None => Poll::Pending,
        }
    }

    /// Polls for the first item that is done. Each item is polled once with a waker, and is then
    /// only checked for completion.
    fn poll_any(&mut self, cx: &mut Context<'_>) -> Option<Poll<(usize, thread::Result<U>)>> {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.waker = Some(KeptWaker::of(cx.waker()));
            self.polled = 0;
        }
        let mut pending = None;
        for (at, item) in self.items.iter_mut().enumerate() {
            if at >= self.polled || item.is_done() {
                if let Poll::Ready(outcome) = item.poll_outcome(cx) {
                    return Some(Poll::Ready((at, outcome)));
                }
                // `polled` counts the items from the front whose completion will wake the task.
                if at == self.polled && item.has_waker() {
                    self.polled += 1;
                }
            }
            pending = Some(Poll::Pending);
        }
        pending
    }

    pub(super) fn size_hint(&self, stream: (usize, Option<usize>)) -> (usize, Option<usize>) {
        let here = self.items.len();
        if self.is_over {
            return (here, Some(here));
        }
        let (least, most) = stream;
        (least.saturating_add(here), most.and_then(|most| most.checked_add(here)))
    }

    /// Whether no more results will come.
    pub(super) fn is_over(&self) -> bool {
        self.is_over && self.items.is_empty()
    }

    /// How many items are in flight.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }
}
