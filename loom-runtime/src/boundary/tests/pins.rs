//! A thread that gives a value back stays pinned to the library whose code it still has to leave.

use std::cell::Cell;
use std::env;
use std::future::{pending, poll_fn};
use std::process::Command;
use std::task;

use loom_abi::{Future, Runtime, Status};

use crate::boundary::waker::foreign::Foreign;
use crate::boundary::{Beside, ForeignJob, look, pin};
use crate::sync::{Arc, Mutex};

use super::by_hand::{drop_future, elsewhere, host};
use super::{Counting, pair};

/// Whether a new thread is pinned once it has done this with the value.
fn pins<T>(value: T, f: impl FnOnce(T) + Send) -> bool {
    elsewhere(value, |value| {
        assert!(!pin::stays(), "the thread is new");
        f(value);
        pin::stays()
    })
}

#[test]
fn whoever_gives_a_value_back_stays() {
    let (fake, host) = pair();
    for is_polled in [false, true] {
        let task = host.spawn(poll_fn(|_| task::Poll::Ready(()))).expect("it is taken");
        let mut future = fake.futures.lock().expect("not poisoned").pop().expect("it was spawned");
        if is_polled {
            let mut cx = task::Context::from_waker(task::Waker::noop());
            assert!(std::pin::Pin::new(&mut future).poll(&mut cx).is_ready());
        }
        assert!(pins(future, drop));
        assert!(pins(task, drop));
        host.compute(|| (), 1);
        let job = fake.jobs.lock().expect("not poisoned").pop().expect("it was queued");
        let end = |job: ForeignJob| {
            if is_polled {
                job.run();
            }
        };
        assert!(pins(job, end));
        host.register(|| ());
        let guest = fake.guest.lock().expect("not poisoned").take().expect("it has registered");
        assert!(pins(guest, |guest| if is_polled { guest.leave() } else { drop(guest) }));
    }
    assert!(pins(host, drop), "the host's library, by a count of its runtime");
}

/// Also where another thread may give up the last count meanwhile.
#[test]
fn whoever_gives_up_any_count_of_a_waker_stays() {
    let counting = Arc::new(Counting::default());
    let foreign = Foreign::lower(task::Waker::from(counting));
    let [one, other] = [(); 2].map(|()| foreign.with(task::Waker::clone));
    assert!(!pins(&one, |one: &task::Waker| one.wake_by_ref()), "it has given up nothing");
    assert!(pins(one, drop));
    drop(foreign);
    assert!(pins(other, task::Waker::wake), "the last one");
}

#[test]
fn whoever_ends_what_was_lent_stays() {
    static PINNED: Mutex<Vec<bool>> = Mutex::new(Vec::new());
    unsafe extern "C" fn block_on(_: *const Runtime, future: Future) -> Status {
        let is_pinned = pins(future, |future| assert_eq!(drop_future(&future), Status::REFUSED));
        PINNED.lock().expect("not poisoned").push(is_pinned);
        Status::DONE
    }
    let (_fake, host) = host(|table| table.block_on = block_on);
    assert_eq!(host.block_on(pending()), Status::DONE);
    assert_eq!(*PINNED.lock().expect("not poisoned"), [true]);
}

/// Thread-locals are dropped from the newest to the oldest.
#[test]
#[cfg_attr(miri, ignore = "Miri starts no processes")]
fn a_thread_that_gives_a_value_back_as_it_ends_keeps_the_library_for_good() {
    const IS_ALONE: &str = "LOOM_PINS_IS_ALONE";
    const NAME: &str = "a_thread_that_gives_a_value_back_as_it_ends_keeps_the_library_for_good";
    thread_local! {
        static KEPT: Cell<Option<ForeignJob>> = const { Cell::new(None) };
    }
    // It keeps this program's library, too, so a process of its own does it.
    if env::var_os(IS_ALONE).is_none() {
        let program = env::current_exe().expect("the system knows it");
        let mut child = Command::new(program);
        let test = format!("boundary::tests::pins::{NAME}");
        let output = child.args(["--exact", &test]).env(IS_ALONE, "1").output();
        let output = output.expect("it is started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let (fake, host) = pair();
    for (is_last, stays) in [(true, 0), (false, 1)] {
        host.compute(|| (), 1);
        let job = fake.jobs.lock().expect("not poisoned").pop().expect("it was queued");
        elsewhere(job, |job| {
            if is_last {
                pin::stay();
            }
            KEPT.set(Some(job));
            if !is_last {
                pin::stay();
            }
        });
        let (report, beside, ()) = look(|| ());
        assert_eq!(report.jobs, 0);
        assert_eq!(beside, Beside { threads: stays, hosts: 0, runtimes: 1 });
    }
    let beside = || look(|| ()).1;
    host.register(|| ());
    assert_eq!(beside(), Beside { threads: 1, hosts: 1, runtimes: 1 });
    host.unregister();
    drop(host);
    assert_eq!(beside(), Beside { threads: 1, hosts: 0, runtimes: 0 });
}
