//! Settings from files: every key in each kind of file, and the text of each error.

use std::fs;
use std::path::Path;
use std::process;
use std::time::Duration;

use loom::{ComputePriority, GlobalRayon, LoomBuilder, Pin, Placement, Source, TokioFlavor};

use crate::{CALLS, CORES, File, LIST, SLOW_POLL, SPARES, STACK, THREADS, config, error};

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
        global_rayon = "plain"
        stack_size = 4194304
        max_spares = 8
        tokio_flavor = "multi_thread"
        compute_queue = 77
        slow_poll = "off"
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
global_rayon: plain
stack_size: 4MiB
max_spares: 8
tokio_flavor: multi_thread
compute_queue: 77
slow_poll: off
shutdown_timeout: 1m 30s
";
    let json = r#"{
        "prefix": "file", "tokio_threads": 3, "rayon_threads": 2, "local_cores": 1,
        "cpuset": "0", "pin": false, "placement": "split", "compute_priority": "nice",
        "global_rayon": "plain", "stack_size": "4096 KiB", "max_spares": 8,
        "tokio_flavor": "multi_thread", "compute_queue": 77, "slow_poll": "off",
        "shutdown_timeout": "1m 30s"
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
        assert_eq!((config.global_rayon, config.stack_size), (GlobalRayon::Plain, Some(4 << 20)));
        assert_eq!(config.max_spares, 8);
        assert_eq!(config.tokio_flavor, TokioFlavor::MultiThread);
        assert_eq!(config.compute_queue, 77);
        assert_eq!(config.slow_poll, None);
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
        ("pin = \"maybe\"", "\"maybe\"", words("`auto`, `true`, `false` or `required`")),
        ("pin = 1", "1", words("`auto`, `true`, `false` or `required`")),
        ("placement = \"shard\"", "\"shard\"", "did you mean `shared`?".to_owned()),
        ("placement = \"x\"", "\"x\"", words("`shared` or `split`")),
        ("placement = true", "true", words("`shared` or `split`")),
        ("compute_priority = \"idel\"", "\"idel\"", "did you mean `idle`?".to_owned()),
        ("compute_priority = 10", "10", words("`auto`, `idle`, `nice` or `normal`")),
        ("global_rayon = \"x\"", "\"x\"", words("`plain` or `io_first`")),
        ("max_spares = 0", "0", SPARES.to_owned()),
        ("max_spares = 1025", "1025", SPARES.to_owned()),
        ("max_spares = \"all\"", "\"all\"", SPARES.to_owned()),
        ("stack_size = 1000", "1000", STACK.to_owned()),
        ("stack_size = \"8MB\"", "\"8MB\"", STACK.to_owned()),
        ("stack_size = \"99999999999GiB\"", "\"99999999999GiB\"", STACK.to_owned()),
        ("tokio_flavor = \"multi\"", "\"multi\"", "did you mean `multi_thread`?".to_owned()),
        ("compute_queue = -1", "-1", CALLS.to_owned()),
        ("compute_queue = \"many\"", "\"many\"", CALLS.to_owned()),
        ("slow_poll = 5", "5", format!("{duration}, with its unit; or `off`")),
        ("slow_poll = \"0s\"", "0s", SLOW_POLL.to_owned()),
        ("slow_poll = \"2h\"", "2h", SLOW_POLL.to_owned()),
        ("tokio_flavor = {}", "a table", words("`multi_thread` or `current_thread`")),
        ("shutdown_timeout = 5", "5", format!("{duration}, with its unit")),
        (
            "shutdown_timeout = \"5 parsecs\"",
            "\"5 parsecs\"",
            format!("{duration}: unknown unit `parsecs`"),
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
             placement, compute_priority, global_rayon, stack_size, max_spares, tokio_flavor, compute_queue, slow_poll, shutdown_timeout, profile, and those below \
             `mab_knobs`, `calibration` and `fleet`",
        ),
        (
            "[loom]\nx = 1",
            "loom",
            "settings stand at the top level, but for `functions` and the tables `mab_knobs`, `calibration` and `fleet`",
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
