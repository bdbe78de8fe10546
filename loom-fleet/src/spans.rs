//! What a call tells a worker of the spans that it was made in.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use tracing::Span;

/// Takes the caller's span along with a call, so that the work shows in one trace.
///
/// A worker runs each call in a span of its own, `far call`, at level `INFO`, with the target `loom::fleet` and the
/// function's name. A propagator makes that span a child of the caller's. The maps are what the propagators of the
/// crate `opentelemetry` write to and read from: with `tracing-opentelemetry`, `inject` is
/// `get_text_map_propagator(|p| p.inject_context(&Span::current().context(), headers))`, and `extract` is
/// `span.set_parent(get_text_map_propagator(|p| p.extract(headers)))`.
///
/// ```
/// use std::collections::HashMap;
///
/// use loom_fleet::{Fleet, Hub, Propagate};
/// use tracing::Span;
///
/// tokio::task_local! {
///     static REQUEST: u64;
/// }
///
/// /// Sends the number of a request.
/// struct RequestNumber;
///
/// impl Propagate for RequestNumber {
///     fn inject(&self, headers: &mut HashMap<String, String>) {
///         if let Ok(number) = REQUEST.try_with(|number| *number) {
///             headers.insert("Request".to_owned(), number.to_string());
///         }
///     }
///
///     fn extract(&self, headers: &HashMap<String, String>, _span: &Span) {
///         tracing::info!(request = headers.get("Request"), "a call of another process");
///     }
/// }
///
/// let fleet = Fleet::hub(&Hub::new()).propagate(RequestNumber);
/// ```
pub trait Propagate: Send + Sync + 'static {
    /// Writes what tells of the current span. It is called in the caller's task, and must not block.
    ///
    /// A name is one of a header: letters, digits and `-`. Names that begin with `Loom-` are Loom's, and are left out.
    fn inject(&self, headers: &mut HashMap<String, String>);

    /// Makes `span`, in which the call is about to run, a part of what the headers tell of.
    fn extract(&self, headers: &HashMap<String, String>, span: &Span);
}

/// The propagator of a member, if it has one.
#[derive(Clone, Default)]
pub(crate) struct Propagator(Option<Arc<dyn Propagate>>);

impl Propagator {
    pub(crate) fn new(propagate: impl Propagate) -> Self {
        Self(Some(Arc::new(propagate)))
    }

    /// What a call of the current task tells.
    pub(crate) fn headers(&self) -> HashMap<String, String> {
        let mut headers = HashMap::new();
        if let Some(propagate) = &self.0 {
            propagate.inject(&mut headers);
        }
        headers
    }

    /// The span that a call runs in.
    pub(crate) fn span(&self, function: &str, headers: &HashMap<String, String>) -> Span {
        let span = tracing::info_span!(target: "loom::fleet", "far call", function);
        if let Some(propagate) = &self.0 {
            propagate.extract(headers, &span);
        }
        span
    }
}

impl fmt::Debug for Propagator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Some(..)" } else { "None" })
    }
}
