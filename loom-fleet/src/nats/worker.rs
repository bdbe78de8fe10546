//! The worker's side.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::{Client, HeaderMap, Message, Subject, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use loom::fleet::{FleetFunction, Refused, functions, spawn_answer};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, sleep, timeout};

use crate::desk::{Answer, Desk};

use super::message::{self, OVERHEAD, QUEUE_GROUP, Subjects};

/// What the tasks of a worker share.
struct Worker {
    client: Client,
    desk: Arc<Desk>,
    /// After which silence a call is lost. A call that runs gives four signs of life in that time.
    silence: Duration,
    /// The calls that run, by their inboxes: a message drops one.
    running: Mutex<HashMap<String, oneshot::Sender<()>>>,
}

/// A call that runs, until this is dropped.
struct Running<'a> {
    worker: &'a Worker,
    inbox: &'a str,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.worker.running().remove(self.inbox);
    }
}

/// Serves until the runtime begins to end, and until the calls that had come by then are answered.
pub(crate) async fn serve(client: Client, subjects: Subjects, desk: Arc<Desk>, silence: Duration) {
    let worker = Arc::new(Worker { client, desk, silence, running: Mutex::default() });
    let mut takes = JoinSet::new();
    for function in functions() {
        let group = QUEUE_GROUP.to_owned();
        match worker.client.queue_subscribe(subjects.call(function), group).await {
            Ok(calls) => drop(takes.spawn(Arc::clone(&worker).take(function, calls))),
            Err(error) => tracing::error!("`{}` is not served: {error}", function.name()),
        }
    }
    match worker.client.subscribe(subjects.drop()).await {
        Ok(drops) => drop(tokio::spawn(Arc::clone(&worker).give_up(drops))),
        Err(error) => tracing::error!("calls that nobody wants are run all the same: {error}"),
    }
    while takes.join_next().await.is_some() {}
}

impl Worker {
    /// Takes the calls of one function.
    async fn take(self: Arc<Self>, function: &'static FleetFunction, mut calls: Subscriber) {
        loop {
            let call = tokio::select! {
                () = self.desk.leaves() => break,
                call = calls.next() => call,
            };
            let Some(call) = call else { return };
            self.begin(function, call);
        }
        // F5: from now on the desk refuses.
        if calls.drain().await.is_ok() {
            while let Some(call) = calls.next().await {
                self.begin(function, call);
            }
        }
    }

    fn begin(self: &Arc<Self>, function: &'static FleetFunction, call: Message) {
        let Some(inbox) = call.reply.clone() else { return };
        let Some(called) = message::call(&call) else {
            let why = "it is no call of this version of Loom".to_owned();
            let answer = message::of_answer(Answer::Refused(Refused::Skew(why)));
            tokio::spawn(Arc::clone(self).send(inbox, answer));
            return;
        };
        let worker = Arc::clone(self);
        // Where the runtime refuses, the caller sees that nobody answers.
        spawn_answer(async move {
            let (dropped, is_dropped) = oneshot::channel();
            worker.running().insert(inbox.to_string(), dropped);
            let running = Running { worker: &worker, inbox: &inbox };
            let answer = worker.desk.answer(function, &called, &call.payload);
            let answer = tokio::select! {
                // A call that ends within its first poll needs no timer for signs of life.
                biased;
                answer = answer => Some(answer),
                Ok(()) = is_dropped => None,
                never = worker.live(&inbox) => match never {},
            };
            drop(running);
            if let Some(answer) = answer {
                let answer = worker.fitting(message::of_answer(answer));
                worker.send(inbox, answer).await;
            }
        });
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<()>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer, or that it is too large.
    fn fitting(&self, (headers, payload): (HeaderMap, Vec<u8>)) -> (HeaderMap, Vec<u8>) {
        if payload.len() > self.client.max_payload().saturating_sub(OVERHEAD) {
            return message::of_large(payload.len());
        }
        (headers, payload)
    }

    /// Gives signs of life.
    async fn live(&self, inbox: &Subject) -> std::convert::Infallible {
        let beat = self.silence / 4;
        let mut beats = interval_at(Instant::now() + beat, beat);
        loop {
            beats.tick().await;
            let sign = message::of_life();
            // A connection that is lost shows at the caller.
            drop(self.client.publish_with_headers(inbox.clone(), sign, Bytes::new()).await);
        }
    }

    async fn send(self: Arc<Self>, inbox: Subject, (headers, payload): (HeaderMap, Vec<u8>)) {
        let sent = async {
            let sent = self.client.publish_with_headers(inbox, headers, payload.into()).await;
            // F5: the process may be about to end.
            if sent.is_ok() && self.desk.has_left() {
                drop(self.client.flush().await);
            }
            sent
        };
        // Who has waited for longer has given up: a connection that takes nothing holds nobody up.
        match timeout(self.silence, sent).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("an answer was not sent: {error}"),
            Err(_) => tracing::warn!("an answer was not sent: the connection takes nothing"),
        }
    }

    /// Drops the calls that nobody wants any more.
    async fn give_up(self: Arc<Self>, mut drops: Subscriber) {
        // It is there for as long as calls run.
        while !(self.desk.has_left() && self.running().is_empty()) {
            let ends = async {
                self.desk.leaves().await;
                sleep(self.silence).await;
            };
            let message = tokio::select! {
                message = drops.next() => message,
                () = ends => continue,
            };
            let Some(message) = message else { return };
            let Ok(inbox) = std::str::from_utf8(&message.payload) else { continue };
            let running = self.running().remove(inbox);
            if let Some(running) = running {
                let _ = running.send(());
            }
        }
    }
}
