//! The inbox of a caller: one subscription for the answers to all its calls.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_nats::{Client, Message};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The calls of a caller that wait for messages, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    next: AtomicU64,
    /// Makes the numbers of calls such that nobody can guess them who has seen others.
    keys: RandomState,
    inbox: OnceLock<String>,
    /// Cancelled when the last one of these has gone.
    gone: CancellationToken,
    waiting: Mutex<HashMap<u64, mpsc::UnboundedSender<Message>>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.gone.cancel();
    }
}

/// A call that waits for messages, until this is dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    answers: Answers,
    number: u64,
    messages: mpsc::UnboundedReceiver<Message>,
}

impl Answers {
    /// Subscribes to the inbox, and hands messages on for as long as the connection exists.
    pub(crate) async fn receive(&self, client: &Client) {
        let inbox = self.0.inbox.get_or_init(|| client.new_inbox()).clone();
        let mut messages = match client.subscribe(format!("{inbox}.*")).await {
            Ok(messages) => messages,
            Err(error) => {
                tracing::error!("the fleet's answers cannot be received: {error}");
                return;
            }
        };
        let (shared, gone) = (Arc::downgrade(&self.0), self.0.gone.clone());
        tokio::spawn(async move {
            while let Some(Some(message)) = gone.run_until_cancelled(messages.next()).await {
                let Some(shared) = shared.upgrade() else { return };
                let number = message.subject.rsplit('.').next().and_then(|n| n.parse().ok());
                let waiting = shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                // F1: what comes late is ignored.
                if let Some(call) = number.and_then(|number: u64| waiting.get(&number)) {
                    let _ = call.send(message);
                }
            }
        });
    }

    /// A new call; `None` before there is an inbox.
    pub(crate) fn wait(&self) -> Option<Waiting> {
        self.0.inbox.get()?;
        let number = self.0.keys.hash_one(self.0.next.fetch_add(1, Ordering::Relaxed));
        let (sender, messages) = mpsc::unbounded_channel();
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(number, sender);
        drop(waiting);
        Some(Waiting { answers: self.clone(), number, messages })
    }
}

impl Waiting {
    /// Where its answers go.
    pub(crate) fn inbox(&self) -> String {
        let inbox = self.answers.0.inbox.get().map_or("", String::as_str);
        format!("{inbox}.{}", self.number)
    }

    /// The next message. There is always one more, or a time-out of the caller's.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        self.messages.recv().await
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waiting = self.answers.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(&self.number);
    }
}
