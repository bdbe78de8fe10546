//! The caller's side.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use async_nats::Client;
use async_nats::connection::State;
use bytes::Bytes;
use loom::fleet::{Calling, Failure, Refused, Request, Response, Transport};
use tokio::time::timeout;

use crate::fleet::Member;
use crate::spans::Propagator;

use super::Connection;
use super::answers::{Answers, Waiting};
use super::message::{self, OVERHEAD, Read, Subjects};

pub(crate) struct Caller {
    subjects: Subjects,
    connection: Connection,
    answers: Answers,
    time_limit: Duration,
    lost_after: Duration,
    is_preferred: bool,
    propagator: Propagator,
}

impl Caller {
    pub(crate) fn new(
        member: &Member,
        subjects: Subjects,
        connection: Connection,
        answers: Answers,
    ) -> Self {
        let Member { time_limit, is_preferred, .. } = *member;
        let lost_after = member.silence();
        let propagator = member.propagator.clone();
        Self { subjects, connection, answers, time_limit, lost_after, is_preferred, propagator }
    }

    fn begin(&self, request: &Request) -> Result<UnderWay, Failure> {
        let away = || Failure::Refused(Refused::Away);
        let client = self.connection.get().ok_or_else(away)?;
        if client.connection_state() != State::Connected {
            return Err(away());
        }
        Ok(UnderWay {
            client: client.clone(),
            waiting: self.answers.wait().ok_or_else(away)?,
            call: self.subjects.call(request.function),
            drop: self.subjects.drop(),
            lost_after: self.lost_after,
            headers: self.propagator.headers(),
            may_run: false,
        })
    }
}

impl Transport for Caller {
    fn is_preferred(&self) -> bool {
        self.is_preferred
    }

    fn limit(&self) -> usize {
        let most = |client: &Client| client.max_payload().saturating_sub(OVERHEAD);
        self.connection.get().map_or(usize::MAX, most)
    }

    fn call(&self, request: Request) -> Calling {
        let begun = self.begin(&request);
        let time_limit = request.time_left(self.time_limit);
        Box::pin(async move { begun?.answer(request, time_limit).await })
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("subjects", &self.subjects).finish_non_exhaustive()
    }
}

/// A call that is under way. Dropped before its answer, it says so to the workers.
struct UnderWay {
    client: Client,
    waiting: Waiting,
    call: String,
    drop: String,
    lost_after: Duration,
    /// What it tells of the caller's span.
    headers: HashMap<String, String>,
    /// Whether a worker may have it.
    may_run: bool,
}

impl UnderWay {
    async fn answer(mut self, request: Request, time_limit: Duration) -> Result<Response, Failure> {
        let lost_after = self.lost_after;
        let began = Instant::now();
        let fingerprint = request.function.fingerprint();
        let headers = message::of_call(fingerprint, time_limit, &self.headers);
        let arguments = Bytes::from(request.arguments);
        let (call, inbox) = (std::mem::take(&mut self.call), self.waiting.inbox());
        let sent = self.client.publish_with_reply_and_headers(call, inbox, headers, arguments);
        // The way to the connection may be blocked; what was not taken is not sent.
        let Ok(Ok(())) = timeout(lost_after, sent).await else {
            return Err(Failure::Refused(Refused::Away));
        };
        self.may_run = true;
        loop {
            let left = time_limit.saturating_sub(began.elapsed());
            let Ok(Some(message)) = timeout(left.min(lost_after), self.waiting.next()).await else {
                if began.elapsed() >= time_limit {
                    return Err(Failure::Expired(time_limit));
                }
                return Err(Failure::Lost(format!("nobody has answered for {lost_after:?}")));
            };
            let answer = match message::read(message) {
                Read::Lives | Read::Unknown => continue,
                Read::Nobody => Err(Failure::Refused(Refused::NoWorker)),
                Read::Large(bytes) => {
                    let limit = self.client.max_payload().saturating_sub(OVERHEAD);
                    let large = Refused::TooLarge { bytes, limit };
                    Err(Failure::Lost(format!("its result was not sent: {large}")))
                }
                Read::Answer(answer) => answer.seen_by_caller(time_limit),
            };
            self.may_run = false;
            return answer;
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if !self.may_run {
            return;
        }
        let (client, subject) = (self.client.clone(), std::mem::take(&mut self.drop));
        let inbox = Bytes::from(self.waiting.inbox());
        // F4: outside of a runtime nobody is told.
        if let Ok(tokio) = tokio::runtime::Handle::try_current() {
            let lost_after = self.lost_after;
            tokio.spawn(async move {
                // A connection that takes nothing has lost the call anyway.
                drop(timeout(lost_after, client.publish(subject, inbox)).await);
            });
        }
    }
}
