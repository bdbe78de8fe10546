//! What `#[loom::compute]` expands to.
//!
//! The expansion names one function by the number of its arguments, and gives it the site, the
//! arguments and the body as a closure that takes them:
//!
//! ```text
//! call2(At::site(&SITE), a, b, |a, b| -> R { body }).await
//! ```
//!
//! Arguments go through here one by one, rather than as what a closure captures, so that the
//! compiler reports what cannot be sent at the argument, and once.

use std::mem;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::bridge::{Fault, Priority};
use crate::core::{Admitted, Core, Refusal, thread_stats};
use crate::pool::{Held, Kind};
use crate::scheduler::{Arm, Magnitude, Site};
use crate::sync::Arc;

use super::accounting::CallOptions;
use super::adaptive::{AdaptiveFuture, CallInfo, decide, place, run_inline};
use super::baggage::{CarriedKeys, Carry};
use super::current::{current_core, is_settled};
use super::scope::{LONG, lend};
use super::spans;

/// Which function is called, and what its attribute and its arguments say of the call.
///
/// Nothing of it has to be dropped, which the compiler would have to see to in every function.
#[derive(Clone, Copy)]
pub struct At<'a> {
    site: &'static Site,
    size: Option<u64>,
    priority: Priority,
    carrying: CarriedKeys,
    inlining: Inlining,
    /// Of the runtime that the attribute names.
    core: Option<&'a Arc<Core>>,
}

/// Whether the body has machine code of its own.
#[derive(Clone, Copy, Debug)]
enum Inlining {
    No,
    Never,
    Cold,
}

impl Inlining {
    /// Calls the body.
    #[inline]
    fn call<R>(self, body: impl FnOnce() -> R) -> R {
        #[inline(never)]
        fn never<R>(body: impl FnOnce() -> R) -> R {
            body()
        }
        #[cold]
        fn cold<R>(body: impl FnOnce() -> R) -> R {
            body()
        }
        match self {
            Self::No => body(),
            Self::Never => never(body),
            Self::Cold => cold(body),
        }
    }
}

impl<'a> At<'a> {
    /// A function with nothing said of the call.
    #[inline]
    #[must_use]
    pub const fn site(site: &'static Site) -> Self {
        let (priority, inlining) = (Priority::Normal, Inlining::No);
        Self { site, size: None, priority, carrying: &[], inlining, core: None }
    }

    /// A function with `#[inline(never)]`.
    #[inline]
    #[must_use]
    pub const fn out_of_line(mut self) -> Self {
        self.inlining = Inlining::Never;
        self
    }

    /// A function with `#[cold]`.
    #[inline]
    #[must_use]
    pub const fn cold(mut self) -> Self {
        self.inlining = Inlining::Cold;
        self
    }

    /// CallOptions large the input is.
    #[inline]
    #[must_use]
    pub const fn size(mut self, size: u64) -> Self {
        self.size = Some(size);
        self
    }

    /// Before or after what else waits.
    #[inline]
    #[must_use]
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// With these task-locals, where it is offloaded.
    #[inline]
    #[must_use]
    pub const fn carrying(mut self, names: &'static [&'static dyn Carry]) -> Self {
        self.carrying = names;
        self
    }

    /// On a runtime that need not be the current one.
    #[inline]
    #[must_use]
    pub const fn on(mut self, runtime: &'a On) -> Self {
        self.core = Some(&runtime.0);
        self
    }

    /// Whether a call runs here and now, by what this thread has at hand.
    #[inline]
    fn is_settled(&self, info: CallInfo) -> bool {
        let CallInfo { site, class, .. } = info;
        match self.core {
            None => is_settled(site, class),
            Some(core) => thread_stats::is_settled(core, site.index(class)),
        }
    }

    #[inline]
    fn into_core(self) -> Arc<Core> {
        self.core.map_or_else(current_core, Arc::clone)
    }

    /// The call of that instance.
    #[inline]
    fn call_info(&self, site: &'static Site) -> CallInfo {
        let class = self.size.map_or(0, |size| site.class(size));
        let Self { priority, carrying, .. } = *self;
        CallInfo { site, class, hint: site.hint(), priority, carrying }
    }
}

/// Counts a panic that passes through a settled call, which nobody looks at.
struct CountsPanic<'a>(At<'a>, CallInfo);

impl Drop for CountsPanic<'_> {
    #[cold]
    fn drop(&mut self) {
        let Self(at, CallInfo { site, class, .. }) = self;
        let core = at.into_core();
        core.function(site, *class).counters.panicked_inline.add_one();
    }
}

/// Runs a call that is settled: inline, and untimed.
#[inline]
fn settled<R>(at: At<'_>, info: CallInfo, f: impl FnOnce() -> R) -> R {
    let counts_panic = CountsPanic(at, info);
    let result = spans::inline(info.site, f);
    mem::forget(counts_panic);
    result
}

/// A call, as a future of its result.
#[derive(Debug)]
pub struct Call<R>(Placed<R>);

#[derive(Debug)]
enum Placed<R> {
    /// It ran at once. Nothing once it was told.
    Ended(Option<R>),
    /// Somebody had a look at it. Held, since most have not, and should not carry its size.
    Measured(Held<R>),
}

/// Adaptive calls, as what is held.
struct Adaptive;

impl Kind for Adaptive {
    type Of<R> = AdaptiveFuture<R>;
}

/// A result is only ever moved out, never polled in place.
impl<R> Unpin for Call<R> {}

