//! A call that comes from another process.

use tokio::task::JoinHandle;
use tokio::task_local;

use crate::core::{Admitted, FleetFunction, Serving, Spot, context};
use crate::threads::task;

use super::super::baggage::Lent;
use super::along::{TravelsAlong, Within, read};
use super::codec::{Travels, decode, encode};

task_local! {
    /// The task runs a call of another process.
    static SERVING: ();
}

/// Whether the current task runs a call of another process, which goes to no third one.
pub(super) fn is_serving() -> bool {
    SERVING.try_with(|()| ()).is_ok()
}

/// Spawns a task that answers a call of another process, on the current runtime. It counts as work of the
/// runtime until it has ended. `None` where there is no runtime, or it takes no new work.
pub fn spawn_answer<F>(answer: F) -> Option<JoinHandle<F::Output>>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let core = context::current()?;
    let tokio = core.tokio.get()?;
    let place = Spot::named("a call of another process");
    Some(task::spawn(Admitted::to(&core).ok()?, place, tokio, answer))
}

/// All functions of this program with `fleet`, which the linker collects.
#[linkme::distributed_slice]
pub static FLEET: [FleetFunction];

fn serving<R: Travels, F>(carried: Lent, call: impl FnOnce() -> F) -> Serving
where
    F: Future<Output = R> + Send + 'static,
{
    if carried.is_empty() {
        let call = call();
        return Box::pin(SERVING.scope((), async move { encode(&call.await) }));
    }
    let call = Within::begin(carried, call);
    Box::pin(SERVING.scope((), async move { encode(&call.await) }))
}

macro_rules! arity {
    ($serve:ident ($($arg:ident: $Arg:ident),*)) => {
        /// Begins a call of a function of so many arguments.
        #[allow(clippy::missing_errors_doc, unused_parens)]
        pub fn $serve<$($Arg,)* F>(
            message: &[u8],
            carried: &'static [&'static dyn TravelsAlong],
            f: impl FnOnce($($Arg),*) -> F,
        ) -> Result<Serving, String>
        where
            $($Arg: Travels,)*
            F: Future<Output: Travels> + Send + 'static,
        {
            let (carried, arguments) = read(carried, message)?;
            let ($($arg,)*) = decode::<($($Arg,)*)>(arguments)?;
            Ok(serving(carried, move || f($($arg),*)))
        }
    };
}

arity! { serve0 () }
arity! { serve1 (a: A) }
arity! { serve2 (a: A, b: B) }
arity! { serve3 (a: A, b: B, c: C) }
arity! { serve4 (a: A, b: B, c: C, d: D) }
arity! { serve5 (a: A, b: B, c: C, d: D, e: E) }
arity! { serve6 (a: A, b: B, c: C, d: D, e: E, g: G) }
arity! { serve7 (a: A, b: B, c: C, d: D, e: E, g: G, h: H) }
arity! { serve8 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I) }
arity! { serve9 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J) }
arity! { serve10 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J, k: K) }
arity! { serve11 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J, k: K, l: L) }
arity! { serve12 (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J, k: K, l: L, m: M) }
