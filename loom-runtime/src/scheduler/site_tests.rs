//! Tests of sites: their names, places and classes.

use super::*;

#[track_caller]
fn site_of<T: 'static>() -> &'static Site {
    Site::of_closure::<T>(Location::caller())
}

#[test]
fn closures_of_one_function_are_told_apart() {
    fn name_of<F: 'static>(_: &F) -> &'static str {
        Site::of_closure::<F>(Location::caller()).name()
    }
    let (one, other) = (|| 1, || 2);
    // One place for both: the helper that takes them.
    let (first, second) = (name_of(&one), name_of(&other));
    let function = format!("{}::closures_of_one_function_are_told_apart at ", module_path!());
    assert!(first.starts_with(&function) && first.contains("site_tests.rs:"), "{first}");
    assert_eq!(second, format!("{first} #2"));
    assert_eq!(first, name_of(&one));
}

#[test]
fn each_type_has_one_site() {
    struct One;
    struct Other;
    let one = site_of::<One>();
    let other = site_of::<Other>();
    assert!(ptr::eq(one, site_of::<One>()));
    assert!(!ptr::eq(one, other));
    assert_ne!(one.index(0), other.index(0));
    assert_ne!(one.key(), other.key());
    assert!(one.path().ends_with("One"));
}

#[test]
fn instances_of_one_function_are_learned_apart() {
    static SITE: Site = Site::new("shop", "sum").hinted(ComputeHint::High);
    static ELSEWHERE: Site = Site::new("shop", "sum");
    struct One;
    struct Other<'a>(std::marker::PhantomData<&'a ()>);
    let one = SITE.instance::<One>();
    let other = SITE.instance_that_borrows::<Other<'_>>();
    assert!(ptr::eq(one, &raw const SITE) && ptr::eq(one, SITE.instance::<One>()));
    assert!(!ptr::eq(one, other) && ptr::eq(other, SITE.instance_that_borrows::<Other<'_>>()));
    assert!(!ptr::eq(other, ELSEWHERE.instance_that_borrows::<Other<'_>>()));
    assert_eq!((one.path(), other.path()), ("shop::sum", "shop::sum"));
    assert_eq!((one.hint(), other.hint()), (ComputeHint::High, ComputeHint::High));
    assert!(other.name().contains("Other"), "{}", other.name());
    let keys = [one.key(), other.key(), ELSEWHERE.instance::<One>().key()];
    for (i, key) in keys.iter().enumerate() {
        assert!(!keys[..i].contains(key), "{keys:?}");
    }
}

#[test]
fn sizes_of_one_magnitude_share_a_class() {
    let site = Site::new("shop", "by size").sized();
    let next = Site::new("shop", "the next");
    for (size, class) in [(0, 0), (1, 1), (2, 2), (3, 2), (1024, 11), (2047, 11)] {
        assert_eq!(site.class(size), class);
        assert!(site.sizes(class).is_some_and(|sizes| sizes.contains(&size)));
        assert_eq!(next.class(size), 0);
    }
    assert_eq!(site.class(u64::MAX), 63);
    assert_eq!(site.sizes(63), Some(1 << 62..=u64::MAX));
    assert_eq!(next.sizes(0), None);
    assert!(next.index(0) < site.index(0) || next.index(0) >= site.index(0) + 64);
}

#[test]
fn hints_are_classes_of_closures() {
    struct Given;
    let site = site_of::<Given>();
    for (class, hint) in ComputeHint::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(site.class_of_hint(hint)), class);
        assert_eq!(site.hint_of(site.class_of_hint(hint)), hint);
    }
    let fixed = Site::new("shop", "one hint").hinted(ComputeHint::High);
    assert_eq!(fixed.class_of_hint(ComputeHint::Low), 0);
    assert_eq!(fixed.hint_of(0), ComputeHint::High);
}

#[test]
fn many_types_fit_below_one_another() {
    struct Wide<const N: usize>;
    macro_rules! indices {
        ($($n:literal)*) => { vec![$(site_of::<Wide<$n>>().index(0)),*] };
    }
    let mut indices = indices!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24);
    indices.sort_unstable();
    indices.dedup();
    assert_eq!(indices.len(), 25);
}
