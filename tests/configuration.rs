//! Settings: their sources, which source wins, and the text of each error.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Parser;
use loom::{
    ComputePriority, LoomArgs, LoomBuilder, LoomConfig, Pin, Placement, Source, TokioFlavor,
};

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
const THREADS: &str = "expected a whole number from 1 to 8192, or leave it out for the default";
const CORES: &str = "expected a whole number from 0 to 1024, or leave it out for none";
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
            new().shutdown_timeout(Duration::from_hours(25)),
            "`shutdown_timeout` is 90000s (set in code); expected at most `24h`".into(),
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
fn every_key_can_be_set_in_each_kind_of_file() {
    let toml = r#"
        prefix = "file"
        tokio_threads = 3
        rayon_threads = 2
        local_cores = 1
        cpuset = "0"
        pin = false
        placement = "split"
        compute_priority = "nice"
        tokio_flavor = "multi_thread"
        compute_queue = 77
        shutdown_timeout = "1m 30s"
    "#;
    let yaml = "
# Everything.
prefix: file
tokio_threads: 3
rayon_threads: 2
local_cores: 1
cpuset: '0'
pin: false
placement: split
compute_priority: nice
tokio_flavor: multi_thread
compute_queue: 77
shutdown_timeout: 1m 30s
";
    let json = r#"{
        "prefix": "file", "tokio_threads": 3, "rayon_threads": 2, "local_cores": 1,
        "cpuset": "0", "pin": false, "placement": "split", "compute_priority": "nice",
        "tokio_flavor": "multi_thread", "compute_queue": 77, "shutdown_timeout": "1m 30s"
    }"#;
    for (extension, text) in
        [("toml", toml), ("yaml", yaml), ("yml", yaml), ("json", json), ("TOML", toml)]
    {
        let file = File::new(extension, text);
        let config = config(file.builder());
        assert_eq!(config.prefix, "file", "{extension}");
        assert_eq!((config.tokio_threads, config.rayon_threads), (3, 2));
        assert_eq!(config.local_cores, 1);
        assert_eq!(config.cpuset, "0");
        assert_eq!(config.pin, Pin::No);
        assert_eq!(config.placement, Placement::Split);
        assert_eq!(config.compute_priority, ComputePriority::Nice);
        assert_eq!(config.tokio_flavor, TokioFlavor::MultiThread);
        assert_eq!(config.compute_queue, 77);
        assert_eq!(config.shutdown_timeout, Duration::from_secs(90));
        assert_eq!(config.source("cpuset"), Some(&Source::File(file.0.clone())));
        assert_eq!(config.source("no such key"), None);
    }
    for (extension, text) in
        [("toml", ""), ("yaml", ""), ("yaml", "# nothing\n"), ("json", "{}"), ("json", "\u{feff}")]
    {
        let file = File::new(extension, text);
        assert_eq!(config(file.builder()).source("prefix"), Some(&Source::Default), "{text:?}");
    }
}

#[test]
fn bad_values_in_a_file_are_errors_that_name_the_file() {
    let duration = "expected a duration such as `500ms`, `5s` or `2min`";
    let words = |words| format!("expected {words}");
    for (line, value, expected) in [
        ("prefix = 3", "3", words("a string")),
        ("tokio_threads = 0", "0", THREADS.to_owned()),
        ("tokio_threads = -1", "-1", THREADS.to_owned()),
        ("local_cores = 1025", "1025", CORES.to_owned()),
        ("local_cores = -1", "-1", CORES.to_owned()),
        ("tokio_threads = 1.5", "1.5", THREADS.to_owned()),
        ("tokio_threads = 99999999999999999999", "99999999999999999999", THREADS.to_owned()),
        ("tokio_threads = 9223372036854775807", "9223372036854775807", THREADS.to_owned()),
        ("rayon_threads = \"many\"", "\"many\"", THREADS.to_owned()),
        ("rayon_threads = [1, 2]", "a list", THREADS.to_owned()),
        ("cpuset = 3", "3", words("a string")),
        ("cpuset = \"all\"", "\"all\"", format!("{LIST}, and `all` is neither")),
        ("pin = \"maybe\"", "\"maybe\"", words("`true`, `false` or `required`")),
        ("pin = 1", "1", words("`true`, `false` or `required`")),
        ("placement = \"shard\"", "\"shard\"", "did you mean `shared`?".to_owned()),
        ("placement = \"x\"", "\"x\"", words("`shared` or `split`")),
        ("placement = true", "true", words("`shared` or `split`")),
        ("compute_priority = \"idel\"", "\"idel\"", "did you mean `idle`?".to_owned()),
        ("compute_priority = 10", "10", words("`idle`, `nice` or `normal`")),
        ("tokio_flavor = \"multi\"", "\"multi\"", "did you mean `multi_thread`?".to_owned()),
        ("compute_queue = -1", "-1", CALLS.to_owned()),
        ("compute_queue = \"many\"", "\"many\"", CALLS.to_owned()),
        ("tokio_flavor = {}", "a table", words("`multi_thread` or `current_thread`")),
        ("shutdown_timeout = 5", "5", format!("{duration}, with its unit")),
        (
            "shutdown_timeout = \"5 parsecs\"",
            "\"5 parsecs\"",
            format!(
                "{duration}: unknown time unit \"parsecs\", supported units: ns, us/µs, ms, sec, min, \
             hours, days, weeks, months, years (and few variations)"
            ),
        ),
        ("shutdown_timeout = \"25h\"", "90000s", "expected at most `24h`".to_owned()),
    ] {
        let file = File::new("toml", line);
        let key = line.split(' ').next().expect("it is there");
        let path = file.0.display();
        let expected = format!("`{key}` is {value} (from file `{path}`); {expected}");
        assert_eq!(file.error(), expected);
    }
}

