//! Overrides: what an operator asks of functions wins over what their code says, at once.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{env, fs, process};

use axum::http::Request;
use clap::Parser;
use http_body_util::BodyExt;
use loom::dashboard::Dashboard;
use loom::{
    Arm, ComputeHint, ComputePriority, FunctionStats, LoomArgs, LoomBuilder, LoomRuntime, Mode,
    Override, Priority, Source,
};
use serde_json::Value;
use tower::ServiceExt;

fn builder() -> LoomBuilder {
    LoomBuilder::new().tokio_threads(2).rayon_threads(2).compute_priority(ComputePriority::Normal)
}

fn stats(runtime: &LoomRuntime, name: &str) -> FunctionStats {
    let functions = runtime.functions();
    functions.into_iter().find(|function| function.name.ends_with(name)).expect("it was called")
}

#[loom::compute(hint = "low")]
fn next(n: u64) -> u64 {
    black_box(n) + 1
}

/// Four tasks call the function all the time, while it is moved to the pool and back.
#[test]
fn a_function_under_load_is_moved_and_moved_back_and_no_call_is_lost() {
    let runtime = builder().build().expect("it starts");
    let (is_over, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (is_over, calls) = (Arc::clone(&is_over), Arc::clone(&calls));
            runtime.spawn_async(async move {
                let mut n = 0;
                while !is_over.load(Ordering::Relaxed) {
                    assert_eq!(next(n).await, n + 1);
                    n += 1;
                    calls.fetch_add(1, Ordering::Relaxed);
                    if n.is_multiple_of(16) {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    let until = |is_so: &dyn Fn(&FunctionStats) -> bool| {
        while calls.load(Ordering::Relaxed) < 100 || !is_so(&stats(&runtime, "::next")) {
            std::thread::yield_now();
        }
    };
    until(&|next| next.inline > 1_000);
    for _ in 0..3 {
        let name = stats(&runtime, "::next").path;
        let before = stats(&runtime, "::next").offloaded;
        assert_eq!(runtime.override_function(name, Mode::Offload).functions, 1);
        until(&|next| next.offloaded > before + 100);
        // Calls that had begun to be decided may still run inline; later ones do not.
        let inline = stats(&runtime, "::next").inline;
        let offloaded = stats(&runtime, "::next").offloaded;
        until(&|next| next.offloaded > offloaded + 100);
        assert!(stats(&runtime, "::next").inline <= inline + 4);
        runtime.override_function(name, Override::none());
        let inline = stats(&runtime, "::next").inline;
        until(&|next| next.inline > inline + 1_000);
    }
    is_over.store(true, Ordering::Relaxed);
    for task in tasks {
        runtime.block_on(task).expect("no call is wrong");
    }
    let next = stats(&runtime, "::next");
    assert_eq!((next.calls(), next.returned), (calls.load(Ordering::Relaxed), next.calls()));
    assert!(next.overridden >= 600, "{next:?}");
    assert_eq!((next.mode, next.overridden_to), (Mode::Adaptive, Override::none()));
}

#[loom::compute(mode = "offload")]
fn elsewhere() -> Option<String> {
    std::thread::current().name().map(str::to_owned)
}

#[loom::compute(mode = "offload")]
fn kept() -> Option<String> {
    std::thread::current().name().map(str::to_owned)
}

struct Cart;

impl Cart {
    #[loom::compute(hint = "low")]
    fn total(n: u64) -> u64 {
        n
    }
}

#[loom::compute(hint = "low", key = "given")]
fn generic<T: Send + 'static>(value: T) -> T {
    value
}

#[test]
fn a_type_names_its_methods_and_a_given_name_its_instances() {
    let runtime = builder().build().expect("it starts");
    runtime.block_on(async {
        assert_eq!((Cart::total(1).await, generic(2_u8).await, generic(3_u16).await), (1, 2, 3));
    });
    assert_eq!(runtime.override_function("overrides::Cart::*", Mode::Offload).functions, 1);
    assert_eq!(runtime.override_function("given", Mode::Offload).functions, 2);
    assert_eq!(stats(&runtime, "Cart::total").overridden_to, Mode::Offload.into());
}

#[test]
fn a_name_that_no_function_can_have_overrides_nothing() {
    let wrong = builder().override_function("shop::image*", Mode::Inline);
    let error = wrong.build().expect_err("no function has that name").to_string();
    assert!(error.contains("`shop::image*` names no function: expected the path"), "{error}");
    let runtime = builder().build().expect("it starts");
    assert_eq!(runtime.block_on(kept()).map(|name| name.starts_with("loom-")), Some(true));
    runtime.override_function("overrides::kept*", Mode::Inline);
    assert_eq!(stats(&runtime, "::kept").overridden_to, Override::none());
}

#[test]
fn the_closest_override_decides() {
    let all = Override::from(Mode::Inline).with_priority(Priority::Low);
    let runtime = builder()
        .override_function("overrides::kept", Override::from(Mode::Offload))
        .override_function("*", all)
        .build()
        .expect("it starts");
    let [elsewhere, kept] = runtime.block_on(async { [elsewhere().await, kept().await] });
    assert!(!elsewhere.expect("it has a name").starts_with("loom-rayon"));
    assert!(kept.expect("it has a name").starts_with("loom-"));
    let verdict = stats(&runtime, "::elsewhere").verdict.expect("it was decided");
    assert_eq!(verdict.arm, Arm::InlineTokio);
    assert_eq!(stats(&runtime, "::elsewhere").overridden_to, all);
    let both = Override::from(Mode::Offload).with_priority(Priority::Low);
    assert_eq!(stats(&runtime, "::kept").overridden_to, both);
    assert_eq!(stats(&runtime, "::kept").offloaded, 1);
    // Of a module, which is closer than all.
    runtime.override_function("overrides::*", Override::none().with_hint(ComputeHint::High));
    assert_eq!(stats(&runtime, "::elsewhere").overridden_to, all.with_hint(ComputeHint::High));
}

#[test]
fn a_name_that_no_function_has_is_told_with_the_nearest() {
    let runtime = builder().build().expect("it starts");
    runtime.block_on(next(1));
    let overridden = runtime.override_function("overrides::nxt", Mode::Offload);
    assert_eq!((overridden.functions, overridden.nearest), (0, Some("overrides::next")));
    let overridden = runtime.override_function("overrides::*", Mode::Offload);
    assert_eq!((overridden.functions, overridden.nearest), (1, None));
}

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    loom: LoomArgs,
}

#[test]
fn who_runs_the_program_decides() {
    let path: PathBuf = env::temp_dir().join(format!("loom-overrides-{}.toml", process::id()));
    let text = "[functions.\"overrides::next\"]\nmode = \"inline\"\nhint = \"high\"\n\
                [functions]\n\"overrides::kept\" = \"observe\"\n";
    fs::write(&path, text).expect("the file can be written");
    let args = Args::parse_from(["", "--loom-functions=overrides::next=offload"]);
    let runtime = builder()
        .file(&path)
        .with_cli_args(&args.loom)
        .override_function("overrides::kept", Mode::Offload)
        .build();
    fs::remove_file(&path).expect("it was written");
    let runtime = runtime.expect("it starts");
    runtime.block_on(async { (next(1).await, kept().await) });
    // The argument's override of a name replaces the file's, and the file's that of the code.
    assert_eq!(stats(&runtime, "::next").overridden_to, Override::from(Mode::Offload));
    assert_eq!(stats(&runtime, "::kept").overridden_to, Override::from(Mode::Observe));
    let argument = Source::Argument("--loom-functions".to_owned());
    assert_eq!(runtime.config().source("functions"), Some(&argument));
}

#[test]
fn a_wrong_override_is_an_error_that_says_what_is_expected() {
    let args = Args::parse_from(["", "--loom-functions=overrides::next=ofload"]);
    let error = builder().with_cli_args(&args.loom).build().expect_err("it is none");
    assert_eq!(
        error.to_string(),
        "`functions` is \"overrides::next=ofload\" (from argument `--loom-functions`); in \
         `overrides::next=ofload`: did you mean `offload`?"
    );
}

/// A page changes what it may, and only where the program lets it.
#[test]
fn a_page_overrides_where_the_program_allows_it() {
    let runtime = builder().build().expect("it starts");
    runtime.block_on(next(1));
    let send = |page: &Dashboard, method: &str, path: &str, host: &str| {
        let request = Request::builder().method(method).uri(path).header("host", host);
        let request = request.header("x-loom-override", "1").body(()).expect("it is well formed");
        let answer = runtime.block_on(page.clone().oneshot(request)).expect("it is infallible");
        let status = answer.status().as_u16();
        let body = runtime.block_on(answer.into_body().collect()).expect("it is whole").to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    };
    let own = "127.0.0.1:3000";
    let shows = Dashboard::of(&runtime);
    assert_eq!(send(&shows, "POST", "/override/all/offload", own).0, 403);
    let page = Dashboard::of(&runtime).allow_overrides().host("admin.example");
    let data: Value =
        serde_json::from_str(&send(&page, "GET", "/data", own).1).expect("it is JSON");
    let id = &data["functions"][0]["id"];
    assert_eq!(data["modes"][0], "adaptive");
    let offload = format!("/override/{id}/offload");
    assert_eq!(send(&page, "POST", &offload, "evil.example").0, 403);
    assert_eq!(send(&page, "GET", &offload, own).0, 405);
    assert_eq!(stats(&runtime, "::next").mode, Mode::Adaptive, "nothing was changed");
    assert_eq!(send(&page, "POST", &offload, "admin.example"), (204, String::new()));
    assert_eq!(stats(&runtime, "::next").mode, Mode::Offload);
    let data: Value =
        serde_json::from_str(&send(&page, "GET", "/data", own).1).expect("it is JSON");
    assert_eq!(data["functions"][0]["own_override"], "offload", "whoever looks next sees it");
    assert_eq!(send(&page, "POST", &format!("/override/{id}/none"), own).0, 204);
    assert_eq!(send(&page, "POST", "/override/all/inline", own).0, 204);
    assert_eq!(stats(&runtime, "::next").mode, Mode::Inline);
    // What an operator has said of the priority stays, whatever the page does to the mode.
    let name = stats(&runtime, "::next").name;
    runtime.override_function(name, Override::none().with_priority(Priority::Low));
    for words in ["offload", "none"] {
        assert_eq!(send(&page, "POST", &format!("/override/{id}/{words}"), own).0, 204);
        assert_eq!(
            stats(&runtime, "::next").overridden_to.priority,
            Some(Priority::Low),
            "{words}"
        );
    }
    for (wrong, said) in [
        ("/override/all/ofload", "did you mean `offload`?"),
        ("/override/all", "expected `override/ID/WORDS`"),
        ("/override/x/inline", "expected `override/ID/WORDS`"),
        ("/override/4000000/inline", "No function 4000000 was called yet."),
    ] {
        let (status, text) = send(&page, "POST", wrong, own);
        assert!(status == 400 && text.contains(said), "{wrong}: {status} {text}");
    }
}
