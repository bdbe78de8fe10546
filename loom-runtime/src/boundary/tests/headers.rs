//! Fuzzed headers (damaged, of other versions, or made up): each is refused for the first part that
//! does not fit, and nothing behind it is read or called. A header that does not fit stands alone in
//! its block, so an address sanitizer detects a read behind it.

use loom_abi::{
    Bytes, Guest, Header, Lack, MAJOR, Plugin, Report, Runtime, RuntimeHandle, Status, Table, Text,
};

use crate::boundary::{ForeignGuest, HostRef, handle, library, out};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, rounds};

use super::Fake;
use super::by_hand::Random;

const CASES: usize = rounds(20_000);

/// A block of memory with no more room than is asked for.
struct Block(Box<[u64]>);

impl Block {
    /// The value where the header fits, and the header alone otherwise.
    fn of<T: Copy>(value: &T, header: Header, fits: bool) -> Self {
        let size = if fits { size_of::<T>() } else { size_of::<Header>() };
        let mut block = vec![0_u64; size.div_ceil(8)].into_boxed_slice();
        if fits {
            // SAFETY: X7, the block has room for the value, and is aligned.
            unsafe { block.as_mut_ptr().cast::<T>().write(*value) };
        }
        // SAFETY: X7, the block has room for the header, with which the value begins.
        unsafe { block.as_mut_ptr().cast::<Header>().write(header) };
        Self(block)
    }

    fn at<T>(&self) -> *const T {
        self.0.as_ptr().cast()
    }
}

/// A header that differs from one that fits in a way of its own.
fn changed(random: &mut Random, own: Header) -> Header {
    let mut header = Header { minor: random.number(), ..own };
    let size = own.size as u64;
    match random.below(6) {
        0 => {}
        1 => header.magic[usize_of(random.below(8))] ^= 1 << random.below(8),
        2 => header.major ^= 1 << random.below(32),
        3 => {
            let sizes = [0, 1, 8, 23, size - 1, size + 1, u64::MAX];
            header.size = usize_of(sizes[usize_of(random.below(7))]);
        }
        4 => header.size = usize_of(random.below(2 * size)),
        _ => {
            let magic = if random.below(4) == 0 { random.next().to_ne_bytes() } else { own.magic };
            let major = if random.below(4) == 0 { random.number() } else { own.major };
            let size = if random.below(2) == 0 { random.next() } else { size };
            header = Header { magic, major, minor: header.minor, size: usize_of(size) };
        }
    }
    header
}

/// As many bits as there are.
fn usize_of(number: u64) -> usize {
    usize::try_from(number & usize::MAX as u64).expect("it has no more bits")
}

/// What a header lacks, said in another way than by `loom-abi`.
fn expected(header: &Header, needed: usize) -> Option<Lack> {
    let Header { magic, major, minor, size } = *header;
    if &magic[..] != b"loom-abi" {
        Some(Lack::Magic(magic))
    } else if major != MAJOR {
        Some(Lack::Major(major))
    } else {
        (size < needed).then_some(Lack::Size { minor, found: size, needed })
    }
}

/// Has `raise` judge many headers of a `T`. It returns what it lacks by its answer.
fn judge<T: Copy>(seed: u64, value: &T, raise: impl Fn(&Block, bool) -> Option<Lack>) {
    let (own, mut random) = (Header::of::<T>(), Random::new(seed));
    let mut kinds = [0; 4];
    for case in 0..CASES {
        let header = changed(&mut random, own);
        let lack = expected(&header, size_of::<T>());
        let block = Block::of(value, header, lack.is_none());
        assert_eq!(raise(&block, lack.is_none()), lack, "case {case}: {header:?}");
        kinds[match lack {
            None => 0,
            Some(Lack::Magic(_)) => 1,
            Some(Lack::Major(_)) => 2,
            Some(_) => 3,
        }] += 1;
    }
    assert!(kinds.iter().all(|kind| *kind > CASES / 20), "all answers were asked for: {kinds:?}");
}

#[test]
fn a_hosts_table_is_taken_if_it_fits_and_not_called_otherwise() {
    let fake = Arc::new(Fake::default());
    let own = handle(&fake);
    // SAFETY: X1, the table is one of this library's.
    let table = unsafe { *own.table() };
    judge(1, &table, |block, fits| {
        // A call of a table that does not fit would use this.
        let runtime = if fits { own.runtime() } else { std::ptr::null::<Runtime>() };
        // SAFETY: X7, there is a header, and a table if it fits.
        let handle = unsafe { RuntimeHandle::from_parts(block.at(), runtime) };
        match HostRef::of(handle) {
            Ok(host) => {
                assert_eq!((Arc::strong_count(&fake), host.compute_threads()), (2, 2));
                None
            }
            Err(lack) => Some(lack),
        }
    });
    assert_eq!(Arc::strong_count(&fake), 1);
}

