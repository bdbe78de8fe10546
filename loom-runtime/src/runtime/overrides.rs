//! The methods and functions that override what the code says of its compute functions.

use crate::call::{Overridden, current_core, override_functions};
use crate::config::{Given, Override};
use crate::error::Source;

use super::builder::LoomBuilder;
use super::handle::LoomRuntime;

impl LoomBuilder {
    /// Overrides what the code says of the functions of a name, from the start; see
    /// [`LoomRuntime::override_function`]. Files (`functions`), the environment (`LOOM_FUNCTIONS`, and
    /// that of [`env_prefix`](Self::env_prefix)) and arguments (`--loom-functions`) come after this. What
    /// the program itself sets at the start is not told on standard error.
    ///
    /// # Errors
    ///
    /// [`build`](Self::build) fails if `name` cannot be that of a function, as `shop::image*` cannot.
    ///
    /// ```
    /// use loom::{LoomBuilder, Mode};
    ///
    /// let runtime = LoomBuilder::new().override_function("shop::*", Mode::Observe).build()?;
    /// assert_eq!(runtime.config().functions[0].0, "shop::*");
    /// # Ok::<(), loom::LoomError>(())
    /// ```
    pub fn override_function(mut self, name: &str, over: impl Into<Override>) -> Self {
        let value = (name.to_owned(), over.into());
        self.code.functions.push(Given { value, source: Source::Code });
        self
    }
}

impl LoomRuntime {
    /// Overrides the mode, the hint or the priority of compute functions, from the next call on.
    ///
    /// `name` is one of these, the closest first:
    ///
    /// - a full name ([`FunctionStats::name`](crate::FunctionStats::name), such as `shop::Index::count` or
    ///   `shop::digest<u8>`), which names one instance;
    /// - a path ([`FunctionStats::path`](crate::FunctionStats::path), such as `shop::thumbnail::shrink`) or a
    ///   given name (`key = "…"`), which names every instance, and all methods of that path;
    /// - a type (`shop::Index::*`) or a module (`shop::thumbnail::*`);
    /// - `*`, which names all.
    ///
    /// For each part that overrides set, the closest one decides; who has set it does not matter. Calls
    /// that have started go on where they are, and no call is lost. An earlier override of the same name
    /// ends; [`Override::none`] ends it without another one.
    ///
    /// A line on standard error says what was overridden. A name that no function has that was called
    /// so far is kept for functions that are called later. A name that no function can have, such as
    /// `shop::image*`, overrides nothing, and the line says so.
    ///
    /// Cost of a change: a lock, a look at each function that was called, and a line on standard error. The
    /// next measured call of each function takes the lock, and may allocate. Other measured calls read two
    /// words, and settled calls none.
    ///
    /// ```
    /// use loom::Mode;
    ///
    /// #[loom::compute]
    /// fn double(n: u32) -> u32 {
    ///     n * 2
    /// }
    ///
    /// # fn main() -> loom::Result<()> {
    /// let runtime = loom::LoomBuilder::new().build()?;
    /// runtime.block_on(double(21));
    /// let path = runtime.functions()[0].path;
    /// let overridden = runtime.override_function(path, Mode::Offload);
    /// assert_eq!(overridden.functions, 1);
    /// runtime.block_on(double(21));
    /// let double = &runtime.functions()[0];
    /// assert_eq!((double.mode, double.overridden), (Mode::Offload, 1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn override_function(&self, name: &str, over: impl Into<Override>) -> Overridden {
        override_functions(self.core(), name, over.into(), Source::Code)
    }
}

/// [`LoomRuntime::override_function`] on the current runtime; outside of any runtime, on the
/// process-wide compute pool, which this starts if no call has. That pool also takes the environment
/// variable `LOOM_FUNCTIONS` at its start.
///
/// ```
/// #[tokio::main]
/// async fn main() {
///     let overridden = loom::override_function("shop::thumbnail::shrink", loom::Mode::Inline);
///     assert_eq!(overridden.functions, 0, "none was called yet");
/// }
/// ```
pub fn override_function(name: &str, over: impl Into<Override>) -> Overridden {
    override_functions(&current_core(), name, over.into(), Source::Code)
}