#[test]
fn unknown_keys_are_errors_that_name_the_nearest_one() {
    for (line, key, remedy) in [
        ("tokio_thread = 3", "tokio_thread", "did you mean `tokio_threads`?"),
        ("cpu_set = \"0\"", "cpu_set", "did you mean `cpuset`?"),
        (
            "zzz = 3",
            "zzz",
            "the keys are prefix, tokio_threads, rayon_threads, local_cores, cpuset, pin, \
             placement, compute_priority, tokio_flavor, compute_queue, shutdown_timeout, profile, and those below \
             `mab_knobs` and `calibration`",
        ),
        (
            "[loom]\nx = 1",
            "loom",
            "settings stand at the top level, but for `mab_knobs` and `calibration`",
        ),
    ] {
        let file = File::new("toml", line);
        let path = file.0.display();
        let expected = format!("`{key}` is no setting (from file `{path}`); {remedy}");
        assert_eq!(file.error(), expected);
    }
}

#[test]
fn files_that_are_none_are_errors_that_say_what_is_wrong() {
    let cannot = |path: &Path| format!("cannot use configuration file `{}`: ", path.display());
    let missing = Path::new("no/such/file.toml");
    assert_eq!(
        error(LoomBuilder::new().file(missing)),
        cannot(&std::path::absolute(missing).expect("it is no empty path"))
            + "No such file or directory (os error 2)"
    );
    let folder = std::env::temp_dir().join(format!("loom-settings-{}.toml", process::id()));
    fs::create_dir(&folder).expect("the folder for temporary files can be written");
    assert_eq!(
        error(LoomBuilder::new().file(&folder)),
        cannot(&folder) + "expected a regular file"
    );
    fs::remove_dir(&folder).expect("it is empty");
    let unknown = File::new("conf", "");
    assert_eq!(
        unknown.error(),
        cannot(&unknown.0) + "expected a name that ends in `.toml`, `.yaml`, `.yml` or `.json`"
    );
    for (extension, text, words) in [
        ("toml", &b"tokio_threads = "[..], "line 1, column 17"),
        ("toml", b"pin = true\npin = false", "duplicate key"),
        ("toml", b"prefix = \"\xff\"", "stream did not contain valid UTF-8"),
        ("json", b"{\"pin\": true,}", "line 1 column 14"),
        ("json", b"{\"pin\": true, \"pin\": false}", "`pin` is given twice"),
        ("json", b"[]", "expected a table of settings"),
        ("yaml", b"pin: [true", "line 1"),
        ("yaml", b"pin: true\npin: false", "duplicate"),
        ("yaml", b"- pin", "expected a table of settings"),
    ] {
        let file = File::new(extension, text);
        let error = file.error();
        assert!(error.starts_with(&cannot(&file.0)) && error.contains(words), "{error}");
    }
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
            .file(&first.0)
            .file(&second.0),
    );
    let of = |key| config.source(key).expect("it is a key").clone();
    assert_eq!((&*config.prefix, of("prefix")), ("first", Source::File(first.0.clone())));
    assert_eq!((config.rayon_threads, of("rayon_threads")), (3, Source::File(second.0.clone())));
    let argument = Source::Argument("--loom-tokio-threads".to_owned());
    assert_eq!((config.tokio_threads, of("tokio_threads")), (1, argument));
    assert_eq!(of("shutdown_timeout"), Source::File(third.0.clone()));
    assert_eq!((config.pin, of("pin")), (Pin::Yes, Source::Default));
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
        "--loom-tokio-flavor=multi_thread",
        "--loom-compute-queue=9",
        "--loom-shutdown-timeout=2min",
        &format!("--loom-profile={}", profile.display()),
    ]));
    let config = config(builder);
    for line in config.to_string().lines() {
        let key = line.split(' ').next().expect("it is there").replace('_', "-");
        assert!(line.ends_with(&format!(" (from argument `--loom-{key}`)")), "{line}");
    }
    assert_eq!(config.shutdown_timeout, Duration::from_mins(2));
    for (argument, expected) in [
        ("--loom-tokio-threads=0", format!("`tokio_threads` is 0 (ARG); {THREADS}")),
        ("--loom-pin=no", "`pin` is \"no\" (ARG); expected `true`, `false` or `required`".into()),
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
