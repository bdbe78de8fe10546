//! Fuzzed statuses, polls, places, sizes and texts: each is an answer or a refusal, and what was
//! given away is run or dropped once.

use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{self, Waker};
use std::time::Duration;

use loom_abi::{Bytes, Call, Job, Place, Poll, Status, Text, ThreadKind, Work};

use crate::boundary::{ForeignCall, ForeignFuture, ForeignJob, HostRef, library, text};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, rounds};

use super::Counted;
use super::by_hand::{Random, host};
use super::made_up::{
    HELD, KEPT, Kept, RAN, RANDOM, SAID, WRITTEN, below, change, holds, is_so, made_up, said, say,
};

const CASES: usize = rounds(30_000);

/// A future that is ready, or panics, after some polls.
fn some_time(token: Counted) -> impl Future<Output = ()> + Send + 'static {
    let mut left = below(3);
    let panics = is_so();
    async move {
        let _token = token;
        poll_fn(|_| {
            if left == 0 && panics {
                resume_unwind(Box::new("made up"));
            }
            left = left.saturating_sub(1);
            if left == 0 { task::Poll::Ready(()) } else { task::Poll::Pending }
        })
        .await;
    }
}

/// Polls a future of the other side until it has ended, and checks each answer.
fn poll_to_the_end(mut future: ForeignFuture) {
    loop {
        let polled = Pin::new(&mut future).poll(&mut task::Context::from_waker(Waker::noop()));
        match (polled, Poll(SAID.get())) {
            (task::Poll::Pending, Poll::PENDING) if is_so() => {}
            (task::Poll::Pending, Poll::PENDING) | (task::Poll::Ready(Ok(())), Poll::READY) => {
                break;
            }
            (task::Poll::Ready(Err(_)), other) => {
                assert!(other != Poll::PENDING && other != Poll::READY);
                break;
            }
            (polled, said) => panic!("{said:?} is taken for {polled:?}"),
        }
    }
}

fn text_of(bytes: Bytes) -> &'static str {
    match bytes.len {
        0 => "",
        2 => "\u{fffd}\u{fffd}",
        _ => "text",
    }
}

/// One call of the host; each token is dropped once, sooner or later.
fn call(host: &HostRef, token: Counted) {
    let ran = RAN.get();
    match below(11) {
        0 => {
            let spawned = host.spawn(some_time(token));
            assert_eq!(spawned.as_ref().map_or_else(|status| *status, |_| Status::DONE), said());
            if let Ok(task) = spawned {
                task.abort();
            }
        }
        1 => assert_eq!(host.block_on(some_time(token)), said()),
        2 => poll_to_the_end(host.sleep(Duration::ZERO)),
        3 => poll_to_the_end(host.yield_now()),
        4 => {
            let (status, result) = host.block_in_place(move || drop(token));
            assert_eq!((status, usize::from(result.is_some())), (said(), RAN.get() - ran));
        }
        5 => {
            let (status, a, b) = host.join(|| resume_unwind(Box::new(())), move || drop(token));
            let results = usize::from(a.is_some()) + usize::from(b.is_some());
            assert_eq!((status, results), (said(), RAN.get() - ran));
            assert!(a.is_none_or(|a: Result<(), _>| a.is_err()));
        }
        6 => assert_eq!(host.compute(move || drop(token), 0), said()),
        7 => assert_eq!(host.start_thread(ThreadKind::IO, 0, move || drop(token)), said()),
        8 => {
            let leave = move || {
                let _token = &token;
            };
            assert_eq!(host.register(leave), said());
        }
        9 => {
            assert_eq!(host.here(), Place(SAID.get()));
            assert_eq!(host.begin(Work(say())), said());
            assert_eq!(host.end(Work(say()), Status(say())), said());
            assert_eq!(host.pressure().pressure_level, SAID.get());
        }
        _ => {
            let facts = host.facts();
            let written = WRITTEN.take().expect("the host was asked");
            assert_eq!(facts.io_threads, written.io_threads);
            assert_eq!(facts.compute_threads, written.compute_threads);
            assert_eq!(facts.compute_queue, written.compute_queue);
            assert_eq!(facts.prefix, text_of(written.prefix));
            assert_eq!(facts.name, text_of(written.name));
        }
    }
}

