//! What a library exports so that a host can load it.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use loom_abi::{Plugin, RuntimeHandle};

use crate::boundary;
use crate::sync::{Arc, Mutex, PoisonError};

use super::attach::Attach;
use super::detach::{abandon, detach};
use crate::core::attached;

/// The type that [`export!`](crate::plugin::export) makes of its arguments.
pub trait Start: 'static {
    /// Attaches, and starts the work of the library.
    ///
    /// # Errors
    ///
    /// The reason why the library did not start; the host receives its text.
    fn start(attach: Attach<'_>) -> Result<(), Box<dyn std::error::Error>>;
}

/// A [`Start`] in the form that the boundary takes.
struct Adaptor<S>(PhantomData<S>);

static STARTING: Mutex<()> = Mutex::new(());

impl<S: Start> boundary::Exported for Adaptor<S> {
    fn attach(handle: RuntimeHandle<'_>) -> Result<(), String> {
        // One start at a time, so that each one sees which runtimes it has attached itself.
        let _one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let before = attached::all();
        let started = catch_unwind(AssertUnwindSafe(|| S::start(Attach::to(handle))));
        if !matches!(started, Ok(Ok(()))) {
            // The host does not know these runtimes, and no other code may use them.
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

/// The library in the form that its host reads.
#[must_use]
pub const fn exported<S: Start>(name: &'static str) -> Plugin {
    boundary::exported::<Adaptor<S>>(name)
}

/// Exports this library as a plug-in, so that a host's `LoomRuntime::load_plugin` can load it. It
/// stands once in a library. Its arguments are the plug-in's name, and a function that attaches
/// the library and starts its work; without a function the library attaches with all defaults.
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
/// It expands to a `static` with the fixed name `LOOM_PLUGIN`, so a library can have only one, and
/// to an `#[unsafe(no_mangle)]`, so a crate that forbids unsafe code cannot use it.
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
