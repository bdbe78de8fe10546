//! A fleet within a process: its members are runtimes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use loom::LoomRuntime;
use loom::fleet::{Calling, Failure, Refused, Request, Transport, spawn_answer};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::desk::{Answer, Called, Desk};
use crate::fleet::Member;

/// The middle of a fleet within a process. Its clones are one hub.
///
/// Arguments and results are written and read as over a network, so that a test finds what cannot travel.
#[derive(Clone, Default)]
pub struct Hub(Arc<Mutex<Members>>);

#[derive(Default)]
struct Members {
    by_fleet: HashMap<String, Vec<Worker>>,
    /// The member that is asked next.
    next: usize,
}

#[derive(Clone)]
struct Worker {
    desk: Weak<Desk>,
    calls: mpsc::UnboundedSender<Call>,
}

struct Call {
    request: Request,
    called: Called,
    answers: oneshot::Sender<Answer>,
}

impl Hub {
    /// A hub without members.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn join(
        &self,
        member: Member,
        runtime: &LoomRuntime,
        desk: Option<Arc<Desk>>,
    ) -> Arc<dyn Transport> {
        let mut own = Weak::new();
        if let Some(desk) = desk {
            let (sender, calls) = mpsc::unbounded_channel();
            let worker = Worker { desk: Arc::downgrade(&desk), calls: sender };
            let mut members = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            members.by_fleet.entry(member.name.clone()).or_default().push(worker);
            drop(members);
            own = Arc::downgrade(&desk);
            // Tracked, so that a shutdown waits until the last call is answered.
            runtime.spawn_async(serve(desk, calls));
        }
        Arc::new(Caller { hub: self.clone(), own, member })
    }

    /// A member other than `own`, another one each time. All are of this program, so each has the function.
    fn worker(&self, fleet: &str, own: &Weak<Desk>) -> Option<Worker> {
        let mut members = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        members.next = members.next.wrapping_add(1);
        let next = members.next;
        let workers = members.by_fleet.get_mut(fleet)?;
        workers.retain(|worker| worker.desk.upgrade().is_some_and(|desk| !desk.has_left()));
        let others: Vec<_> = workers.iter().filter(|worker| !worker.desk.ptr_eq(own)).collect();
        others.get(next % others.len().max(1)).map(|worker| (*worker).clone())
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

async fn serve(desk: Arc<Desk>, mut calls: mpsc::UnboundedReceiver<Call>) {
    loop {
        let call = tokio::select! {
            () = desk.leaves() => break,
            call = calls.recv() => call,
        };
        let Some(call) = call else { break };
        let desk = Arc::clone(&desk);
        // Where the runtime refuses, the caller sees that nobody answers.
        spawn_answer(async move {
            let Call { request, called, mut answers } = call;
            let answer = desk.answer(request.function, &called, &request.arguments);
            let answer = tokio::select! {
                answer = answer => Some(answer),
                () = answers.closed() => None,
            };
            drop(answer.map(|answer| answers.send(answer)));
        });
    }
    calls.close();
    while let Some(call) = calls.recv().await {
        drop(call.answers.send(Answer::Refused(Refused::Full)));
    }
}

struct Caller {
    hub: Hub,
    own: Weak<Desk>,
    member: Member,
}

impl Transport for Caller {
    fn is_preferred(&self) -> bool {
        self.member.is_preferred
    }

    fn limit(&self) -> usize {
        usize::MAX
    }

    fn call(&self, request: Request) -> Calling {
        let worker = self.hub.worker(&self.member.name, &self.own);
        let left = request.time_left(self.member.time_limit);
        let fingerprint = request.function.fingerprint();
        let called = Called { fingerprint, left, headers: self.member.propagator.headers() };
        Box::pin(async move {
            let Some(worker) = worker else { return Err(Failure::Refused(Refused::NoWorker)) };
            let (answers, answer) = oneshot::channel();
            if worker.calls.send(Call { request, called, answers }).is_err() {
                return Err(Failure::Refused(Refused::NoWorker));
            }
            let Ok(answer) = timeout(left, answer).await else {
                return Err(Failure::Expired(left));
            };
            match answer {
                Ok(answer) => answer.seen_by_caller(left),
                Err(_) => Err(Failure::Lost("its runtime has ended".to_owned())),
            }
        })
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("hub", &self.member.name).finish_non_exhaustive()
    }
}
