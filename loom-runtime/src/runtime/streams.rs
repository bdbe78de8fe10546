//! Streams that compute on a named runtime.

use futures_core::Stream;

use crate::call::{AdaptiveMap, ComputeMap, OnCompute};

use super::handle::LoomRuntime;

macro_rules! on {
    ($($name:ident)*) => {$(
        impl<S: Stream, F, U> $name<S, F, U> {
            /// Computes on this runtime, whichever runtime polls the stream.
            pub fn on(self, runtime: &LoomRuntime) -> Self {
                self.on_core(runtime.core())
            }
        }
    )*};
}

on! { ComputeMap AdaptiveMap }

impl<S: Stream> OnCompute<S> {
    /// Polls the stream on this runtime's pool, whichever runtime polls what this returns.
    pub fn on(self, runtime: &LoomRuntime) -> Self {
        self.on_core(runtime.core())
    }
}
