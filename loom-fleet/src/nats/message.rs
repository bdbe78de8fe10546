//! Subjects and headers.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

use async_nats::{HeaderMap, HeaderName, HeaderValue, Message, StatusCode};
use bytes::Bytes;
use loom::fleet::{FleetFunction, Refused};

use crate::desk::{Answer, Called};

pub(crate) const QUEUE_GROUP: &str = "loom";
/// How the names of the protocol's headers begin.
const OWN: &str = "Loom-";
const SIGNATURE: &str = "Loom-Signature";
const LEFT: &str = "Loom-Left";
const IS: &str = "Loom-Is";
const RAN: &str = "Loom-Ran";
const WAITED: &str = "Loom-Waited";
/// The most that subject, reply subject and headers take of a message.
pub(crate) const OVERHEAD: usize = 1024 + TOLD;
/// The most bytes of names and values that tell of the caller's span.
const TOLD: usize = 2048;

/// The subjects of one fleet.
#[derive(Clone, Debug)]
pub(crate) struct Subjects(String);

impl Subjects {
    pub(crate) fn of(fleet: &str) -> Self {
        Self(format!("loom.{fleet}"))
    }

    pub(crate) fn call(&self, function: &FleetFunction) -> String {
        format!("{}.call.{}.{}", self.0, function.version(), token(&function.name()))
    }

    /// Where callers say which calls nobody wants any more.
    pub(crate) fn drop(&self) -> String {
        format!("{}.drop", self.0)
    }
}

/// A name as a part of a subject: what could end or match parts of one is written in hexadecimal.
fn token(name: &str) -> String {
    let mut token = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-') {
            token.push(c);
        } else {
            let written = write!(token, "%{:x}", u32::from(c));
            debug_assert!(written.is_ok(), "a string takes everything");
        }
    }
    token
}

pub(crate) fn of_call(
    fingerprint: u64,
    left: Duration,
    told: &HashMap<String, String>,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut room = TOLD;
    for (name, value) in told.iter().filter(|(name, _)| !is_own(name)) {
        // What is no header is left out, and what is too long.
        let Some(left) = room.checked_sub(name.len() + value.len()) else { continue };
        let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>())
        else {
            continue;
        };
        headers.insert(name, value);
        room = left;
    }
    headers.insert(SIGNATURE, format!("{fingerprint:016x}"));
    headers.insert(LEFT, left.as_millis().to_string());
    headers
}

/// What a call says of itself; `None` for a message that is none.
pub(crate) fn call(message: &Message) -> Option<Called> {
    let headers = message.headers.as_ref()?;
    let fingerprint = u64::from_str_radix(headers.get(SIGNATURE)?.as_str(), 16).ok()?;
    let left = headers.get(LEFT)?.as_str().parse().ok()?;
    let told =
        headers.iter().filter(|(name, _)| !is_own(name.as_ref())).filter_map(|(name, all)| {
            let value = all.first()?;
            Some((<HeaderName as AsRef<str>>::as_ref(name).to_owned(), value.as_str().to_owned()))
        });
    Some(Called { fingerprint, left: Duration::from_millis(left), headers: told.collect() })
}

/// Whether a header is of the protocol.
fn is_own(name: &str) -> bool {
    name.get(..OWN.len()).is_some_and(|start| start.eq_ignore_ascii_case(OWN))
}

/// The headers and the payload of an answer.
pub(crate) fn of_answer(answer: Answer) -> (HeaderMap, Vec<u8>) {
    let mut headers = HeaderMap::new();
    let (is, payload) = match answer {
        Answer::Done { result, ran, waited } => {
            headers.insert(RAN, ran.as_micros().to_string());
            headers.insert(WAITED, waited.as_micros().to_string());
            ("done", result)
        }
        Answer::Refused(Refused::Skew(why)) => ("skew", why.into_bytes()),
        Answer::Refused(_) => ("full", Vec::new()),
        Answer::Panicked(message) => ("panicked", message.into_bytes()),
        Answer::Expired => ("expired", Vec::new()),
    };
    headers.insert(IS, is);
    (headers, payload)
}

/// A sign of life.
pub(crate) fn of_life() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(IS, "lives");
    headers
}

/// A result that is too large for a message.
pub(crate) fn of_large(bytes: usize) -> (HeaderMap, Vec<u8>) {
    let mut headers = HeaderMap::new();
    headers.insert(IS, "large");
    (headers, bytes.to_string().into_bytes())
}

/// What a caller reads from its inbox.
#[derive(Debug)]
pub(crate) enum Read {
    Lives,
    /// The result has so many bytes, and cannot be sent.
    Large(usize),
    Answer(Answer<Bytes>),
    /// No worker has the function.
    Nobody,
    /// It says nothing that this version knows.
    Unknown,
}

pub(crate) fn read(message: Message) -> Read {
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Read::Nobody;
    }
    let Some(headers) = message.headers else { return Read::Unknown };
    let micros = |name: &str| {
        let micros = headers.get(name).and_then(|value| value.as_str().parse().ok());
        micros.map(Duration::from_micros)
    };
    let text = || String::from_utf8_lossy(&message.payload).into_owned();
    match headers.get(IS).map(HeaderValue::as_str) {
        Some("lives") => Read::Lives,
        Some("done") => {
            let (Some(ran), Some(waited)) = (micros(RAN), micros(WAITED)) else {
                return Read::Unknown;
            };
            Read::Answer(Answer::Done { result: message.payload, ran, waited })
        }
        Some("full") => Read::Answer(Answer::Refused(Refused::Full)),
        Some("skew") => Read::Answer(Answer::Refused(Refused::Skew(text()))),
        Some("large") => Read::Large(text().parse().unwrap_or_default()),
        Some("panicked") => Read::Answer(Answer::Panicked(text())),
        Some("expired") => Read::Answer(Answer::Expired),
        _ => Read::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_of_a_span_comes_back_and_nothing_else() {
        let told = [
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ("Loom-Left", "7"),
            ("loom-signature", "7"),
            ("no header:", "x"),
            ("broken", "two\r\nlines"),
            ("long", &"x".repeat(TOLD)),
        ];
        let told = told.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let headers = of_call(0xab, Duration::from_millis(9), &told.clone().into());
        let message = Message {
            subject: "here".into(),
            reply: None,
            payload: Bytes::new(),
            headers: Some(headers),
            status: None,
            description: None,
            length: 0,
        };
        let called = call(&message).expect("it is a call");
        assert_eq!((called.fingerprint, called.left), (0xab, Duration::from_millis(9)));
        assert_eq!(called.headers, HashMap::from([told[0].clone()]));
    }

    #[test]
    fn a_name_is_one_part_of_a_subject() {
        assert_eq!(token("shop::images::shrink"), "shop::images::shrink");
        assert_eq!(token("a b.c*>é"), "a%20b%2ec%2a%3e%e9");
    }
}
