//! Tasks on the host's I/O workers. Their results and panic payloads stay in this library.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use loom_abi::Status;
use pin_project_lite::pin_project;
use tokio::runtime::Handle;
use tokio::task;

use crate::boundary::{ForeignTask, HostRef};
use crate::executor::JoinError;
use crate::panics::{KeptWaker, drop_ignoring_panic};
use crate::sync::{Arc, Mutex, OnceLock, PoisonError, thread};

use crate::core::{Admitted, Refusal};

use super::within::Within;

/// State that a task and its handle share.
struct Shared<T> {
    state: Mutex<State<T>>,
    task: OnceLock<ForeignTask>,
}

enum State<T> {
    Running(Option<KeptWaker>),
    Ended(Result<T, JoinError>),
    /// The handle has taken the result, or was dropped.
    Left,
}

/// A task on the host's I/O workers, as a future of its result.
///
/// Dropping the handle lets the task go on. [`abort`](Self::abort) drops the task's future at its
/// next await, once. The handle completes with a [`JoinError`] where the task or its destructor
/// panicked (the error has the panic payload), where it was aborted, and where the host has ended.
#[derive(Debug)]
#[must_use = "dropping it detaches the task"]
pub struct JoinHandle<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Shared<T> {
    fn end(&self, result: Result<T, JoinError>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Running(waker) => {
                let waker = waker.take();
                *state = State::Ended(result);
                drop(state);
                // Outside of the lock, since a waker may run foreign code.
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            State::Ended(_) | State::Left => {
                drop(state);
                drop_ignoring_panic(result);
            }
        }
    }
}

impl<T> JoinHandle<T> {
    /// Ends the task at its next await, if it has not ended.
    pub fn abort(&self) {
        if let Some(task) = self.shared.task.get() {
            task.abort();
        }
    }

    /// Whether the task has ended: returned, panicked or aborted.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        !matches!(*state, State::Running(_))
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // A waker is foreign code, so it is cloned and dropped outside of the lock.
        let fresh = KeptWaker::of(cx.waker());
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Running(Some(waker)) if waker.will_wake(cx.waker()) => Poll::Pending,
            State::Running(_) => {
                let before = std::mem::replace(&mut *state, State::Running(Some(fresh)));
                drop(state);
                drop(before);
                Poll::Pending
            }
            State::Left => {
                drop(state);
                panic!("a task's handle was polled after it had returned the result")
            }
            State::Ended(_) => match std::mem::replace(&mut *state, State::Left) {
                State::Ended(result) => Poll::Ready(result),
                State::Running(_) | State::Left => {
                    unreachable!("the state is `Ended`, by the match above")
                }
            },
        }
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *state, State::Left);
        drop(state);
        drop_ignoring_panic(before);
    }
}

impl<T> std::fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future that the host polls.
    struct Task<F: Future> {
        // `None` once it has ended.
        #[pin]
        future: Option<F>,
        shared: Arc<Shared<F::Output>>,
        admitted: Admitted,
    }

    impl<F: Future> PinnedDrop for Task<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_none() {
                return;
            }
            // The task was aborted, or the host has ended.
            let dropped = drop_caught(this.future.as_mut());
            let error = dropped.map_or_else(JoinError::panicked, |()| JoinError::cancelled());
            this.shared.end(Err(error));
        }
    }
}

fn drop_caught<F>(mut future: Pin<&mut Option<F>>) -> thread::Result<()> {
    catch_unwind(AssertUnwindSafe(|| future.set(None)))
}

impl<F: Future> Future for Task<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else { return Poll::Ready(()) };
        let result = match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(payload) => Err(payload),
        };
        // Drop the future before the result can be seen: a panic of its destructor is then the
        // task's outcome.
        let result = match (result, drop_caught(this.future.as_mut())) {
            (Ok(value), Ok(())) => Ok(value),
            (Err(payload), Ok(())) => Err(payload),
            (result, Err(payload)) => {
                drop_ignoring_panic(result);
                Err(payload)
            }
        };
        let has_panicked = result.is_err();
        this.shared.end(result.map_err(JoinError::panicked));
        if has_panicked {
            // The host counts this panic. The original payload is in the result.
            resume_unwind(Box::new(()));
        }
        Poll::Ready(())
    }
}

/// Spawns a task on the host's I/O workers.
pub(crate) fn spawn<F>(
    host: &HostRef,
    admitted: Admitted,
    future: F,
) -> Result<JoinHandle<F::Output>, Refusal>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let shared =
        Arc::new(Shared { state: Mutex::new(State::Running(None)), task: OnceLock::new() });
    let handle = JoinHandle { shared: Arc::clone(&shared) };
    let task = host.spawn(Task { future: Some(future), shared, admitted });
    let task = task.map_err(|status| match status {
        Status::FORKED => Refusal::Forked,
        _ => Refusal::ShutDown,
    })?;
    // Nothing else sets it.
    let _ = handle.shared.task.set(task);
    Ok(handle)
}

/// Spawns a task as [`spawn`] does, and returns a tokio handle.
///
/// Only tokio's own tasks have such a handle. So a proxy task on the driver waits for the task,
/// and aborts it when the proxy is aborted.
#[track_caller]
pub(crate) fn proxied<F>(
    host: &HostRef,
    admitted: Admitted,
    driver: &Handle,
    future: F,
) -> task::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    struct Aborts<T>(JoinHandle<T>);
    impl<T> Drop for Aborts<T> {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    let future = Within::new(future, driver.clone(), admitted.core().owner.context());
    // The proxy counts as work until its result is where the handle finds it; only after that may
    // the driver end.
    let counts = Admitted::to(admitted.core());
    let spawned = counts.and_then(|counts| Ok((spawn(host, admitted, future)?, counts)));
    let (mut task, counts) = match spawned {
        Ok((handle, counts)) => (Aborts(handle), counts),
        Err(refusal) => panic!("{refusal}"),
    };
    let proxy_handle: Arc<OnceLock<task::AbortHandle>> = Arc::default();
    let proxy = driver.spawn({
        let proxy_handle = Arc::clone(&proxy_handle);
        async move {
            let _counts = counts;
            match (&mut task.0).await.map_err(JoinError::try_into_panic) {
                Ok(value) => value,
                Err(Ok(payload)) => resume_unwind(payload as Box<dyn Any + Send>),
                Err(Err(_cancelled)) => end_cancelled(&proxy_handle).await,
            }
        }
    });
    // Nothing else sets it.
    let _ = proxy_handle.set(proxy.abort_handle());
    proxy
}

/// Makes tokio end the awaiting proxy task as aborted: only tokio can make such a `JoinError`.
async fn end_cancelled<T>(proxy_handle: &OnceLock<task::AbortHandle>) -> T {
    poll_fn(|cx| {
        match proxy_handle.get() {
            Some(handle) => handle.abort(),
            // `proxied` is about to set it.
            None => cx.waker().wake_by_ref(),
        }
        Poll::Pending
    })
    .await
}
