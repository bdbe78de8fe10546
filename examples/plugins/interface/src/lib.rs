//! The interface between host and plug-ins of this example: a text goes to the plug-in, and a text
//! comes back. Everything that crosses is `extern "C"` or `#[repr(C)]`. Each side frees its own
//! memory.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::slice;

/// The version of this interface; every change of the interface needs a new number.
pub const VERSION: u32 = 1;
/// The name of the version that each plug-in exports. The host reads it before anything else.
pub const VERSION_SYMBOL: &str = "INTERFACE_VERSION";
/// The name of the function that each plug-in exports.
pub const ANSWER: &str = "answer";

/// Takes a request, and returns at once. The reply comes when it is ready, on any thread.
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
        // SAFETY: only `lend` makes a `Text`, from a text that is lent for the same lifetime.
        let bytes = unsafe { slice::from_raw_parts(self.data, self.len) };
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// Where the answer goes, once. Dropping it reports that there is no answer.
#[repr(C)]
pub struct Reply {
    context: *mut (),
    /// Consumes the context, so it may be called once.
    send: extern "C" fn(context: *mut (), has_answer: bool, Text<'_>),
}

// SAFETY: `new` accepts only closures that are `Send`.
unsafe impl Send for Reply {}

impl Reply {
    /// The host's side: calls `f` with the answer, or with `None`.
    pub fn new<F: FnOnce(Option<String>) + Send + 'static>(f: F) -> Self {
        extern "C" fn send<F: FnOnce(Option<String>)>(
            context: *mut (),
            has_answer: bool,
            text: Text<'_>,
        ) {
            // SAFETY: it is the box from `new` below, and `send` consumes it once.
            let f = unsafe { Box::from_raw(context.cast::<F>()) };
            f(has_answer.then(|| text.to_text()));
        }
        Self { context: Box::into_raw(Box::new(f)).cast(), send: send::<F> }
    }

    /// The plug-in's side: sends the answer.
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