unsafe extern "C" fn count(data: *mut ()) {
    // SAFETY: X2, the test's count is valid throughout.
    unsafe { &*data.cast::<AtomicUsize>() }.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn a_guest_is_taken_if_it_fits_and_stays_its_makers_otherwise() {
    let calls = AtomicUsize::new(0);
    let data = (&raw const calls).cast_mut().cast();
    let guest = Guest { header: Header::of::<Guest>(), data, leave: count, drop: count };
    judge(2, &guest, |block, fits| {
        // SAFETY: X7, there is a header, and a guest if it fits.
        let lack = match unsafe { ForeignGuest::raise(block.at()) } {
            Ok(guest) => {
                guest.leave();
                None
            }
            Err(lack) => Some(lack),
        };
        assert_eq!(calls.swap(0, Ordering::Relaxed), if fits { 2 } else { 0 });
        lack
    });
    // The same through the host's table, where the answer is a status.
    let fake = Arc::new(Fake::default());
    let own = handle(&fake);
    // SAFETY: X1, the table is one of this library's.
    let register = unsafe { *own.table() }.register;
    let mut random = Random::new(3);
    for _ in 0..CASES {
        let header = changed(&mut random, guest.header);
        let fits = expected(&header, size_of::<Guest>()).is_none();
        let block = Block::of(&guest, header, fits);
        // SAFETY: X1; X7, there is a header, and a guest if it fits.
        let status = unsafe { register(own.runtime(), block.at()) };
        assert_eq!(status, if fits { Status::DONE } else { Status::VERSION });
        drop(fake.guest.lock().expect("not poisoned").take());
        assert_eq!(calls.swap(0, Ordering::Relaxed), usize::from(fits));
    }
}

#[test]
fn a_librarys_export_is_taken_if_it_fits_and_not_called_otherwise() {
    unsafe extern "C" fn attach(_: RuntimeHandle<'_>, _: *mut Text) -> Status {
        unreachable!("nothing is attached")
    }
    unsafe extern "C" fn detach(_: u64, _: *mut Text) -> Status {
        unreachable!("nothing is detached")
    }
    unsafe extern "C" fn report(_: *mut Report, _: usize) {
        unreachable!("nothing is counted")
    }
    let name = Bytes { data: b"fuzz".as_ptr(), len: 4 };
    let plugin = Plugin { header: Header::of::<Plugin>(), name, attach, detach, report };
    judge(4, &plugin, |block, _| {
        // SAFETY: X7, there is a header, and a plug-in if it fits.
        match unsafe { library::raise(block.at()) } {
            Ok(plugin) => {
                assert_eq!(plugin.name.len, 4);
                None
            }
            Err(lack) => Some(lack),
        }
    });
}

#[test]
fn what_a_header_lacks_is_said_in_words() {
    let mut random = Random::new(5);
    let own = Header::of::<Table>();
    for _ in 0..rounds(1000) {
        let header = changed(&mut random, own);
        if let Err(lack) = header.check::<Table>() {
            let text = lack.to_string();
            let known = match lack {
                Lack::Magic(found) => {
                    format!("`{}` where `loom-abi` was expected", found.escape_ascii())
                }
                Lack::Major(major) => format!("major version {major} of"),
                _ => format!("{} bytes where {} are needed", header.size, own.size),
            };
            assert!(text.contains(&known), "{text}");
        }
    }
}

#[test]
fn a_table_that_does_not_fit_is_not_called() {
    let fake = Arc::new(Fake::default());
    // SAFETY: X1, the table is one of this library's.
    let mut table = unsafe { *handle(&fake).table() };
    let own = table.header;
    for (header, lack) in [
        (Header { magic: [7; 8], ..own }, Lack::Magic([7; 8])),
        (Header { major: 9, ..own }, Lack::Major(9)),
        (Header { size: 8, ..own }, Lack::Size { minor: 0, found: 8, needed: size_of::<Table>() }),
    ] {
        table.header = header;
        // A null runtime: any call would use it.
        let no_runtime = std::ptr::null::<Runtime>();
        // SAFETY: X7, it begins with a header, which does not fit.
        let wrong = unsafe { RuntimeHandle::from_parts(&raw const table, no_runtime) };
        assert_eq!(HostRef::of(wrong).err(), Some(lack));
    }
}

#[test]
fn a_structure_that_has_grown_is_filled_as_far_as_it_is_known() {
    let mut place = [7_u32; 4];
    // SAFETY: X4, there is room for 8 bytes.
    unsafe { out::fill(&raw mut place, 8, &[1, 2, 3, 4]) };
    assert_eq!(place, [1, 2, 7, 7]);
    // SAFETY: X4, there is room for the whole value, and no more than that is written.
    unsafe { out::fill(&raw mut place, 1000, &[1, 2, 3, 4]) };
    assert_eq!(place, [1, 2, 3, 4]);
}
