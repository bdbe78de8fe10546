//! The functions that an expansion of `#[loom::compute]` calls for an async function that awaits.
//!
//! The expansion passes the body as an async closure of the arguments, and returns what is made from it:
//!
//! ```text
//! let call = future2(At::site(&SITE), a, b, async move |a, b| -> R { body });
//! async move { call.await }
//! ```

use std::fmt;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::core::Core;
use crate::sync::Arc;

use super::attribute::At;
use super::bounds::{Argument, Outcome};
use super::current::{current_core, is_settled_by};
use super::decide::CallInfo;
use super::polled::{Family, Polled, resolve};

/// The call of a function that awaits, as a future of its result. It begins with its first poll.
pub struct FutureCall<R> {
    polled: Polled<R>,
    /// The core of the runtime that the attribute names.
    named: Option<Arc<Core>>,
}

/// The future is pinned elsewhere.
impl<R> Unpin for FutureCall<R> {}

impl<R> Future for FutureCall<R> {
    type Output = R;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let Self { polled, named } = &mut *self;
        let named = named.as_ref();
        let is_settled = |family: Family, wake, is_first| {
            let of = |core: &Core| family.is_settled(core, wake, is_first);
            match named {
                Some(core) => of(core),
                None => is_settled_by(of),
            }
        };
        let core = || named.map_or_else(current_core, Arc::clone);
        match resolve(ready!(polled.poll(cx, is_settled, core))) {
            Ok(value) => Poll::Ready(value),
            Err(payload) => resume_unwind(payload),
        }
    }
}

impl<R> fmt::Debug for FutureCall<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FutureCall").finish_non_exhaustive()
    }
}

fn call<Body: 'static, F, R>(at: At<'_>, future: F) -> FutureCall<R>
where
    F: Future<Output = R> + Send + 'static,
    R: Send + 'static,
{
    call_of(at.polled::<Body>(), future)
}

/// The call of a function that awaits, described by what [`At::polled`] returns.
pub(super) fn call_of<F, R>(
    (info, named): (CallInfo, Option<Arc<Core>>),
    future: F,
) -> FutureCall<R>
where
    F: Future<Output = R> + Send + 'static,
    R: Send + 'static,
{
    FutureCall { polled: Polled::new(info, future), named }
}

macro_rules! arity {
    ($future:ident ($($arg:ident: $Arg:ident),*)) => {
        /// Calls a function of so many arguments that awaits.
        #[allow(clippy::too_many_arguments)]
        pub fn $future<$($Arg,)* F, Body, R>(
            at: At<'_>,
            $($arg: $Arg,)*
            f: Body,
        ) -> FutureCall<R>
        where
            $($Arg: Argument + 'static,)*
            F: Future<Output = R> + Send + 'static,
            Body: FnOnce($($Arg),*) -> F + 'static,
            R: Outcome + 'static,
        {
            call::<Body, _, _>(at, f($($arg),*))
        }
    };
}

arity! { future0 () }
arity! { future1 (a: A) }
arity! { future2 (a: A, b: B) }
arity! { future3 (a: A, b: B, c: C) }
arity! { future4 (a: A, b: B, c: C, d: D) }
arity! { future5 (a: A, b: B, c: C, d: D, e: E) }
arity! { future6 (a: A, b: B, c: C, d: D, e: E, g: G) }
arity! { future7 (a: A, b: B, c: C, d: D, e: E, g: G, h: H) }
arity! { future8 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I) }
arity! { future9 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J) }
arity! { future10 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J, k: K) }
arity! { future11 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J, k: K, l: L) }
arity! { future12 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J, k: K, l: L, m: M) }
