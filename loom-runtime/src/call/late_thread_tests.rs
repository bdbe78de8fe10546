//! A compute thread that starts late: what has come for it meanwhile does not run on top of a call.

use std::cell::Cell;

use rayon::{ThreadBuilder, ThreadPoolBuilder};

use super::accounting::CallOptions;
use super::compute::{ComputeFuture, offload};
use crate::core::{Admitted, Core, Pools};
use crate::scheduler::MabKnobs;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, mpsc, thread};
use crate::threads::drainer;
use crate::topology::{CoreBudget, Plan, Request};

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// The keeper broadcasts, and a thread looks for what was broadcast before what was spawned, so the
/// jobs that the thread begins with come in another order.
#[test]
fn a_thread_that_starts_late_runs_no_call_on_top_of_another() {
    const CALLS: usize = 8;
    let (sender, late) = mpsc::channel::<ThreadBuilder>();
    let keep = move |builder| sender.send(builder).map_err(|_| std::io::Error::other("gone"));
    let pool = ThreadPoolBuilder::new().num_threads(1).spawn_handler(keep).build();
    let pools = Arc::new(Pools::new(pool.expect("it starts nothing"), "late", &Arc::default()));
    let plan = Arc::new(Plan::new(CoreBudget::discover(), Request::default()));
    // There is a place for a second thread, which the same thread might take.
    let core = Arc::new(Core::new(plan, Some(1), 2, 64, MabKnobs::new()));
    core.pools.set(Arc::downgrade(&pools)).expect("it is new");
    drainer::prepare(&core, pools.current());

    let deepest = Arc::new(AtomicUsize::new(0));
    let (sender, ended) = mpsc::channel();
    for _ in 0..CALLS {
        let (deepest, sender) = (Arc::clone(&deepest), sender.clone());
        let admitted = Admitted::to(&core).expect("the core is new");
        let call = offload(&core, admitted, CallOptions::default(), move || {
            DEPTH.set(DEPTH.get() + 1);
            deepest.fetch_max(DEPTH.get(), Ordering::Relaxed);
            for _ in 0..4 {
                rayon::yield_now();
            }
            DEPTH.set(DEPTH.get() - 1);
            let _ = sender.send(());
        });
        ComputeFuture::or_panic(call).detach();
    }
    drainer::fetch_from_all(&core);
    let late = late.recv();
    let thread = thread::spawn(|| late.expect("rayon has asked for a thread").run());
    for _ in 0..CALLS {
        ended.recv().expect("each call ends");
    }
    assert_eq!(deepest.load(Ordering::Relaxed), 1, "each ran on its own");
    drop(pools);
    thread.join().expect("it ends with its pool");
}
