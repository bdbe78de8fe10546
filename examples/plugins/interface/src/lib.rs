//! What host and plug-ins of this example say to one another: a text goes there, a text comes
//! back. Everything that crosses is `extern "C"` or `#[repr(C)]`; each side frees its own.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::slice;

/// What all of this is; another number is another interface.
pub const VERSION: u32 = 1;
/// The number that each plug-in exports, for the host to read before anything else.
pub const VERSION_SYMBOL: &str = "INTERFACE_VERSION";
/// The function that each plug-in exports.
pub const ANSWER: &str = "answer";

/// Takes a request, and returns at once; the reply comes when it is ready, on whichever thread.
pub type Answer = extern "C" fn(Text<'_>, Reply);

/// Text that is lent for a call.
#[repr(C)]
pub struct Text<'a> {
    data: *const u8,
    len: usize,
    lent: PhantomData<&'a str>,
}

impl<'a> Text<'a> {
    pub fn lend(text: &'a str) -> Self {
        Self { data: text.as_ptr(), len: text.len(), lent: PhantomData }
    }

    /// A copy, on this side of the boundary.
    pub fn to_text(&self) -> String {
        // SAFETY: it is made by `lend` alone, and lent for as long.
        let bytes = unsafe { slice::from_raw_parts(self.data, self.len) };
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// Where an answer goes, once. One that is dropped says that there is none.
#[repr(C)]
pub struct Reply {
    context: *mut (),
    /// Uses the context up.
    send: extern "C" fn(context: *mut (), has_answer: bool, Text<'_>),
}

// SAFETY: `new` takes a closure that may be sent.
unsafe impl Send for Reply {}

impl Reply {
    /// The host's side: calls `f` with the answer, or with nothing.
    pub fn new<F: FnOnce(Option<String>) + Send + 'static>(f: F) -> Self {
        extern "C" fn send<F: FnOnce(Option<String>)>(
            context: *mut (),
            has_answer: bool,
            text: Text<'_>,
        ) {
            // SAFETY: it is the box below, and this is its end.
            let f = unsafe { Box::from_raw(context.cast::<F>()) };
            f(has_answer.then(|| text.to_text()));
        }
        Self { context: Box::into_raw(Box::new(f)).cast(), send: send::<F> }
    }

    /// The plug-in's side.
    pub fn send(self, answer: &str) {
        let reply = ManuallyDrop::new(self);
        (reply.send)(reply.context, true, Text::lend(answer));
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        (self.send)(self.context, false, Text::lend(""));
    }
}
