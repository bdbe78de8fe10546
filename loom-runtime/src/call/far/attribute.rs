//! The functions that an expansion of `#[loom::compute(fleet)]` calls.
//!
//! A settled call costs what it costs without `fleet`. A call that goes to the fleet keeps its arguments, for
//! the case that it has to run here after all.

use std::fmt;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::core::FleetFunction;

use super::super::attribute::{At, Call, body};
use super::super::attribute_future::call_of;
use super::super::bounds::{Argument, Outcome};
use super::super::decide::decide;
use super::super::entering::admit;
use super::super::limited::enter_and_place;
use super::codec::{Travels, append};
use super::journey::{Journey, NoResult};

/// A call that may run on another process, as a future of its result.
pub struct FarCall<R>(Place<R>);

enum Place<R> {
    Here(Call<R>),
    /// It goes to the fleet, or has to be decided yet.
    There(Pin<Box<dyn Future<Output = R> + Send>>),
}

/// The call is pinned elsewhere.
impl<R> Unpin for FarCall<R> {}

impl<R> Future for FarCall<R> {
    type Output = R;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        match &mut self.0 {
            Place::Here(call) => Pin::new(call).poll(cx),
            Place::There(call) => call.as_mut().poll(cx),
        }
    }
}

impl<R> fmt::Debug for FarCall<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_there = matches!(self.0, Place::There(_));
        f.debug_struct("FarCall").field("is_there", &is_there).finish_non_exhaustive()
    }
}

/// The arguments as they travel, after the task-locals.
fn message(function: &FleetFunction, args: &impl Travels) -> Result<Vec<u8>, String> {
    let mut message = function.begin_message()?;
    append(&mut message, args)?;
    Ok(message)
}

#[track_caller]
#[inline]
fn far<Body, Args, F, R>(
    at: At<'_>,
    function: &'static FleetFunction,
    args: Args,
    f: F,
) -> FarCall<R>
where
    Body: 'static,
    Args: Travels + Send + 'static,
    F: FnOnce(Args) -> R + Send + 'static,
    R: Travels + Send + 'static,
{
    let call = at.begin::<Body>();
    if call.is_settled() {
        return FarCall(Place::Here(call.run(move || f(args))));
    }
    let (core, info) = (call.core(), call.info);
    let admitted = admit(&core);
    let decision = decide(&core, info);
    let journey = match Journey::of_call(admitted, info, function, decision) {
        Err(admitted) => {
            return FarCall(Place::Here(call.place(admitted, decision, move || f(args))));
        }
        Ok(journey) => journey,
    };
    FarCall(Place::There(Box::pin(async move {
        match journey.result(message(function, &args)).await {
            Ok(result) => result,
            Err(NoResult::Panics(payload)) => resume_unwind(payload),
            Err(NoResult::Stays(admitted)) => {
                enter_and_place(admitted, info, None, move || f(args)).await
            }
        }
    })))
}

fn far_future<Body, Args, F, Fut, R>(
    at: At<'_>,
    function: &'static FleetFunction,
    args: Args,
    f: F,
) -> FarCall<R>
where
    Body: 'static,
    Args: Travels + Send + 'static,
    F: FnOnce(Args) -> Fut + Send + 'static,
    Fut: Future<Output = R> + Send + 'static,
    R: Travels + Send + 'static,
{
    let (info, named) = at.polled::<Body>();
    // It is decided at the first poll, when the call begins.
    FarCall(Place::There(Box::pin(async move {
        // Kept, so that a call that stays is admitted until its end.
        let mut _admitted = None;
        if let Some(journey) = Journey::of_future(named.as_ref(), info, function) {
            match journey.result(message(function, &args)).await {
                Ok(result) => return result,
                Err(NoResult::Panics(payload)) => resume_unwind(payload),
                Err(NoResult::Stays(admitted)) => _admitted = Some(admitted),
            }
        }
        call_of((info, named), f(args)).await
    })))
}

macro_rules! arity {
    ($far:ident $future:ident ($($arg:ident: $Arg:ident),*)) => {
        /// Calls a function of so many arguments, which may run on another process.
        #[track_caller]
        #[inline]
        #[allow(clippy::too_many_arguments)]
        pub fn $far<$($Arg,)* F, R>(
            at: At<'_>,
            function: &'static FleetFunction,
            $($arg: $Arg,)*
            f: F,
        ) -> FarCall<R>
        where
            $($Arg: Argument + Travels + 'static,)*
            F: FnOnce($($Arg),*) -> R + Argument + 'static,
            R: Outcome + Travels + 'static,
        {
            far::<F, ($($Arg,)*), _, R>(at, function, ($($arg,)*), move |($($arg,)*)| {
                body(move || f($($arg),*))
            })
        }

        /// Calls a function of so many arguments that awaits, and may run on another process.
        #[allow(clippy::too_many_arguments)]
        pub fn $future<$($Arg,)* F, Body, R>(
            at: At<'_>,
            function: &'static FleetFunction,
            $($arg: $Arg,)*
            f: Body,
        ) -> FarCall<R>
        where
            $($Arg: Argument + Travels + 'static,)*
            F: Future<Output = R> + Send + 'static,
            Body: FnOnce($($Arg),*) -> F + Send + 'static,
            R: Outcome + Travels + 'static,
        {
            far_future::<Body, ($($Arg,)*), _, _, R>(at, function, ($($arg,)*), move |($($arg,)*)| {
                f($($arg),*)
            })
        }
    };
}

arity! { far0 farfuture0 () }
arity! { far1 farfuture1 (a: A) }
arity! { far2 farfuture2 (a: A, b: B) }
arity! { far3 farfuture3 (a: A, b: B, c: C) }
arity! { far4 farfuture4 (a: A, b: B, c: C, d: D) }
arity! { far5 farfuture5 (a: A, b: B, c: C, d: D, e: E) }
arity! { far6 farfuture6 (a: A, b: B, c: C, d: D, e: E, g: G) }
arity! { far7 farfuture7 (a: A, b: B, c: C, d: D, e: E, g: G, h: H) }
arity! { far8 farfuture8 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I) }
arity! { far9 farfuture9 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J) }
arity! { far10 farfuture10 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J, k: K) }
arity! { far11 farfuture11 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J, k: K, l: L) }
arity! { far12 farfuture12 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J, k: K, l: L, m: M) }
