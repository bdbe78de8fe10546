//! Settings of a fleet from code, files, the environment and arguments.

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs, process};

use clap::Parser;
use loom::fleet::FleetRole;
use loom::{LoomArgs, LoomBuilder, Source};
use loom_fleet::{Fleet, Hub};

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    loom: LoomArgs,
}

fn small() -> LoomBuilder {
    LoomBuilder::new().tokio_threads(1).rayon_threads(1)
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = env::temp_dir().join(format!("loom-fleet-{}-{name}", process::id()));
    fs::write(&path, text).expect("it is written");
    path
}

#[test]
fn later_sources_count() {
    let path = file(
        "later.toml",
        "[fleet]\nname = \"of-file\"\nrole = \"only_worker\"\nmost_calls = 7\ntime_limit = \"2m\"",
    );
    let args = ["shop", "--loom-fleet-role", "worker", "--loom-fleet-lost-after", "500ms"];
    let args = Args::try_parse_from(args).expect("they are right");
    let with_secret = ["shop", "--loom-fleet-url", "nats://me:secret@here"];
    let with_secret = Args::try_parse_from(with_secret).expect("they are right");
    assert!(!format!("{:?}", with_secret.loom).contains("secret"));
    let builder = small().fleet(Fleet::hub(&Hub::new()).name("of-code").preferred());
    let runtime = builder.file(&path).with_cli_args(&args.loom).build().expect("it starts");
    fs::remove_file(&path).expect("it is there");
    let (config, file) = (runtime.config(), Source::File(path));
    let fleet = &config.fleet;
    assert_eq!((fleet.name.as_deref(), fleet.role), (Some("of-file"), Some(FleetRole::Worker)));
    assert_eq!((fleet.preferred, fleet.most_calls), (Some(true), Some(7)));
    assert_eq!(fleet.time_limit, Some(Duration::from_secs(120)));
    assert_eq!(fleet.lost_after, Some(Duration::from_millis(500)));
    assert_eq!(config.source("fleet.name"), Some(&file));
    assert_eq!(config.source("fleet.preferred"), Some(&Source::Code));
    assert_eq!(config.source("fleet.url"), Some(&Source::Default));
    let shown = config.to_string();
    for line in [
        "fleet.role = worker (from argument `--loom-fleet-role`)",
        "fleet.preferred = true (set in code)",
        "fleet.time_limit = 2m (from file",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(!shown.contains("fleet.url"), "it was not set: {shown}");
}

/// Read by a process of its own, so that no other test sees the variables.
#[test]
fn the_environment_counts() {
    const CHILD: &str = "FLEET_SETTINGS_CHILD";
    if env::var_os(CHILD).is_none() {
        let mut child = process::Command::new(env::current_exe().expect("this test"));
        child.args(["--exact", "the_environment_counts", "--nocapture"]).env(CHILD, "1");
        child.env("SHOP_FLEET_URL", "nats://me:secret@127.0.0.1:1");
        child.env("SHOP_FLEET_NAME", "shop");
        assert!(child.status().expect("it runs").success());
        return;
    }
    let builder = small().env_prefix("SHOP").fleet(Fleet::from_settings().name("of-code"));
    let runtime = builder.build().expect("a server that is away is no error");
    let shown = format!("{}\n{:?}", runtime.config(), runtime.config());
    assert!(shown.contains("fleet.name = \"shop\" (from environment variable `SHOP_FLEET_NAME`)"));
    assert!(shown.contains("fleet.url = \"nats://127.0.0.1:1\""), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn wrong_values_say_where_they_are() {
    let told = |text: &str| {
        let path = file("wrong.toml", text);
        let built = small().fleet(Fleet::from_settings()).file(&path).build();
        fs::remove_file(&path).expect("it is there");
        built.expect_err("it is wrong").to_string()
    };
    for (text, parts) in [
        (
            "fleet.role = \"boss\"",
            ["`fleet.role` is \"boss\"", "`caller`, `worker` or `only_worker`"],
        ),
        ("fleet.name = \"my fleet\"", ["`fleet.name` is \"my fleet\"", "wrong.toml"]),
        ("fleet.most_calls = -1", ["`fleet.most_calls` is -1", "from 1 to 65536"]),
        ("fleet.most_calls = 0", ["`fleet.most_calls` is 0", "from 1 to 65536"]),
        ("fleet.time_limit = \"5 parsecs\"", ["`fleet.time_limit`", "a duration such as"]),
        ("fleet.lost_after = \"1ms\"", ["`fleet.lost_after` is 1ms", "`10ms` to `24h`"]),
        ("fleet.preferred = \"maybe\"", ["`fleet.preferred`", "`true` or `false`"]),
        ("fleet.url = \"\"", ["`fleet.url` is \"\"", "nats://host:4222"]),
        ("fleet.ulr = \"nats://here\"", ["`fleet.ulr` is no setting", "did you mean `fleet.url`?"]),
        ("fleet = \"nats://me:secret@here\"", ["`fleet` is a text", "expected a table"]),
        ("[fleet]\nurl = \"nats://me:secret@here", ["wrong.toml", "TOML parse error at line 2"]),
        ("fleet = 3", ["`fleet` is 3", "expected a table"]),
        (
            "fleet.url = \"nats://me:secret@host:port\"",
            ["cannot join the fleet", "nats://host:port"],
        ),
        (
            "fleet.url = \"nats://here\"\nfleet.credentials = \"/nowhere\"",
            ["`/nowhere`", "No such file"],
        ),
    ] {
        let told = told(text);
        assert!(parts.iter().all(|part| told.contains(part)), "{text}: {told}");
        assert!(!told.contains("secret"), "{told}");
    }
}

#[test]
fn a_program_without_a_fleet_says_so() {
    let path = file("without.toml", "fleet.url = \"nats://me:secret@here\"");
    let built = small().file(&path).build();
    fs::remove_file(&path).expect("it is there");
    let told = built.expect_err("it joins none").to_string();
    assert!(told.contains("joins no fleet") && told.contains("nats://here"), "{told}");
    assert!(!told.contains("secret"), "{told}");
}
