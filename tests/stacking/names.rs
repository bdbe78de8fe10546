//! Arguments that other attributes name, each attribute in another way.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::State;
use suite_macros::{sees, sees_length, sees_text};

static SEEN: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// What the attributes of `suite_macros` call before the body.
pub(crate) fn seen(what: usize) {
    SEEN.lock().expect("nobody panics").push(what);
}

/// Whether an attribute has seen this, which occurs once in these tests.
#[track_caller]
fn was_seen(what: usize) {
    let seen = SEEN.lock().expect("nobody panics");
    assert_eq!(seen.iter().filter(|&&one| one == what).count(), 1, "{seen:?}");
}

fn bytes(length: usize) -> Vec<u8> {
    vec![1; length]
}

#[sees(data.len())]
#[loom::compute]
fn above(data: Vec<u8>) -> usize {
    data.len()
}

#[loom::compute]
#[sees(data.len())]
fn below(data: Vec<u8>) -> usize {
    data.len()
}

#[loom::compute]
#[sees_text("data.len() + by")]
fn in_a_text(mut data: Vec<u8>, by: usize) -> usize {
    data.push(0);
    data.len() + by
}

#[loom::compute]
#[sees_length]
fn by_itself(data: Vec<u8>) -> usize {
    data.len()
}

#[loom::compute]
#[sees(data.len())]
fn not_in_the_body(#[allow(unused_variables)] data: Vec<u8>) {}

#[allow(clippy::used_underscore_binding, reason = "the attribute below uses it")]
#[loom::compute]
#[sees(_data.len())]
fn underscored(_data: Vec<u8>) {}

#[loom::compute(size = data.len())]
#[sees(data.len())]
fn of_size_too(data: Vec<u8>) -> usize {
    data.len()
}

#[loom::compute]
#[sees(a.len() + b)]
fn in_a_tuple((mut a, b): (Vec<u8>, usize)) -> usize {
    a.push(0);
    a.len() + b
}

#[loom::compute]
#[sees(data.len())]
fn in_an_extractor(Json(data): Json<Vec<u8>>, State(_state): State<Arc<str>>) -> usize {
    data.len()
}

struct Point {
    x: usize,
    rest: Vec<u8>,
}

#[loom::compute]
#[sees(x + y.len())]
fn in_fields(Point { x, rest: y }: Point) -> usize {
    x + y.len()
}

/// What is not moved out of the argument stays where it is, and cannot be named.
#[loom::compute]
#[sees(rest.len())]
fn beside_other_patterns(Point { x, .. }: Point, ref y: usize, rest: Vec<u8>) -> usize {
    x + *y + rest.len()
}

#[loom::compute]
#[sees(n)]
fn calls_itself(n: usize) -> usize {
    if n < 2 { n } else { calls_itself(n - 1) + 1 }
}

/// In a function that calls itself by its name, patterns are taken apart in the body alone.
#[loom::compute]
#[sees(m)]
fn calls_itself_with_parts(Point { x, rest }: Point, m: usize) -> usize {
    if x < 2 {
        x + rest.len() + m
    } else {
        calls_itself_with_parts(Point { x: x - 1, rest }, m) + 1
    }
}

/// A wrapper makes its content `Send`, and nothing names that content.
struct Sent(*const u8);

#[allow(unsafe_code, reason = "the pointer is never followed")]
// SAFETY: as above.
unsafe impl Send for Sent {}

#[loom::compute]
#[sees(m)]
fn wrapped(Sent(pointer): Sent, m: usize) -> usize {
    m + usize::from(!pointer.is_null())
}

#[loom::compute(scope)]
#[sees(data.len())]
fn borrowed(data: &[u8]) -> usize {
    data.len()
}

#[loom::compute]
#[sees(text.as_ref().len())]
fn generic<T: AsRef<str> + Send + 'static>(text: T) -> usize {
    text.as_ref().len()
}

#[rustfmt::skip]
#[allow(clippy::too_many_arguments, clippy::many_single_char_names)]
#[loom::compute]
#[sees(n)]
fn thirteen(
    a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8, n: usize,
) -> usize {
    [a, b, c, d, e, f, g, h, i, j, k, l].iter().map(|&one| usize::from(one)).sum::<usize>() + n
}

impl Point {
    #[loom::compute]
    #[sees(self.x + more)]
    fn method(self, more: usize) -> usize {
        self.x + self.rest.len() + more
    }

    #[loom::compute]
    #[sees(self.x + more)]
    fn shared(self: Arc<Self>, more: usize) -> usize {
        self.x + more
    }

    #[loom::compute]
    #[sees(data.len())]
    fn associated(data: Vec<u8>) -> Self {
        Self { x: data.len(), rest: data }
    }
}

macro_rules! function {
    ($name:ident($data:ident)) => {
        #[loom::compute]
        #[sees($data.len())]
        fn $name($data: Vec<u8>) -> usize {
            $data.len()
        }
    };
}

function!(by_a_macro(data));

#[loom::test(arm = "both")]
async fn they_are_found() {
    // Each arm has its own numbers, since each is seen once.
    static ARMS: AtomicUsize = AtomicUsize::new(0);
    let base = 1000 * (1 + ARMS.fetch_add(1, Ordering::Relaxed));
    assert_eq!(above(bytes(base)).await, base);
    was_seen(base);
    assert_eq!(below(bytes(base + 1)).await, base + 1);
    was_seen(base + 1);
    assert_eq!(in_a_text(bytes(base), 2).await, base + 3);
    was_seen(base + 2);
    assert_eq!(by_itself(bytes(base + 3)).await, base + 3);
    was_seen(base + 3);
    not_in_the_body(bytes(base + 4)).await;
    was_seen(base + 4);
    underscored(bytes(base + 5)).await;
    was_seen(base + 5);
    assert_eq!(of_size_too(bytes(base + 6)).await, base + 6);
    was_seen(base + 6);
    assert_eq!(in_a_tuple((bytes(base), 7)).await, base + 8);
    was_seen(base + 7);
    assert_eq!(in_an_extractor(Json(bytes(base + 8)), State("".into())).await, base + 8);
    was_seen(base + 8);
    assert_eq!(in_fields(Point { x: 9, rest: bytes(base) }).await, base + 9);
    was_seen(base + 9);
    let point = Point { x: 1, rest: Vec::new() };
    assert_eq!(beside_other_patterns(point, 1, bytes(base + 10)).await, base + 12);
    was_seen(base + 10);
    assert_eq!(calls_itself(base + 11).await, base + 11);
    was_seen(base + 11);
    assert_eq!(borrowed(&bytes(base + 12)).await, base + 12);
    was_seen(base + 12);
    assert_eq!(generic("a".repeat(base + 13)).await, base + 13);
    was_seen(base + 13);
    assert_eq!(thirteen(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, base + 14).await, base + 15);
    was_seen(base + 14);
    assert_eq!(Point { x: base, rest: bytes(1) }.method(15).await, base + 16);
    was_seen(base + 15);
    assert_eq!(Arc::new(Point { x: base, rest: bytes(0) }).shared(16).await, base + 16);
    was_seen(base + 16);
    assert_eq!(Point::associated(bytes(base + 17)).await.x, base + 17);
    was_seen(base + 17);
    assert_eq!(by_a_macro(bytes(base + 18)).await, base + 18);
    was_seen(base + 18);
    let point = Point { x: 3, rest: bytes(2) };
    assert_eq!(calls_itself_with_parts(point, base + 19).await, base + 24);
    was_seen(base + 19);
    assert_eq!(wrapped(Sent(std::ptr::null()), base + 20).await, base + 20);
    was_seen(base + 20);
}
