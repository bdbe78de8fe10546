//! Streams whose polls run on the compute pool, a few items ahead of their reader.

use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::panic::{Location, resume_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::core::Core;
use crate::scheduler::Site;
use crate::sync::Arc;

use super::super::cooperate::{should_yield, yield_now};
use super::super::current::current_core;
use super::super::polled::{SpawnedFuture, driven_future};

/// How many items are ahead by default: one for the reader, and one that the stream computes meanwhile.
const AHEAD: usize = 2;

/// A stream whose polls run on the compute pool; made by
/// [`on_compute`](super::ComputeStreamExt::on_compute).
#[must_use = "streams do nothing unless polled"]
pub struct OnCompute<S: Stream> {
    state: State<S>,
    ahead: usize,
    /// The core that was set, or the current one at the first poll.
    core: Option<Arc<Core>>,
    /// Where the stream was made.
    place: &'static Location<'static>,
}

enum State<S: Stream> {
    New(S),
    Driven {
        /// Comes first, so that a drop gives the stream up before its channel closes, which would wake it.
        driver: SpawnedFuture<()>,
        items: Receiver<S::Item>,
        /// What the stream said of its length, less the items that were taken since.
        left: (usize, Option<usize>),
    },
    Over,
}

/// The stream moves into the block of its driver before it is polled.
impl<S: Stream> Unpin for OnCompute<S> {}

impl<S: Stream> OnCompute<S> {
    pub(super) fn new(stream: S, place: &'static Location<'static>) -> Self {
        Self { state: State::New(stream), ahead: AHEAD, core: None, place }
    }

    /// Lets the stream be up to so many items ahead of its reader, at least 1. The default is 2.
    pub fn ahead(mut self, items: usize) -> Self {
        self.ahead = items.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// Polls the stream on this core's pool, whichever runtime polls what this returns.
    pub(crate) fn on_core(mut self, core: &Arc<Core>) -> Self {
        self.core = Some(Arc::clone(core));
        self
    }
}

/// Polls the stream for an item whenever there is room for one.
async fn drive<S: Stream>(stream: S, items: Sender<S::Item>) {
    let mut stream = pin!(stream);
    while let Ok(room) = items.reserve().await {
        let Some(item) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await else { return };
        room.send(item);
        if should_yield() {
            yield_now().await;
        }
    }
}

impl<S> Stream for OnCompute<S>
where
    S: Stream + Send + 'static,
    S::Item: Send + 'static,
{
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        if let State::New(_) = self.state {
            // Where the start panics, the stream has ended.
            let State::New(stream) = mem::replace(&mut self.state, State::Over) else {
                unreachable!("it is new")
            };
            let core = Arc::clone(self.core.get_or_insert_with(current_core));
            let left = stream.size_hint();
            let (sender, items) = channel(self.ahead);
            let site = Site::of_future::<S>(self.place);
            let driver = driven_future(&core, site, drive(stream, sender));
            self.state = State::Driven { driver, items, left };
        }
        let State::Driven { driver, items, left } = &mut self.state else {
            return Poll::Ready(None);
        };
        if let Some(item) = ready!(items.poll_recv(cx)) {
            *left = (left.0.saturating_sub(1), left.1.map(|most| most.saturating_sub(1)));
            return Poll::Ready(Some(item));
        }
        // The channel closes as the driver ends, before it is known with what.
        let outcome = ready!(driver.poll_outcome(cx));
        self.state = State::Over;
        match outcome {
            Ok(()) => Poll::Ready(None),
            Err(payload) => resume_unwind(payload),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.state {
            State::New(stream) => stream.size_hint(),
            State::Driven { left, .. } => *left,
            State::Over => (0, Some(0)),
        }
    }
}

impl<S> FusedStream for OnCompute<S>
where
    S: Stream + Send + 'static,
    S::Item: Send + 'static,
{
    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Over)
    }
}

impl<S: Stream> fmt::Debug for OnCompute<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnCompute").field("ahead", &self.ahead).finish_non_exhaustive()
    }
}
