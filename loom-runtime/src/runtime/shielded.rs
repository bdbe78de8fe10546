//! Waiting on lists of wakers that are other code's.
//!
//! It owns no list, and catches no panic of the future itself.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Wake, Waker};

use crate::panics::KeptWaker;
use crate::sync::Arc;

/// A waker that neither panics nor is dropped with a panic.
struct Shield(KeptWaker);

impl Wake for Shield {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake_by_ref();
    }
}

/// The same future, which sees wakers that do not panic. Tokio's lists drop the wakers behind one
/// that panics, and the tasks of those are then never woken.
pub(super) async fn shielded<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut shield: Option<Arc<Shield>> = None;
    poll_fn(|cx| {
        let shield = match &mut shield {
            Some(shield) if shield.0.will_wake(cx.waker()) => shield,
            other => other.insert(Arc::new(Shield(KeptWaker::of(cx.waker())))),
        };
        let waker = Waker::from(Arc::clone(shield));
        future.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}
