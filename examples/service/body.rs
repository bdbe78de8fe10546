//! Request bodies, limited in size and time, with the media type that their sender states.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;

use crate::refusal::Refusal;

/// A client that has not sent its body by then gets an error.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of a body beyond its limit is still read and discarded. Closing the connection while
/// the client still sends would reset it, and the answer could be lost.
const LINGER_FACTOR: usize = 4;

/// A body of at most `LIMIT` bytes, and the media type it was sent with.
pub(crate) struct Limited<const LIMIT: usize> {
    pub(crate) data: Bytes,
    media_type: Option<String>,
}

impl<const LIMIT: usize> Limited<LIMIT> {
    /// Refuses a body whose stated type is another one.
    ///
    /// No type at all, "just bytes", and the type that curl sends by default do not count as
    /// statements.
    pub(crate) fn expect_type(&self, accepted: &[&str], wanted: &str) -> Result<(), Refusal> {
        const UNSAID: &[&str] = &["application/octet-stream", "application/x-www-form-urlencoded"];
        match self.media_type.as_deref() {
            None => Ok(()),
            Some(said) if UNSAID.contains(&said) || accepted.contains(&said) => Ok(()),
            Some(said) => Err(Refusal::wrong_type(format!("Expected {wanted}, not `{said}`."))),
        }
    }

    /// Refuses a body whose stated type is not JSON.
    pub(crate) fn expect_json(&self) -> Result<(), Refusal> {
        match self.media_type.as_deref() {
            Some("application/json") => Ok(()),
            _ => Err(Refusal::wrong_type(
                "Expected JSON: send it with the header `Content-Type: application/json`.",
            )),
        }
    }
}

impl<S: Sync, const LIMIT: usize> FromRequest<S> for Limited<LIMIT> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Refusal> {
        let media_type = media_type(request.headers());
        let data = tokio::time::timeout(PATIENCE, read(request.into_body(), LIMIT));
        let data = data.await.map_err(|_elapsed| {
            let sentence =
                format!("The body did not arrive within {} seconds.", PATIENCE.as_secs());
            Refusal::new(StatusCode::REQUEST_TIMEOUT, sentence)
        })??;
        Ok(Self { data, media_type })
    }
}

/// Reads and discards a body that no route expects, so that its sender sees the answer.
pub(crate) async fn discard(mut body: Body) {
    const MOST: usize = 16 * 1024 * 1024;
    let forget = async {
        let mut received = 0;
        while let Some(Ok(frame)) = body.frame().await {
            received += frame.data_ref().map_or(0, Bytes::len);
            if received > MOST {
                return;
            }
        }
    };
    // The answer is the same whether or not this succeeds.
    let _ = tokio::time::timeout(PATIENCE, forget).await;
}

async fn read(mut body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let mut data = Vec::new();
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Refusal::bad_request(format!("The body broke off: {error}.")))?;
        let Ok(chunk) = frame.into_data() else { continue };
        received += chunk.len();
        if received <= limit {
            data.extend_from_slice(&chunk);
        } else if received > limit.saturating_mul(LINGER_FACTOR) {
            break;
        }
    }
    if received > limit {
        return Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The body is too large: this route takes up to {} KiB.", limit / 1024),
        ));
    }
    Ok(data.into())
}

/// The type without its parameters, in lower case.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next()?.trim();
    (!essence.is_empty()).then(|| essence.to_ascii_lowercase())
}
