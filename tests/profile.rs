//! What a runtime has learned is kept in a file and used by the next run.

use std::fs;
use std::path::PathBuf;

use loom::{ComputeHint, ComputeStreamExt, LoomBuilder, LoomRuntime};
use tokio_stream::StreamExt;

/// A file that belongs to one test and is removed at its end.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let name = format!("loom-{name}-{}.profile", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn path(&self) -> String {
        self.0.display().to_string()
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.0).expect("it was written")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn builder() -> LoomBuilder {
    LoomBuilder::new().tokio_threads(2).rayon_threads(1).pin(false)
}

#[loom::compute]
fn light(n: u64) -> u64 {
    n + 1
}

#[loom::compute(size = n)]
fn sized(n: u64) -> u64 {
    n + 1
}

struct Cart(u64);

impl Cart {
    #[loom::compute]
    fn total(self) -> u64 {
        self.0
    }
}

fn call(runtime: &LoomRuntime, times: u64) {
    runtime.block_on(async {
        for n in 0..times {
            light(n).await;
            sized(1000).await;
            Cart(n).total().await;
        }
    });
}

#[test]
fn what_was_learned_is_known_the_next_time() {
    let file = File::new("known");
    let runtime = builder().profile(file.path()).build().expect("it starts");
    call(&runtime, 100);
    runtime.shutdown_background();
    let text = file.text();
    assert!(text.contains("\nprofile::light | profile::light | any | "), "{text}");
    assert!(text.contains("\nprofile::sized | profile::sized | 512..=1023 | "), "{text}");
    assert!(text.contains("\nprofile::Cart::total | profile::total | any | "), "{text}");

    // Without a profile, the first call of a function that has no hint is offloaded.
    let runtime = builder().profile(file.path()).build().expect("it starts");
    let worker = runtime.spawn_async(async {
        light(1).await;
        sized(1001).await
    });
    runtime.block_on(worker).expect("it does not panic");
    for function in runtime.functions() {
        assert_eq!((function.inline, function.offloaded), (1, 0), "{function:?}");
        let verdict = function.verdict.expect("it was called");
        assert_eq!(verdict.reason, loom::mab::Reason::Cost, "something was known: {verdict:?}");
    }
    // One call is too little to change the profile.
    drop(runtime);
    assert_eq!(file.text(), text);
}

#[test]
fn the_end_of_main_writes_it() {
    static PATH: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    #[loom::main(profile = PATH.get().expect("it was set").as_str(), tokio_threads = 1)]
    async fn run() {
        for n in 0..50 {
            light(n).await;
        }
    }
    let file = File::new("main");
    PATH.set(file.path()).expect("nobody else does");
    run();
    assert!(file.text().contains("profile::light"), "{}", file.text());
}

#[test]
fn functions_that_are_not_called_keep_theirs() {
    let file = File::new("kept");
    fs::write(&file.0, "other::one | other::one | any | 100% 5.2us\n").expect("it can be written");
    let runtime = builder().profile(file.path()).build().expect("it starts");
    call(&runtime, 20);
    drop(runtime);
    let text = file.text();
    assert!(text.contains("other::one | other::one | any | 100% 5.2us\n"), "{text}");
    assert!(text.contains("profile::light"), "{text}");
}

#[test]
fn what_is_no_profile_is_refused() {
    let file = File::new("wrong");
    fs::write(&file.0, "# Loom\nlight = 3\n").expect("it can be written");
    let error = builder().profile(file.path()).build().expect_err("it is none").to_string();
    assert!(error.contains("line 2") && error.contains("light = 3"), "{error}");
    let nowhere = file.0.join("below");
    let error = builder().profile(nowhere.display().to_string()).build();
    assert!(error.is_err(), "a file is no folder");
    let error = builder().profile("/nowhere/at/all").build().expect_err("no folder").to_string();
    assert!(error.contains("/nowhere/at/all") && error.contains("create it"), "{error}");
    assert!(builder().profile("").build().is_err());
}

