//! The functions that an expansion of `#[loom::compute]` calls.
//!
//! The expansion calls one function, which it selects by the number of arguments. It passes the
//! site, the arguments, and the body as a closure that takes the arguments:
//!
//! ```text
//! call2(At::site(&SITE), a, b, |a, b| -> R { body }).await
//! ```
//!
//! Arguments are passed one by one, rather than captured by a closure. So the compiler reports an
//! argument that cannot be sent at that argument, and once.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::bridge::{Fault, Priority};
#[cfg(feature = "fleet")]
use crate::core::Admitted;
use crate::core::{Core, Refusal, Stopwatch, thread_stats};
use crate::pool::Held;
#[cfg(feature = "fleet")]
use crate::scheduler::Decision;
use crate::scheduler::{Arm, Site};
use crate::sync::Arc;

use super::adaptive::{AdaptiveFuture, Payload, ended_by, run_inline};
use super::baggage::{CarriedKeys, Carry};
use super::bounds::{Argument, On, Outcome};
use super::current::{current_core, is_settled};
use super::decide::{CallInfo, decide};
use super::entering::{admit, begins_in_time};
use super::limited::{Adaptive, enter_and_place};
use super::scope::lend;
use super::spans;
use super::spin;

/// The function that is called, and the properties of the call that its attribute and its arguments
/// set.
///
/// It has no destructor: with one, every annotated function would contain code to drop it.
#[derive(Clone, Copy)]
pub struct At<'a> {
    site: &'static Site,
    size: Option<u64>,
    priority: Priority,
    carrying: CarriedKeys,
    /// The core of the runtime that the attribute names.
    core: Option<&'a Arc<Core>>,
}

impl<'a> At<'a> {
    /// The call of a function, with default properties.
    #[inline]
    #[must_use]
    pub const fn site(site: &'static Site) -> Self {
        Self { site, size: None, priority: Priority::Normal, carrying: &[], core: None }
    }

    /// Sets how large the input is.
    #[inline]
    #[must_use]
    pub const fn size(mut self, size: u64) -> Self {
        self.size = Some(size);
        self
    }

    /// Sets the priority in the queue.
    #[inline]
    #[must_use]
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Sets the task-locals that an offloaded call carries.
    #[inline]
    #[must_use]
    pub const fn carrying(mut self, names: &'static [&'static dyn Carry]) -> Self {
        self.carrying = names;
        self
    }

    /// Sets the runtime, in place of the current one.
    #[inline]
    #[must_use]
    pub const fn on(mut self, runtime: &'a On) -> Self {
        self.core = Some(&runtime.0);
        self
    }
}

impl At<'_> {
    /// The call of a function that awaits, and the core that the attribute names.
    pub(super) fn polled<Body: 'static>(self) -> (CallInfo, Option<Arc<Core>>) {
        let Self { site, size, priority, carrying, core } = self;
        let called = Called::of(site.instance::<Body>(), size);
        (called.info(priority, carrying), core.cloned())
    }
}

#[cfg(feature = "fleet")]
impl<'a> At<'a> {
    /// A call that is decided elsewhere, unless it is settled.
    #[inline]
    pub(super) fn begin<Body: 'static>(self) -> Beginning<'a> {
        let Self { site, size, priority, carrying, core: named } = self;
        let called = Called::of(site.instance::<Body>(), size);
        Beginning { named, called, info: called.info(priority, carrying) }
    }
}

/// A call about which nothing is decided.
#[cfg(feature = "fleet")]
pub(super) struct Beginning<'a> {
    named: Named<'a>,
    called: Called,
    pub(super) info: CallInfo,
}

#[cfg(feature = "fleet")]
impl Beginning<'_> {
    #[inline]
    pub(super) fn is_settled(&self) -> bool {
        self.called.is_settled(self.named)
    }

    pub(super) fn core(&self) -> Arc<Core> {
        core_of(self.named)
    }

    /// Runs a settled call.
    #[inline]
    pub(super) fn run<R>(self, f: impl FnOnce() -> R) -> Call<R> {
        Call(Placed::Ended(Some(settled(self.named, self.called, f))))
    }

    /// Places a call that was decided to run in this process.
    #[inline(never)]
    pub(super) fn place<F, R>(self, admitted: Admitted, decision: Decision, f: F) -> Call<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        Call(Placed::Measured(enter_and_place(admitted, self.info, Some(decision), f)))
    }
}

/// The runtime that the attribute names.
type Named<'a> = Option<&'a Arc<Core>>;

#[inline]
fn core_of(named: Named<'_>) -> Arc<Core> {
    named.map_or_else(current_core, Arc::clone)
}

/// The instance of the function that is called, and the class of its input. A settled call needs no
/// more.
#[derive(Clone, Copy)]
struct Called {
    site: &'static Site,
    class: u8,
}

