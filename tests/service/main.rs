//! The example service as its users meet it: a process, spoken to over HTTP.

mod answers;
mod cancelled;
mod harness;
mod refusals;
mod shutdown;
