//! Settings: their sources, which source wins, and the text of each error.

mod files;

use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Parser;
use loom::{LoomArgs, LoomBuilder, LoomConfig, Pin, Placement, Source, TokioFlavor};

/// A file that belongs to one test and is removed at its end.
struct File(PathBuf);

impl File {
    fn new(extension: &str, text: impl AsRef<[u8]>) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("loom-settings-{}-{number}.{extension}", process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).expect("the folder for temporary files can be written");
        Self(path)
    }

    fn builder(&self) -> LoomBuilder {
        LoomBuilder::new().file(&self.0)
    }

    fn error(&self) -> String {
        error(self.builder())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // A leftover does no harm in the folder for temporary files.
        let _ = fs::remove_file(&self.0);
    }
}

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    loom: LoomArgs,
}

fn args(arguments: &[&str]) -> LoomArgs {
    Args::parse_from([&["shop"], arguments].concat()).loom
}

fn error(builder: LoomBuilder) -> String {
    builder.build().expect_err("it is refused").to_string()
}

fn config(builder: LoomBuilder) -> LoomConfig {
    builder.build().expect("it starts").config().clone()
}

const CALLS: &str = "expected a whole number from 1 to 16777216, or leave it out for the default";
const SLOW_POLL: &str = "expected `10us` to `1h`, or `off`";
const THREADS: &str = "expected a whole number from 1 to 8192, or leave it out for the default";
const CORES: &str = "expected a whole number from 0 to 1024, or leave it out for none";
const SPARES: &str = "expected a whole number from 1 to 1024, or leave it out for the default";
const STACK: &str = "expected 128KiB to 4GiB, in bytes or with a unit such as `8MiB`, or leave it out \
                     for the default";
const LIST: &str = "expected CPU numbers and ranges such as `0-3,8`";

#[test]
fn bad_values_in_code_are_errors_that_name_the_way_out() {
    let new = LoomBuilder::new;
    for (builder, expected) in vec![
        (new().tokio_threads(0), format!("`tokio_threads` is 0 (set in code); {THREADS}")),
        (new().tokio_threads(8193), format!("`tokio_threads` is 8193 (set in code); {THREADS}")),
        (new().rayon_threads(0), format!("`rayon_threads` is 0 (set in code); {THREADS}")),
        (new().rayon_threads(8193), format!("`rayon_threads` is 8193 (set in code); {THREADS}")),
        (
            new().prefix(""),
            "`prefix` is \"\" (set in code); expected a name for the threads: leave it out to get \
             `loom`"
                .into(),
        ),
        (
            new().prefix("a\0b"),
            "`prefix` is \"a\\0b\" (set in code); expected no control characters, since it becomes \
             part of thread names"
                .into(),
        ),
        (
            new().prefix("x".repeat(65)),
            format!(
                "`prefix` is {:?} (set in code); expected at most 64 bytes, found 65",
                "x".repeat(65)
            ),
        ),
        (new().cpuset(""), format!("`cpuset` is \"\" (set in code); {LIST}")),
        (
            new().cpuset("0-"),
            format!("`cpuset` is \"0-\" (set in code); {LIST}, and `0-` is neither"),
        ),
        (
            new().cpuset("3-1"),
            "`cpuset` is \"3-1\" (set in code); expected ranges in ascending order: `1-3`".into(),
        ),
        (
            new().cpuset("0-70000"),
            "`cpuset` is \"0-70000\" (set in code); expected CPUs 0 to 65535, found 70000".into(),
        ),
        (
            new().shutdown_timeout(Duration::from_secs(90_000)),
            "`shutdown_timeout` is 90000s (set in code); expected at most `24h`".into(),
        ),
        (
            new().slow_poll(Duration::ZERO),
            format!("`slow_poll` is 0s (set in code); {SLOW_POLL}"),
        ),
        (new().compute_queue(0), format!("`compute_queue` is 0 (set in code); {CALLS}")),
        (
            new().compute_queue(16_777_217),
            format!("`compute_queue` is 16777217 (set in code); {CALLS}"),
        ),
    ] {
        assert_eq!(error(builder), expected);
    }
    let none = error(new().cpuset("60000-60001"));
    let start = "`cpuset` is \"60000-60001\" (set in code); none of these may be used; the process \
                 may use CPUs ";
    assert!(none.starts_with(start), "{none}");
}

