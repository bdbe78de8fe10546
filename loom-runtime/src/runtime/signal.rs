//! The signals that ask a process to end.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::core::Core;
use crate::sync::{Arc, OnceLock, PoisonError};

use super::ending::begin_shutdown;
use super::handle::LoomRuntime;
use super::spawn::{current_runtime, no_runtime};

impl LoomRuntime {
    /// A token that is cancelled when the process is asked to end: by SIGINT or SIGTERM, on Windows
    /// by Ctrl-C, Ctrl-Break, the closing of the console or the end of the session. The signal also
    /// begins to [shut the runtime down](Self::shutdown), so
    /// [`wait_for_shutdown`](Self::wait_for_shutdown) then waits for the work that is left.
    ///
    /// A shutdown of the runtime for another reason cancels the token as well, and who cancels the
    /// token shuts the runtime down. All calls return the same token. Loops select on
    /// [`cancelled`](CancellationToken::cancelled); a
    /// [`child_token`](CancellationToken::child_token) ends a part of the program without the
    /// runtime, and a [`drop_guard`](CancellationToken::drop_guard) ends it when a scope is left.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runtime = loom::LoomBuilder::new().local_cores(1).build()?;
    /// let stop = runtime.shutdown_signal()?;
    /// let ticks = runtime.local(0).spawn_with({
    ///     let stop = stop.clone();
    ///     || async move {
    ///         let mut interval = loom::local::interval(std::time::Duration::from_millis(1));
    ///         let mut ticks = 0_u64;
    ///         while stop.run_until_cancelled(interval.tick()).await.is_some() {
    ///             ticks += 1;
    ///         }
    ///         ticks
    ///     }
    /// });
    /// // In a service, this is the user's Ctrl-C.
    /// runtime.shutdown();
    /// runtime.block_on(runtime.wait_for_shutdown());
    /// assert!(stop.is_cancelled() && runtime.block_on(ticks).is_ok());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// From the first call on, and also after the runtime has ended, these signals no longer end
    /// the process by themselves, as with tokio's `signal`. A second signal has no effect.
    /// `#[loom::main]` limits the end to `shutdown_timeout`. A program that builds its own runtime
    /// has to set the limit itself, for example with [`shutdown_timeout`](Self::shutdown_timeout):
    /// `wait_for_shutdown` has none. On a current-thread runtime, signals are seen only while a
    /// thread is inside [`block_on`](Self::block_on).
    ///
    /// # Errors
    ///
    /// If the system refuses to handle a signal. It may have granted the other one, which then no
    /// longer ends the process by itself.
    ///
    /// # Panics
    ///
    /// If the runtime was built [beside](crate::LoomBuilder::beside) a tokio runtime that has no
    /// I/O driver: build that one with `enable_io`.
    pub fn shutdown_signal(&self) -> io::Result<CancellationToken> {
        let mut stop = self.inner.stop.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stop) = &*stop {
            return Ok(stop.clone());
        }
        let token = CancellationToken::new();
        if self.is_shutting_down() {
            token.cancel();
        } else {
            let asked = {
                let _entered = self.tokio_handle().enter();
                asked_to_end()?
            };
            let (core, tracker) = (Arc::clone(self.core()), Arc::clone(&self.inner.task_tracker));
            let watch = watch(asked, token.clone(), core, tracker);
            // The task ends with tokio. It never holds the runtime itself, which would then end on
            // the task's thread.
            drop(self.tokio_handle().spawn(watch));
        }
        Ok(stop.insert(token).clone())
    }
}

/// [`LoomRuntime::shutdown_signal`] of the current runtime.
///
/// ```
/// #[loom::main]
/// async fn main() -> std::io::Result<()> {
///     let stop = loom::shutdown_signal()?;
///     // Start servers and loops, each with a clone of `stop`.
///     let server = loom::spawn_async(stop.clone().cancelled_owned());
///     # stop.cancel();
///     stop.cancelled().await;
///     // The end of `main` waits for them, for `shutdown_timeout` at most.
///     # server.await?;
///     Ok(())
/// }
/// ```
///
/// # Errors
///
/// If there is no current runtime, and as [`LoomRuntime::shutdown_signal`].
///
/// # Panics
///
/// As [`LoomRuntime::shutdown_signal`].
pub fn shutdown_signal() -> io::Result<CancellationToken> {
    let Some(runtime) = current_runtime() else {
        let instead = "LoomRuntime::shutdown_signal";
        return Err(io::Error::other(no_runtime("shutdown_signal", instead)));
    };
    runtime.shutdown_signal()
}

async fn watch(
    asked: impl Future<Output = ()>,
    stop: CancellationToken,
    core: Arc<Core>,
    tracker: Arc<OnceLock<TaskTracker>>,
) {
    stop.run_until_cancelled(asked).await;
    begin_shutdown(&core, &tracker);
    stop.cancel();
}

/// Handles the signals from now on. The future completes at the first one.
#[cfg(unix)]
fn asked_to_end() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(poll_fn(move |cx| {
        let is_asked = interrupt.poll_recv(cx).is_ready() || terminate.poll_recv(cx).is_ready();
        if is_asked { Poll::Ready(()) } else { Poll::Pending }
    }))
}

/// As on Unix.
#[cfg(windows)]
fn asked_to_end() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};
    let (mut interrupt, mut stop) = (ctrl_c()?, ctrl_break()?);
    let (mut close, mut logoff, mut shutdown) = (ctrl_close()?, ctrl_logoff()?, ctrl_shutdown()?);
    Ok(poll_fn(move |cx| {
        let is_asked = interrupt.poll_recv(cx).is_ready()
            || stop.poll_recv(cx).is_ready()
            || close.poll_recv(cx).is_ready()
            || logoff.poll_recv(cx).is_ready()
            || shutdown.poll_recv(cx).is_ready();
        if is_asked { Poll::Ready(()) } else { Poll::Pending }
    }))
}
