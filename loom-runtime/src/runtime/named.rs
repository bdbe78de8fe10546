//! The runtime that an attribute names with `runtime = …`.

use crate::call::On;
use crate::sync::Arc;

use super::handle::LoomRuntime;

/// The types that `runtime = …` accepts.
#[diagnostic::on_unimplemented(
    message = "`runtime` needs a Loom runtime, found `{Self}`",
    label = "expected a `LoomRuntime`, a reference to one, or an `Arc` of one"
)]
pub trait RuntimeRef {
    /// The runtime.
    fn runtime(&self) -> &LoomRuntime;
}

impl RuntimeRef for LoomRuntime {
    fn runtime(&self) -> &LoomRuntime {
        self
    }
}

impl<T: RuntimeRef + ?Sized> RuntimeRef for &T {
    fn runtime(&self) -> &LoomRuntime {
        (**self).runtime()
    }
}

impl<T: RuntimeRef + ?Sized> RuntimeRef for Arc<T> {
    fn runtime(&self) -> &LoomRuntime {
        (**self).runtime()
    }
}

/// The runtime that the expression of `runtime = …` returns.
pub fn on<T: RuntimeRef>(runtime: impl FnOnce() -> T) -> On {
    On::new(runtime().runtime().core())
}
