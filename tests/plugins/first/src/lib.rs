//! A plug-in with a different tokio than its host's.

loom::plugin::export!("first", plugin_cases::start);

/// Runs one case, by name; 0 if it succeeds.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_case(name: loom_abi::Bytes) -> u32 {
    plugin_cases::run(name)
}

/// Attaches to a handle that may be wrong; 0 if it is refused because of its version.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_attach(handle: loom_abi::RuntimeHandle<'_>) -> u32 {
    plugin_cases::attach_to_wrong(handle)
}

/// Ends work that it has not begun; 0 if each such end is refused.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_ends(handle: loom_abi::RuntimeHandle<'_>) -> u32 {
    plugin_cases::ends_too_much(handle)
}
