//! Each breach of the rules for rooms is caught: on crates made up for that.

use std::collections::BTreeMap;

use crate::rooms::House;

const FLOORS: &[&[&str]] = &[&["ground", "cellar"], &["above"], &["lib"]];

fn files(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn arrows(given: &[(&str, &str)]) -> Vec<String> {
    let files = files(given);
    House { root: "lib.rs", files: &files, circles: &[] }.arrows(FLOORS)
}

fn circles(given: &[(&str, &str)], listed: &[(&[&str], &str)]) -> Vec<String> {
    let files = files(given);
    House { root: "lib.rs", files: &files, circles: listed }.circles()
}

const ROOT: (&str, &str) = ("lib.rs", "mod above;\nmod cellar;\nmod ground;\n");
const PLAIN: &[(&str, &str)] = &[
    ROOT,
    ("above.rs", "use crate::ground::Stone;\npub(crate) struct Roof(Stone);\n"),
    ("ground.rs", "pub(crate) struct Stone;\n"),
    ("cellar.rs", ""),
];

/// The plain house with another file in place of one, or beside them.
fn with<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let kept = PLAIN.iter().filter(|(path, _)| changes.iter().all(|(changed, _)| changed != path));
    kept.copied().chain(changes.iter().copied()).collect()
}

#[test]
fn a_house_in_order_has_no_breach() {
    assert_eq!(arrows(PLAIN), [""; 0]);
    assert_eq!(circles(PLAIN, &[]), [""; 0]);
}

#[test]
fn an_upward_arrow_is_caught_however_it_is_written() {
    let ways = [
        "use crate::above::Roof;\nstruct Stone(Roof);",
        "pub(crate) struct Stone(crate::above::Roof);",
        "pub(crate) struct Stone(super::above::Roof);",
        "use crate::above;\npub(crate) struct Stone(above::Roof);",
        "use crate::{above as higher};\npub(crate) struct Stone(higher::Roof);",
        "pub(crate) use crate::above::Roof as Stone;",
        "use crate::above::*;\npub(crate) struct Stone(Roof);",
        "pub(crate) struct Stone;\nfn build() { println!(\"{:?}\", crate::above::Roof); }",
        "pub(crate) struct Stone;\nfn build() { use crate::above::Roof; drop(Roof); }",
        "pub(crate) struct Stone;\nmod inner { struct Brick(super::super::above::Roof); }",
        "pub(crate) struct Stone;\nimpl From<crate::above::Roof> for Stone {}",
    ];
    for way in ways {
        let found = arrows(&with(&[("ground.rs", way)]));
        let is_caught = found.iter().any(|breach| breach.starts_with("ground.rs names"));
        assert!(is_caught, "{way}: {found:?}");
    }
}

#[test]
fn a_name_is_followed_to_where_it_is_defined() {
    // The cellar takes a stone from the root, which passes it on.
    let found = arrows(&with(&[
        ("lib.rs", "mod above;\nmod cellar;\nmod ground;\npub use ground::Stone;\n"),
        ("cellar.rs", "use crate::Stone;\nstruct Wall(Stone);"),
    ]));
    assert_eq!(found, ["cellar.rs names an item of ground.rs, which is not below"]);
}

#[test]
fn a_circle_of_rooms_and_a_room_without_a_floor_are_caught() {
    let found = arrows(&with(&[
        ("ground.rs", "pub(crate) struct Stone(crate::cellar::Wall);"),
        ("cellar.rs", "pub(crate) struct Wall(crate::ground::Stone);"),
    ]));
    assert!(found.iter().any(|breach| breach.contains("in a circle: cellar, ground")), "{found:?}");
    let found = arrows(&with(&[
        ("lib.rs", "mod above;\nmod cellar;\nmod ground;\nmod shed;\n"),
        ("shed.rs", ""),
    ]));
    assert_eq!(found, ["shed.rs: room `shed` is on no floor"]);
}

#[test]
fn what_tests_alone_name_does_not_count() {
    let test = "pub(crate) struct Stone;\n#[cfg(test)]\nmod tests { use crate::above::Roof; }";
    assert_eq!(arrows(&with(&[("ground.rs", test)])), [""; 0]);
}

const RING: &[(&str, &str)] = &[
    ROOT,
    ("above.rs", ""),
    ("cellar.rs", ""),
    ("ground/mod.rs", "mod a;\nmod b;\npub(crate) use a::A;\n"),
    ("ground/a.rs", "use super::b::B;\npub(crate) struct A(B);\n"),
    ("ground/b.rs", "pub(super) struct B(Option<Box<super::A>>);\n"),
];

#[test]
fn a_circle_within_a_room_needs_its_reason() {
    let found = circles(RING, &[]);
    assert_eq!(found, ["a circle that is not listed: ground/a.rs, ground/b.rs"]);
    let listed: &[&str] = &["ground/b.rs", "ground/a.rs"];
    assert_eq!(circles(RING, &[(listed, "each holds the other")]), [""; 0]);
    assert_eq!(circles(RING, &[(listed, "")]).len(), 1, "a reason is words");
    let found = circles(PLAIN, &[(listed, "each holds the other")]);
    assert_eq!(found, ["listed, and no circle: ground/a.rs, ground/b.rs"]);
}

#[test]
fn a_circle_of_five_files_is_too_large_with_any_reason() {
    let ring = [
        ROOT,
        ("above.rs", ""),
        ("cellar.rs", ""),
        ("ground/mod.rs", "mod a;\nmod b;\nmod c;\nmod d;\nmod e;\n"),
        ("ground/a.rs", "pub(super) struct A(super::b::B);"),
        ("ground/b.rs", "pub(super) struct B(super::c::C);"),
        ("ground/c.rs", "pub(super) struct C(super::d::D);"),
        ("ground/d.rs", "pub(super) struct D(super::e::E);"),
        ("ground/e.rs", "pub(super) struct E(super::a::A);"),
    ];
    let all: &[&str] = &["ground/a.rs", "ground/b.rs", "ground/c.rs", "ground/d.rs", "ground/e.rs"];
    let found = circles(&ring, &[(all, "it has to be")]);
    assert!(found[0].starts_with("a circle of 5 files"), "{found:?}");
}

#[test]
fn a_long_file_and_a_large_room_are_caught() {
    let (short, long) = ("//\n".repeat(400), "//\n".repeat(401));
    let sizes = |given: &[(&str, &str)]| {
        let files = files(given);
        House { root: "lib.rs", files: &files, circles: &[] }.sizes()
    };
    let even = [("a.rs", &*short), ("b.rs", &*short), ("c.rs", &*short), ("d.rs", &*short)];
    assert_eq!(sizes(&even), [""; 0]);
    let mut one_long = even;
    one_long[0].1 = &long;
    assert_eq!(sizes(&one_long), ["a.rs: 401 lines", "room `a` has 401 of 1601 lines"]);
    let two_of_one = [("a/x.rs", &*short), ("a/y.rs", &*short), ("b.rs", &*short)];
    assert_eq!(sizes(&two_of_one)[0], "room `a` has 800 of 1200 lines");
}
