//! The items that expansions of the attributes may name.
//!
//! Not a public interface: it changes without notice.

pub use crate::bridge::Priority;
pub use crate::call::{
    Argument, At, Carry, On, Outcome, call0, call1, call2, call3, call4, call5, call6, call7,
    call8, call9, call10, call11, call12, magnitude, scoped0, scoped1, scoped2, scoped3, scoped4,
    scoped5, scoped6, scoped7, scoped8, scoped9, scoped10, scoped11, scoped12, until,
};
pub use crate::call::{
    future0, future1, future2, future3, future4, future5, future6, future7, future8, future9,
    future10, future11, future12,
};
pub use crate::config::TokioFlavor;
pub use crate::runtime::{
    LoomBuilder, RuntimeRef, on, run_main, run_plain_test, run_plain_test_on_both, run_test,
    run_test_on_both, test_builder,
};
pub use crate::scheduler::{
    ComputeHint, Magnitude, Mode, SimulatedFunction, Site, Surroundings, hint_of,
};
pub use crate::topology::{ComputePriority, GlobalRayon, Pin, Placement};

pub use core::future::Future;
pub use core::marker::Send;
pub use core::option::Option::{None, Some};
pub use core::time::Duration;
pub use core::{concat, module_path, prelude};

/// Declares the site of a function, and begins a call of the function.
///
/// This is a `macro_rules` macro because the compiler reads its expansion at less cost than tokens
/// that an attribute writes.
#[doc(hidden)]
#[macro_export]
macro_rules! __loom_at {
    ($item:literal $($more:tt)*) => {
        $crate::__private::At::site({
            static __LOOM_SITE: $crate::__private::Site =
                $crate::__private::Site::new($crate::__private::module_path!(), $item) $($more)*;
            &__LOOM_SITE
        })
    };
}
pub use __loom_at as at;

/// Checks the constant of `max_concurrent`.
#[must_use]
pub const fn calls_at_a_time(calls: u32) -> u32 {
    assert!(calls >= 1 && calls <= 1_000_000, "`max_concurrent` is 1 to 1000000 calls at a time");
    calls
}

#[cfg(feature = "fleet")]
pub use crate::call::far as fleet;
#[cfg(feature = "fleet")]
pub use crate::core::FleetFunction;
#[cfg(feature = "hints")]
pub use crate::learned::hints::{HINTED, Hinted};
#[cfg(any(feature = "fleet", feature = "hints"))]
pub use linkme;

#[cfg(feature = "plugin")]
pub mod plugin {
    //! What `loom::plugin::export!` expands to.

    pub use crate::plugin::exported::{Start, exported};
    pub use loom_abi::Plugin;
}
