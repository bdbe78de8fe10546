//! What a library exports, so that a host can load it.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use loom_abi::{Plugin, RuntimeHandle};

use crate::boundary;
use crate::sync::{Arc, Mutex, PoisonError};

use super::attach::Attach;
use super::detach::{abandon, detach};
use crate::core::attached;

/// What [`export!`](crate::plugin::export) makes of its arguments.
pub trait Start: 'static {
    /// Attaches, and starts the work of the library.
    ///
    /// # Errors
    ///
    /// What the host is told.
    fn start(attach: Attach<'_>) -> Result<(), Box<dyn std::error::Error>>;
}

/// A [`Start`] as the boundary wants it.
struct Adaptor<S>(PhantomData<S>);

static STARTING: Mutex<()> = Mutex::new(());

impl<S: Start> boundary::Exported for Adaptor<S> {
    fn attach(handle: RuntimeHandle<'_>) -> Result<(), String> {
        // One at a time, so that each sees what it has attached itself.
        let _one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let before = attached::all();
        let started = catch_unwind(AssertUnwindSafe(|| S::start(Attach::to(handle))));
        if !matches!(started, Ok(Ok(()))) {
            // The host does not know of it, and no other code may use it.
            attached::all()
                .iter()
                .filter(|core| !before.iter().any(|known| Arc::ptr_eq(known, core)))
                .for_each(abandon);
        }
        match started {
            Ok(started) => started.map_err(|error| error.to_string()),
            Err(payload) => resume_unwind(payload),
        }
    }

    fn detach(limit: Duration) -> Result<(), String> {
        detach(limit).map_err(|error| error.to_string())
    }
}

/// The library as its host sees it.
#[must_use]
pub const fn exported<S: Start>(name: &'static str) -> Plugin {
    boundary::exported::<Adaptor<S>>(name)
}

/// Exports this library as a plug-in that `LoomRuntime::load_plugin` of a host can load, once in a
/// library: its name, and a function that attaches it and begins what it is for. Without one it
/// attaches with all defaults.
///
/// ```
/// use std::error::Error;
///
/// loom::plugin::export!("thumbnails", start);
///
/// fn start(attach: loom::plugin::Attach<'_>) -> Result<(), Box<dyn Error>> {
///     let attached = attach.driver_threads(2).start()?;
///     drop(attached.spawn(async { /* serve */ }));
///     Ok(())
/// }
/// # fn main() {}
/// ```
///
/// What it expands to is a `static` of the fixed name `LOOM_PLUGIN`, which is why there can be one
/// only, and an `#[unsafe(no_mangle)]`, so a crate that forbids unsafe code cannot use it.
#[macro_export]
macro_rules! export_plugin {
    ($name:expr $(,)?) => {
        $crate::export_plugin!($name, |attach| {
            attach.start()?;
            ::core::result::Result::Ok(())
        });
    };
    ($name:expr, $start:expr $(,)?) => {
        const _: () = {
            struct Export;

            impl $crate::__private::plugin::Start for Export {
                fn start(
                    attach: $crate::plugin::Attach<'_>,
                ) -> ::core::result::Result<(), ::std::boxed::Box<dyn ::std::error::Error>>
                {
                    let start: fn(
                        $crate::plugin::Attach<'_>,
                    ) -> ::core::result::Result<
                        (),
                        ::std::boxed::Box<dyn ::std::error::Error>,
                    > = $start;
                    start(attach)
                }
            }

            #[allow(unsafe_code, reason = "the name is Loom's, for this one thing")]
            #[unsafe(no_mangle)]
            static LOOM_PLUGIN: $crate::__private::plugin::Plugin =
                $crate::__private::plugin::exported::<Export>($name);
        };
    };
}
