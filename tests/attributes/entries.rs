//! `#[loom::test]` and its arguments.

use std::num::ParseIntError;

#[loom::test(prefix = "named", tokio_threads = 1, rayon_threads = 1 + 2, pin = false)]
async fn a_test_takes_the_builders_settings() -> Result<(), ParseIntError> {
    let runtime = loom::current_runtime().expect("a test has a runtime");
    assert_eq!((runtime.tokio_threads(), runtime.rayon_threads()), (1, 3));
    assert_eq!(runtime.config().prefix, "named");
    "1".parse::<u8>()?;
    Ok(())
}

#[loom::test]
async fn a_test_runs_on_small_pools_of_normal_priority() {
    let runtime = loom::current_runtime().expect("a test has a runtime");
    assert_eq!((runtime.tokio_threads(), runtime.rayon_threads()), (2, 2));
    assert_eq!(runtime.config().compute_priority, loom::ComputePriority::Normal);
    assert_eq!(runtime.config().pin, loom::Pin::No);
}

#[loom::compute]
fn thread_of_compute() -> String {
    std::thread::current().name().unwrap_or_default().to_owned()
}

#[loom::test]
fn a_plain_function_runs_in_the_context() {
    let runtime = loom::current_runtime().expect("a test has a runtime");
    assert_eq!(runtime.block_on(tokio::spawn(async { 7 })).expect("it does not panic"), 7);
    assert_eq!(tokio::runtime::Handle::current().id(), runtime.tokio_handle().id());
}

#[loom::test]
fn a_plain_function_may_fail() -> Result<(), ParseIntError> {
    "1".parse::<u8>()?;
    Ok(())
}

#[loom::test(arm = "offload")]
async fn all_calls_are_offloaded() {
    for _ in 0..50 {
        assert!(crate::is_of_pool(&thread_of_compute().await));
    }
    assert_eq!(loom::functions()[0].offloaded, 50);
}

#[loom::test(arm = "inline")]
async fn all_calls_run_inline() {
    for _ in 0..50 {
        assert!(!crate::is_of_pool(&thread_of_compute().await));
    }
    assert_eq!(loom::functions()[0].inline, 50);
}

thread_local! {
    static ARMS: std::cell::RefCell<Vec<bool>> = const { std::cell::RefCell::new(Vec::new()) };
}

mod both {
    use super::*;

    // Not run by the harness, which would call them once: the attribute makes plain functions.
    #[loom::test(arm = "both")]
    async fn runs() -> Result<(), ParseIntError> {
        let is_offloaded = crate::is_of_pool(&thread_of_compute().await);
        ARMS.with_borrow_mut(|arms| arms.push(is_offloaded));
        Ok(())
    }

    #[loom::test(arm = "both")]
    #[should_panic(expected = "on either arm")]
    async fn panics() {
        let is_offloaded = crate::is_of_pool(&thread_of_compute().await);
        ARMS.with_borrow_mut(|arms| arms.push(is_offloaded));
        panic!("on either arm");
    }

    #[loom::test(arm = "both")]
    fn plain() {
        let runtime = loom::current_runtime().expect("a test has a runtime");
        let name = runtime.block_on(thread_of_compute());
        ARMS.with_borrow_mut(|arms| arms.push(crate::is_of_pool(&name)));
    }

    const FAILS: &str = "LOOM_TEST_FAILS";

    #[loom::test(arm = "both")]
    async fn fails_if_it_is_told_to() {
        let place = thread_of_compute().await;
        assert!(std::env::var_os(FAILS).is_none(), "it ran on {place}");
    }

    #[test]
    fn a_test_that_fails_shows_its_name_and_both_arms_in_the_output_of_the_harness() {
        let name = "entries::both::fails_if_it_is_told_to";
        let program = std::env::current_exe().expect("the system knows it");
        let mut command = std::process::Command::new(program);
        command.args(["--exact", name]).env(FAILS, "1").env_remove("RUST_TEST_NOCAPTURE");
        let output = command.output();
        let output = output.expect("it is started");
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{text}{errors}");
        let mut rest = text.as_ref();
        for part in [
            &*format!("---- {name} stdout ----"),
            &*format!("{name}: arm = \"inline\""),
            "it ran on ",
            &*format!("{name}: arm = \"offload\""),
            "it ran on loom-",
        ] {
            let at = rest.find(part).unwrap_or_else(|| panic!("no `{part}` in {text}"));
            rest = &rest[at + part.len()..];
        }
        assert!(!errors.contains("arm ="), "nothing goes past the harness: {errors}");
    }

    #[test]
    fn a_test_runs_on_both_arms() {
        runs().expect("it succeeds");
        plain();
        assert_eq!(ARMS.take(), [false, true, false, true]);
    }

    #[test]
    #[allow(unnameable_test_items, reason = "they are meant to fail, and called here alone")]
    fn a_test_that_should_panic_does_so_on_both() {
        #[loom::test(arm = "both")]
        #[should_panic(expected = "is_of_pool")]
        async fn panics_once() {
            assert!(crate::is_of_pool(&thread_of_compute().await));
        }

        #[loom::test(arm = "both")]
        async fn fails_inline() -> Result<(), String> {
            match thread_of_compute().await {
                name if crate::is_of_pool(&name) => Ok(()),
                name => Err(name),
            }
        }

        #[loom::test(arm = "both")]
        #[should_panic(expected = "on the pool")]
        async fn panics_otherwise() {
            match thread_of_compute().await {
                name if crate::is_of_pool(&name) => panic!("on the pool"),
                _ => panic!("elsewhere"),
            }
        }

        std::panic::catch_unwind(panics).expect_err("it panics");
        assert_eq!(ARMS.take(), [false, true]);
        // The offloaded run does not panic, which the harness would report as a failure.
        assert!(std::panic::catch_unwind(panics_once).is_ok());
        let payload = std::panic::catch_unwind(panics_otherwise).expect_err("it panics");
        assert_eq!(payload.downcast_ref(), Some(&"elsewhere"), "not as expected");
        std::panic::catch_unwind(fails_inline).expect_err("the first failure counts");
    }
}
