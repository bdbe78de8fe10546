//! Streams that compute on a named runtime.

use crate::call::{AdaptiveMap, AdaptiveMapWithHint, ComputeMap};

use super::handle::LoomRuntime;

macro_rules! on {
    ($($name:ident)*) => {$(
        impl<S, F, U> $name<S, F, U> {
            /// Computes on this runtime, whichever runtime polls the stream.
            pub fn on(self, runtime: &LoomRuntime) -> Self {
                self.on_core(runtime.core())
            }
        }
    )*};
}

on! { ComputeMap AdaptiveMap AdaptiveMapWithHint }
