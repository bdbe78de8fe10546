//! What `mistakes.in.rs` expands to.

::core::compile_error! {
    "unknown hint `hot`; expected one of `low`, `medium`, `high`, `unknown`"
}
::core::compile_error! {
    "`hint` says nothing beside `mode = \"offload\"`, which decides: drop one of them"
}
::core::compile_error! {
    "a compute function cannot be `const`: each call is placed at run time"
}
::core::compile_error! {
    "argument `text` is borrowed, but the call may run on another thread: use `String` in place of `&str`, or say `scope`"
}
async fn length(text: &str) -> usize {
    text.len()
}
