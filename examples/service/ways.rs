//! How handlers call compute functions. The demo tries each way with the same load; otherwise it is Loom's.

use std::future::pending;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU8, Ordering};

use loom::{Mode, Override};
use tokio::runtime::Handle;
use tokio::task;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Way {
    /// Functions run where they are called, on the I/O workers.
    Inline,
    /// Each call has a thread of `spawn_blocking`.
    #[value(name = "spawn_blocking")]
    Blocking,
    /// Loom decides.
    Loom,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Inline, Self::Blocking, Self::Loom];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Blocking => "spawn_blocking",
            Self::Loom => "Loom",
        }
    }

    /// From now on functions are called this way.
    pub(crate) fn take(self) {
        WAY.store(self as u8, Ordering::Relaxed);
        let over = if self == Self::Loom { Override::none() } else { Mode::Inline.into() };
        loom::override_function("*", over);
    }
}

static WAY: AtomicU8 = AtomicU8::new(Way::Loom as u8);

/// Awaits a call of a compute function.
pub(crate) async fn call<F>(call: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    if WAY.load(Ordering::Relaxed) != Way::Blocking as u8 {
        return call.await;
    }
    let tokio = Handle::current();
    match task::spawn_blocking(move || tokio.block_on(call)).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            // As if the function had been called here.
            Ok(payload) => resume_unwind(payload),
            // The service ends.
            Err(_) => pending().await,
        },
    }
}