#[test]
fn runtimes_that_share_a_file_add_to_it() {
    let file = File::new("shared");
    let [one, other] =
        [(), ()].map(|()| builder().profile(file.path()).build().expect("it starts"));
    one.block_on(async {
        for n in 0..20 {
            light(n).await;
        }
    });
    other.block_on(async {
        for n in 0..20 {
            Cart(n).total().await;
        }
    });
    drop((one, other));
    let text = file.text();
    assert!(text.contains("profile::light") && text.contains("profile::total"), "{text}");
}

#[test]
fn what_is_out_of_date_is_soon_forgotten() {
    let file = File::new("old");
    fs::write(&file.0, "profile::light | profile::light | any | 100% 3ms\n").expect("it can be");
    let runtime = builder().profile(file.path()).build().expect("it starts");
    let worker = runtime.spawn_async(async {
        for n in 0..10_000 {
            light(n).await;
        }
    });
    runtime.block_on(worker).expect("it does not panic");
    let function = &runtime.functions()[0];
    assert!(function.offloaded > 0 && function.inline > 5_000, "{function:?}");
}

#[test]
#[cfg(unix)]
fn a_link_stays_a_link() {
    let (file, link) = (File::new("real"), File::new("link"));
    fs::write(&file.0, "").expect("it can be written");
    std::os::unix::fs::symlink(&file.0, &link.0).expect("it can be made");
    let runtime = builder().profile(link.path()).build().expect("it starts");
    call(&runtime, 20);
    drop(runtime);
    assert!(link.0.symlink_metadata().expect("it is there").is_symlink());
    assert!(file.text().contains("profile::light"));
    assert!(builder().profile("/dev/null").build().is_err(), "no regular file");
}

#[test]
fn a_profile_becomes_a_file_of_hints() {
    let file = File::new("hints");
    let lines = [
        "shop::Cart::total | shop::total | any | 100% 60us",
        "shop::images::resize | shop::images::resize | 4096..=8191 | 100% 20us",
        "shop::images::resize | shop::images::resize | 8192..=16383 | 100% 2ms",
    ];
    fs::write(&file.0, lines.join("\n")).expect("it can be written");
    assert_eq!(
        loom::hints::from_profile(&file.0).expect("it is a profile"),
        "\"shop::images::resize\" = \"high\"\n\"shop::total\" = \"medium\"\n"
    );
    assert!(loom::hints::from_profile("/nowhere").is_err());
}

#[test]
fn lines_count_calls_to_one_digit() {
    let file = File::new("counts");
    let runtime = builder().profile(file.path()).build().expect("it starts");
    runtime.block_on(async {
        for _ in 0..543 {
            sized(8).await;
        }
        for _ in 0..40 {
            sized(1 << 20).await;
        }
    });
    runtime.shutdown_background();
    let text = file.text();
    let calls = |sizes: &str| {
        let line = text.lines().find(|line| line.contains(sizes)).unwrap_or_default();
        line.rsplit(" | ").next().unwrap_or_default().to_owned()
    };
    assert_eq!(calls(" | 8..=15 | "), "500 calls", "{text}");
    assert_eq!(calls(" | 1048576..=2097151 | "), "40 calls", "{text}");
}

/// A closure has a line if it has a name, and the hints of its calls do not differ.
#[test]
fn named_closures_have_lines_and_no_entry_in_a_file_of_hints() {
    let file = File::new("closures");
    let runtime = builder().profile(file.path()).build().expect("it starts");
    runtime.block_on(async {
        let numbers = || tokio_stream::iter(0..50_u64);
        let plain = numbers().adaptive_map(|n| n + 1);
        let named = numbers().adaptive_map(|n| n + 2).name("profile::one");
        let of_two = |n: &u64| if *n < 25 { ComputeHint::Low } else { ComputeHint::High };
        let mixed = numbers().adaptive_map(|n| n + 3).hint_by(of_two).name("profile::mixed");
        assert_eq!(plain.collect::<Vec<_>>().await.len(), 50);
        assert_eq!(named.collect::<Vec<_>>().await.len(), 50);
        assert_eq!(mixed.collect::<Vec<_>>().await.len(), 50);
    });
    runtime.shutdown_background();
    let text = file.text();
    assert!(text.contains("\nprofile::one | (closure) | any | "), "{text}");
    assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 1, "{text}");
    assert_eq!(loom::hints::from_profile(&file.0).expect("it is a profile"), "");
}
