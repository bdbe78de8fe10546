//! The example service as its users see it: a process that answers over HTTP.

mod answers;
mod cancelled;
mod harness;
mod refusals;
mod shutdown;
