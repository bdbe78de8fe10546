//! Waits on a compute thread, whose place a spare takes meanwhile.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};

use crate::sync::Parker;

use super::spares::{NoSpare, lend_place};

/// Polls `future` on this thread until it is ready. A compute thread lends its place once it has to
/// wait.
///
/// # Errors
///
/// Where no spare can take the place. The future is dropped.
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output, NoSpare> {
    let parker = Parker::new();
    let waker = parker.waker();
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    let mut lent = None;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Ok(output);
        }
        if lent.is_none() {
            lent = Some(lend_place()?);
        }
        parker.park();
    }
}

/// The same future. A compute thread that drives it lends its place once it has to wait.
///
/// # Panics
///
/// A poll, where no spare can take the place.
pub(crate) async fn lending<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut lent = None;
    poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        if polled.is_pending() && lent.is_none() {
            lent = Some(lend_place().unwrap_or_else(|no_spare| panic!("{no_spare}")));
        }
        polled
    })
    .await
}
