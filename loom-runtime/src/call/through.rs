//! Passes a closure of any type through code that is compiled once.

/// Passes `f` through code that takes any closure, and returns the results of both.
pub(super) fn through<R: Send, Q>(
    f: impl FnOnce() -> R + Send,
    call: impl FnOnce(&mut (dyn FnMut() + Send)) -> Q,
) -> (R, Q) {
    let (mut f, mut result) = (Some(f), None);
    let other = call(&mut || result = f.take().map(|f| f()));
    let Some(result) = result else { unreachable!("a closure that is passed through is called") };
    (result, other)
}
