//! Where expansions find Loom.

use syn::{Path, parse_quote};

use crate::args::Arg;
use crate::diag::Diagnostics;

/// `::loom`, or what `crate = path` says.
pub(crate) fn loom(given: Option<&Arg>, diag: &mut Diagnostics) -> Path {
    given.and_then(|arg| diag.keep(arg.path())).unwrap_or_else(|| parse_quote!(::loom))
}