impl<R> Future for Call<R> {
    type Output = R;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        match &mut self.0 {
            Placed::Ended(result) => match result.take() {
                Some(result) => Poll::Ready(result),
                None => panic!("a compute function was polled after it had completed"),
            },
            Placed::Measured(call) => Pin::new(call).poll(cx),
        }
    }
}

#[track_caller]
#[inline]
fn call<Body: 'static, F, R>(at: At<'_>, f: F) -> Call<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let info = at.call_info(at.site.instance::<Body>());
    if at.is_settled(info) {
        return Call(Placed::Ended(Some(settled(at, info, f))));
    }
    Call(Placed::Measured(Held::new::<Adaptive>(place(&at.into_core(), info, f))))
}

/// A call that borrows: it has ended when this returns.
#[track_caller]
#[inline]
fn scoped<Body, F, R>(at: At<'_>, f: F) -> Call<R>
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    let info = at.call_info(at.site.instance_that_borrows::<Body>());
    if at.is_settled(info) {
        return Call(Placed::Ended(Some(settled(at, info, f))));
    }
    Call(Placed::Measured(Held::new::<Adaptive>(scoped_measured(&at.into_core(), info, f))))
}

#[track_caller]
fn scoped_measured<F, R>(core: &Arc<Core>, info: CallInfo, f: F) -> AdaptiveFuture<R>
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    let admitted = Admitted::or_panic(core);
    let decision = decide(core, info);
    let CallInfo { site, class, priority, carrying, .. } = info;
    let function = core.function(site, class);
    let is_there = core.pool().is_some_and(|pool| pool.current_thread_index().is_some());
    if decision.arm == Arm::InlineTokio || is_there {
        return AdaptiveFuture::ended(run_inline(core, function, decision.calls, f));
    }
    function.counters.offloaded.add_one();
    let [inline, offloaded] = function.record.summaries();
    let is_long = [inline, offloaded].iter().any(|times| times.mean > LONG.as_secs_f64() * 1e9);
    let work = || {
        let started = Instant::now();
        let result = f();
        (result, started.elapsed())
    };
    let options = CallOptions { function: Some(Arc::clone(function)), priority, carrying };
    match lend(core, admitted, options, is_long, work) {
        Ok((result, took)) => {
            core.ran(function, Arm::OffloadRayon, took);
            AdaptiveFuture::ended((Ok(result), 1))
        }
        Err(Fault::Panicked(payload)) => resume_unwind(payload),
        Err(Fault::Refused) => panic!("{}", Refusal::ShutDown),
    }
}

/// What goes to the thread where a call may run.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to another thread, where the call may run",
    label = "this argument is not `Send`",
    note = "take what can be sent, such as `Arc` in place of `Rc`, or `Mutex` in place of a borrowed `RefCell`; or make it within the function"
)]
pub trait Argument: Send {}

impl<T: Send> Argument for T {}

/// What comes back from there.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent back from another thread, where the call may run",
    label = "this result is not `Send`",
    note = "give what can be sent, such as `Arc` in place of `Rc`"
)]
pub trait Outcome: Send {}

impl<T: Send> Outcome for T {}

macro_rules! arity {
    ($call:ident $scoped:ident ($($arg:ident: $Arg:ident),*)) => {
        /// Calls a function of so many arguments.
        #[track_caller]
        #[inline]
        #[allow(clippy::too_many_arguments)]
        pub fn $call<$($Arg,)* F, R>(
            at: At<'_>,
            $($arg: $Arg,)*
            f: F,
        ) -> Call<R>
        where
            $($Arg: Argument + 'static,)*
            F: FnOnce($($Arg),*) -> R + Argument + 'static,
            R: Outcome + 'static,
        {
            let inlining = at.inlining;
            call::<F, _, R>(at, move || inlining.call(move || f($($arg),*)))
        }

        /// The same of one that borrows.
        #[track_caller]
        #[inline]
        #[allow(clippy::too_many_arguments)]
        pub fn $scoped<$($Arg,)* F, R>(
            at: At<'_>,
            $($arg: $Arg,)*
            f: F,
        ) -> Call<R>
        where
            $($Arg: Argument,)*
            F: FnOnce($($Arg),*) -> R + Argument,
            R: Outcome,
        {
            let inlining = at.inlining;
            scoped::<F, _, R>(at, move || inlining.call(move || f($($arg),*)))
        }
    };
}

arity! { call0 scoped0 () }
arity! { call1 scoped1 (a: A) }
arity! { call2 scoped2 (a: A, b: B) }
arity! { call3 scoped3 (a: A, b: B, c: C) }
arity! { call4 scoped4 (a: A, b: B, c: C, d: D) }
arity! { call5 scoped5 (a: A, b: B, c: C, d: D, e: E) }
arity! { call6 scoped6 (a: A, b: B, c: C, d: D, e: E, g: G) }
arity! { call7 scoped7 (a: A, b: B, c: C, d: D, e: E, g: G, h: H) }
arity! { call8 scoped8 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I) }
arity! { call9 scoped9 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J) }
arity! { call10 scoped10 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J, k: K) }
arity! { call11 scoped11 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J, k: K, l: L) }
arity! { call12 scoped12 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J, k: K, l: L, m: M) }

/// Any whole number as a size. In a closure, so that a `return` or a `?` is not the function's.
pub fn magnitude<N: Magnitude>(size: impl FnOnce() -> N) -> u64 {
    size().magnitude()
}

/// A runtime that an expression has named.
#[derive(Debug)]
pub struct On(Arc<Core>);

impl On {
    pub(crate) fn new(core: &Arc<Core>) -> Self {
        Self(Arc::clone(core))
    }
}