impl Called {
    #[inline]
    fn of(site: &'static Site, input: Option<u64>) -> Self {
        Self { site, class: input.map_or(0, |size| site.class(size)) }
    }

    /// Whether a call is settled, by the per-thread statistics of this thread.
    #[inline]
    fn is_settled(self, named: Named<'_>) -> bool {
        let Self { site, class } = self;
        match named {
            None => is_settled(site, class),
            Some(core) => thread_stats::is_settled(core, site.index(class)),
        }
    }

    /// The call's description.
    fn info(self, priority: Priority, carrying: CarriedKeys) -> CallInfo {
        let Self { site, class } = self;
        CallInfo { site, class, hint: site.hint(), priority, carrying }
    }
}

/// Calls the body of a function, which may run in three places. It is compiled once, for all of them.
#[inline(never)]
pub(super) fn body<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Runs a settled call: inline, with no read of a clock except the coarse one of `os::tick`.
#[inline]
fn settled<R>(named: Named<'_>, called: Called, f: impl FnOnce() -> R) -> R {
    match catch_unwind(AssertUnwindSafe(|| spans::inline(called.site, f))) {
        Ok(result) => result,
        Err(payload) => panicked(named, called, payload),
    }
}

/// Counts the panic of a settled call, and lets it go on.
#[cold]
fn panicked(named: Named<'_>, Called { site, class }: Called, payload: Payload) -> ! {
    let core = core_of(named);
    resume_unwind(ended_by(&core, core.function(site, class), payload))
}

/// A call, as a future of its result.
#[derive(Debug)]
pub struct Call<R>(Placed<R>);

#[derive(Debug)]
enum Placed<R> {
    /// A settled call, which has run. `None` once the result was taken.
    Ended(Option<R>),
    /// A measured call. Held elsewhere, since most calls are settled and should not have its size.
    Measured(Held<R>),
}

/// A result is only moved out, never pinned.
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
    // Taken apart: were all of it passed on, each call would put it into memory, a settled one, too.
    let At { site, size, priority, carrying, core } = at;
    let called = Called::of(site.instance::<Body>(), size);
    if called.is_settled(core) {
        return Call(Placed::Ended(Some(settled(core, called, f))));
    }
    Call(Placed::Measured(measured(core, called, priority, carrying, f)))
}

/// Places a measured call. It returns what is held alone: in registers, a settled call's result takes
/// less time than in memory.
#[track_caller]
#[inline(never)]
fn measured<F, R>(
    named: Named<'_>,
    called: Called,
    priority: Priority,
    carrying: CarriedKeys,
    f: F,
) -> Held<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let info = called.info(priority, carrying);
    enter_and_place(admit(&core_of(named)), info, None, f)
}

/// A call that borrows: it has ended when this returns.
#[track_caller]
#[inline]
fn scoped<Body, F, R>(at: At<'_>, f: F) -> Call<R>
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    let At { site, size, priority, carrying, core } = at;
    let called = Called::of(site.instance_that_borrows::<Body>(), size);
    if called.is_settled(core) {
        return Call(Placed::Ended(Some(settled(core, called, f))));
    }
    let call = scoped_measured(&core_of(core), called.info(priority, carrying), f);
    Call(Placed::Measured(Held::new::<Adaptive>(call)))
}

#[track_caller]
fn scoped_measured<F, R>(core: &Arc<Core>, info: CallInfo, f: F) -> AdaptiveFuture<R>
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    let admitted = admit(core);
    let function = info.function(core);
    function.site.takes_no_limit();
    begins_in_time(function);
    let decision = decide(core, info);
    let is_on_pool = core.is_own_compute_thread();
    if decision.arm == Arm::InlineTokio || is_on_pool {
        return AdaptiveFuture::ended(run_inline(core, function, decision, f));
    }
    function.counters.offloaded.add_one();
    let patience = spin::lent_patience(core, function.on_pool.micros());
    let is_looked_at = function.wants_look_on_pool();
    let work = || {
        let watch = Stopwatch::start(is_looked_at);
        let result = f();
        (result, watch.stop())
    };
    let options = info.options(core);
    match lend(core, admitted, options, patience, work) {
        Ok((result, run)) => {
            core.ran(function, Arm::OffloadRayon, run);
            AdaptiveFuture::ended((Ok(result), 1))
        }
        Err(Fault::Panicked(payload)) => resume_unwind(payload),
        Err(Fault::Refused) => panic!("{}", Refusal::ShutDown),
    }
}

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
            call::<F, _, R>(at, move || body(move || f($($arg),*)))
        }

        /// Calls a function of so many arguments, some of which are borrowed.
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
            scoped::<F, _, R>(at, move || body(move || f($($arg),*)))
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
