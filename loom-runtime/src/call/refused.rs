//! Bodies that tokio refuses where they run inline: those that block the thread in tokio's own words.
//!
//! `blocking_lock`, `Handle::block_on`, the end of a runtime and their like panic on a thread that
//! drives async tasks, and work on a compute thread. Loom learns of it from the first such panic.
//! From then on the function's calls run on the compute pool (GR4).

use std::any::Any;
use std::ptr;

use tokio::runtime::Handle;

use crate::core::{Core, Function};
use crate::panics::text_of;
use crate::scheduler::Mode;
use crate::threads::say;

use super::overriding;

/// What is in the panics by which tokio refuses.
const WORDS: [&str; 4] = [
    "Cannot block the current thread from within a runtime",
    "Cannot start a runtime from within a runtime",
    "Cannot drop a runtime in a context where blocking is not allowed",
    "can call blocking only when running on the multi-threaded runtime",
];

/// The payload with which the panic of an inline call goes on. Where tokio has refused the body, the
/// function is kept off such threads, and the payload ends with what to do.
#[cold]
pub(super) fn explain(
    core: &Core,
    function: &Function,
    payload: Box<dyn Any + Send>,
) -> Box<dyn Any + Send> {
    // A call on a compute thread runs there on either arm.
    let words = refusal(&*payload).filter(|_| !core.is_own_compute_thread());
    let Some(words) = words else { return payload };
    let name = function.site.name();
    let mode = overriding::of(core, function).mode.unwrap_or_else(|| function.site.mode());
    let stays = core.forced.get().is_some() || mode != Mode::Adaptive;
    let from_now_on = if stays {
        "its `mode`, an override or the `arm` of a test keeps it there"
    } else {
        "its calls run on the compute pool from now on"
    };
    let sentence = format!(
        "compute function `{name}` ran inline, on a thread that drives async tasks, where tokio lets \
         no code block; {from_now_on}: say `mode = \"offload\"`, or call what blocks through \
         `loom::block_in_place`"
    );
    let explained = format!("{words}\n{sentence}");
    if function.site.refuse() {
        // The message of the panic was printed before Loom could add to it.
        say(&sentence);
    }
    // Verdicts of other threads and for other sizes end, too.
    for other in core.functions().filter(|other| ptr::eq(other.site, function.site)) {
        other.record.end_verdicts();
    }
    Box::new(explained)
}

/// Tokio's words, if they are the reason of the panic.
fn refusal(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = text_of(payload)?;
    let is_refusal = WORDS.iter().any(|words| text.contains(words));
    // Elsewhere they are about a runtime of the body's own.
    (is_refusal && Handle::try_current().is_ok()).then_some(text)
}
