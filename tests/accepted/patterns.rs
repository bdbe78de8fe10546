//! Arguments may be patterns.

#![deny(warnings)]
#![allow(clippy::cast_possible_truncation, clippy::trivially_copy_pass_by_ref)]

struct Point {
    x: u32,
    y: u32,
}

#[loom::compute]
fn patterns(
    Point { x, y: mut height }: Point,
    (a, _): (u32, u32),
    [first, .., last]: [u32; 4],
    _: String,
    ref whole: String,
    all @ (b, c): (u32, u32),
    &letter: &'static char,
) -> u32 {
    height += x + a + first + last + b + c + all.0;
    height + whole.len() as u32 + u32::from(letter) - u32::from('s')
}

#[loom::test]
async fn runs() {
    let point = Point { x: 1, y: 2 };
    let text = || "ab".to_owned();
    assert_eq!(patterns(point, (3, 4), [5, 0, 0, 6], text(), text(), (7, 8), &'s').await, 41);
}
