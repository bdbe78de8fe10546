//! What has been published stays where it is: a change here needs a new major number.

use std::mem::{offset_of, size_of};

use loom_abi::{
    Call, Context, Facts, Future, Guest, Header, Job, Lack, MAGIC, MAJOR, Plugin, Pressure, Report,
    RuntimeHandle, Table, Task, Text, Waker, WakerTable,
};

const WORD: usize = size_of::<usize>();

/// The header is 24 bytes where words have 8.
fn after_header(words: usize) -> usize {
    size_of::<Header>() + words * WORD
}

#[test]
fn a_header_comes_first_and_is_read_alike_everywhere() {
    assert_eq!(offset_of!(Header, magic), 0);
    assert_eq!(offset_of!(Header, major), 8);
    assert_eq!(offset_of!(Header, minor), 12);
    assert_eq!(offset_of!(Header, size), 16);
    for first in [offset_of!(Table, header), offset_of!(Guest, header), offset_of!(Plugin, header)]
    {
        assert_eq!(first, 0);
    }
    assert_eq!(&MAGIC, b"loom-abi");
}

#[test]
fn functions_of_the_host_are_where_they_were_in_version_2_0() {
    let places = [
        offset_of!(Table, retain),
        offset_of!(Table, release),
        offset_of!(Table, describe),
        offset_of!(Table, register),
        offset_of!(Table, unregister),
        offset_of!(Table, spawn),
        offset_of!(Table, block_on),
        offset_of!(Table, sleep),
        offset_of!(Table, yield_now),
        offset_of!(Table, block_in_place),
        offset_of!(Table, compute),
        offset_of!(Table, join),
        offset_of!(Table, compute_threads),
        offset_of!(Table, start_thread),
        offset_of!(Table, place_thread),
        offset_of!(Table, here),
        offset_of!(Table, begin),
        offset_of!(Table, end),
        offset_of!(Table, pressure),
    ];
    for (number, place) in places.into_iter().enumerate() {
        assert_eq!(place, after_header(number), "function {number}");
    }
    assert_eq!(size_of::<Table>(), after_header(places.len()));
}

#[test]
fn the_other_structures_are_as_they_were_in_version_2_0() {
    assert_eq!((offset_of!(Guest, data), size_of::<Guest>()), (after_header(0), after_header(3)));
    assert_eq!(offset_of!(Plugin, name), after_header(0));
    assert_eq!(offset_of!(Plugin, attach), after_header(2));
    assert_eq!(offset_of!(Plugin, report), after_header(4));
    assert_eq!(size_of::<Plugin>(), after_header(5));
    for (size, words) in [
        (size_of::<RuntimeHandle<'_>>(), 2),
        (size_of::<Future>(), 3),
        (size_of::<Job>(), 3),
        (size_of::<Task>(), 3),
        (size_of::<Call>(), 2),
        (size_of::<Waker>(), 1),
        (size_of::<WakerTable>(), 3),
        (size_of::<Context>(), 1),
        (size_of::<Facts>(), 7),
        (size_of::<Text>(), 3),
        (size_of::<Report>(), 4),
    ] {
        assert_eq!(size, words * WORD);
    }
    let pressure = [
        offset_of!(Pressure, ready),
        offset_of!(Pressure, arrivals),
        offset_of!(Pressure, pressure_level),
        offset_of!(Pressure, reserved),
        size_of::<Pressure>(),
    ];
    assert_eq!(pressure, [0, 8, 16, 20, 24]);
}

#[test]
fn what_does_not_fit_is_refused_with_the_first_reason() {
    let own = Header::of::<Table>();
    let magic = *b"loom_abi";
    let wrong = Header { magic, major: MAJOR + 1, size: 0, ..own };
    assert_eq!(wrong.check::<Table>(), Err(Lack::Magic(magic)));
    // Those before, and those to come.
    for major in [0, 1, MAJOR + 1] {
        let wrong = Header { major, size: 0, ..own };
        assert_eq!(wrong.check::<Table>(), Err(Lack::Major(major)));
    }
    let short = Header { size: own.size - 1, ..own };
    let lack = short.check::<Table>().expect_err("it is too small");
    assert_eq!(lack, Lack::Size { minor: 0, found: own.size - 1, needed: own.size });
    assert!(lack.to_string().contains("as new as this one"), "{lack}");
}