#[test]
fn a_guest_understands_whatever_a_host_says() {
    let (fake, host) = host(change);
    let drops = Arc::new(AtomicUsize::new(0));
    for _ in 0..CASES {
        call(&host, Counted(Arc::clone(&drops)));
        if below(8) == 0 {
            KEPT.take().into_iter().for_each(Kept::end);
        }
    }
    KEPT.take().into_iter().for_each(Kept::end);
    assert_eq!(drops.load(Ordering::Relaxed), CASES, "each token once");
    assert_eq!(HELD.get(), 0, "each task and future of the host once");
    drop(host);
    assert_eq!(Arc::strong_count(&fake), 1);
}

#[test]
fn a_host_understands_whatever_a_guest_says() {
    unsafe extern "C" fn run(data: *mut ()) -> Status {
        // SAFETY: X2, this is its one run.
        unsafe { free(data) };
        Status(say())
    }
    unsafe extern "C" fn free(data: *mut ()) {
        holds(-1);
        // SAFETY: X2 and X9, this is its one end.
        drop(unsafe { Box::from_raw(data.cast::<u64>()) });
    }
    for _ in 0..CASES {
        // SAFETY: X2, it was just made, and has no other holder.
        poll_to_the_end(unsafe { ForeignFuture::raise(made_up()) });
        holds(2);
        let data = || Box::into_raw(Box::new(7_u64)).cast();
        // SAFETY: X2, as above.
        let job = unsafe { ForeignJob::raise(Job { data: data(), run, drop: free }) };
        if is_so() {
            assert_eq!(job.run(), said());
        } else {
            drop(job);
        }
        // SAFETY: X6, the call is used up here.
        let call = unsafe { ForeignCall::raise(Call { data: data(), run }) };
        assert_eq!(call.run(), said());
    }
    assert_eq!(HELD.get(), 0);
}

#[test]
fn a_reason_of_any_length_is_cut_to_its_room() {
    let mut reason = String::new();
    for _ in 0..CASES {
        let capacity = usize::try_from(below(20)).expect("it is small");
        let mut room = vec![0_u8; capacity].into_boxed_slice();
        let data = if capacity == 0 { std::ptr::null_mut() } else { room.as_mut_ptr() };
        let mut place = Text { data, capacity, len: usize::MAX };
        // SAFETY: X4, there is as much room as it says.
        unsafe { text::write(&raw mut place, &reason) };
        let written = std::str::from_utf8(&room[..place.len]).expect("it is cut between letters");
        assert!(reason.starts_with(written));
        assert!(place.len == reason.len() || capacity - place.len < 4, "{reason}, {capacity}");
        reason.push(char::from_u32(RANDOM.with_borrow_mut(Random::number)).unwrap_or('ü'));
        if below(16) == 0 {
            reason.clear();
        }
    }
    // And as the reader's side takes it, with any length and any bytes.
    for _ in 0..CASES / 10 {
        let told = library::with_reason(|place| {
            // SAFETY: X4, the place is lent to this closure.
            let place = unsafe { &mut *place };
            // SAFETY: X4, as above; the place has as many bytes.
            let room = unsafe { std::slice::from_raw_parts_mut(place.data, place.capacity) };
            room[..4].copy_from_slice(&RANDOM.with_borrow_mut(Random::number).to_le_bytes());
            place.len =
                [0, 1, 2, 3, 4, 511, 512, 513, usize::MAX][usize::try_from(below(9)).unwrap_or(0)];
            place.data = std::ptr::null_mut();
            place.capacity = usize::MAX;
            Status(say())
        });
        match told {
            Ok(()) => assert_eq!(said(), Status::DONE),
            Err((status, reason)) => {
                assert!(status == said() && status != Status::DONE);
                assert!(reason.chars().count() <= 512, "{reason}");
            }
        }
    }
}