#[test]
fn later_sources_win() {
    let first = File::new("toml", "prefix = \"first\"\nrayon_threads = 4\ntokio_threads = 4");
    let second = File::new("json", r#"{"rayon_threads": 3, "tokio_threads": 3}"#);
    let third = File::new("yaml", "shutdown_timeout: 7s");
    // The order of the calls matters only among files.
    let config = config(
        LoomBuilder::new()
            .with_cli_args(&args(&[
                "--loom-tokio-threads=1",
                "--loom-config",
                third.0.to_str().expect("it is text"),
            ]))
            .tokio_threads(2)
            .rayon_threads(2)
            .stack_size(1 << 20)
            .file(&first.0)
            .file(&second.0),
    );
    let of = |key| config.source(key).expect("it is a key").clone();
    assert_eq!((&*config.prefix, of("prefix")), ("first", Source::File(first.0.clone())));
    assert_eq!((config.rayon_threads, of("rayon_threads")), (3, Source::File(second.0.clone())));
    let argument = Source::Argument("--loom-tokio-threads".to_owned());
    assert_eq!((config.tokio_threads, of("tokio_threads")), (1, argument));
    assert_eq!(of("shutdown_timeout"), Source::File(third.0.clone()));
    assert_eq!((config.stack_size, of("stack_size")), (Some(1 << 20), Source::Code));
    assert_eq!((config.pin, of("pin")), (Pin::Auto, Source::Default));
}

#[test]
fn every_key_is_an_argument() {
    let profile = std::env::temp_dir().join(format!("loom-args-{}.profile", process::id()));
    let builder = LoomBuilder::new().with_cli_args(&args(&[
        "--loom-prefix=arg",
        "--loom-tokio-threads=3",
        "--loom-rayon-threads=2",
        "--loom-local-cores=1",
        "--loom-cpuset=0",
        "--loom-pin=false",
        "--loom-placement=split",
        "--loom-compute-priority=normal",
        "--loom-global-rayon=plain",
        "--loom-stack-size=1MiB",
        "--loom-max-spares=5",
        "--loom-tokio-flavor=multi_thread",
        "--loom-compute-queue=9",
        "--loom-slow-poll=off",
        "--loom-shutdown-timeout=2min",
        &format!("--loom-profile={}", profile.display()),
        "--loom-functions=*=adaptive",
    ]));
    let config = config(builder);
    for line in config.to_string().lines() {
        let key = line.split(' ').next().expect("it is there").replace('_', "-");
        assert!(line.ends_with(&format!(" (from argument `--loom-{key}`)")), "{line}");
    }
    assert_eq!(config.shutdown_timeout, Duration::from_secs(120));
    for (argument, expected) in [
        ("--loom-tokio-threads=0", format!("`tokio_threads` is 0 (ARG); {THREADS}")),
        (
            "--loom-pin=no",
            "`pin` is \"no\" (ARG); expected `auto`, `true`, `false` or `required`".into(),
        ),
        (
            "--loom-placement=splitt",
            "`placement` is \"splitt\" (ARG); did you mean `split`?".into(),
        ),
    ] {
        let builder = LoomBuilder::new().with_cli_args(&args(&[argument]));
        let name = argument.split('=').next().expect("it is there");
        let expected = expected.replace("ARG", &format!("from argument `{name}`"));
        assert_eq!(error(builder), expected);
    }
}

#[test]
fn a_bad_value_is_an_error_although_a_later_source_wins() {
    let file = File::new("toml", "rayon_threads = 0");
    let path = file.0.display();
    assert_eq!(
        error(file.builder().rayon_threads(1)),
        format!("`rayon_threads` is 0 (from file `{path}`); {THREADS}")
    );
}

#[test]
fn a_current_thread_runtime_has_no_workers_to_count() {
    let builder = || LoomBuilder::new().tokio_flavor(TokioFlavor::CurrentThread);
    assert_eq!(
        error(builder().tokio_threads(4)),
        "`tokio_threads` is 4 (set in code); with the flavor current_thread tasks run on the \
         thread inside `block_on`: leave it out"
    );
    assert_eq!(config(builder()).tokio_threads, 1);
}

#[test]
fn one_cpu_gets_threads_of_both_kinds() {
    for placement in [Placement::Shared, Placement::Split] {
        let runtime = LoomBuilder::new().cpuset("0").placement(placement).build();
        let runtime = runtime.expect("CPU 0 is there");
        assert_eq!((runtime.tokio_threads(), runtime.rayon_threads()), (1, 1));
        assert_eq!(runtime.effective_cpuset(), [0]);
        assert_eq!(runtime.block_on(runtime.spawn_compute(|| 1)), 1);
    }
}

#[test]
fn more_threads_than_cpus_are_no_error() {
    for pin in [Pin::Yes, Pin::No] {
        for placement in [Placement::Shared, Placement::Split] {
            let runtime = LoomBuilder::new().cpuset("0-1").tokio_threads(1).rayon_threads(2);
            let runtime = runtime.pin(pin).placement(placement).build().expect("it starts");
            assert_eq!((runtime.tokio_threads(), runtime.rayon_threads()), (1, 2));
        }
    }
}
