//! The dashboard page, in headless Chromium: it loads and updates, can be read at any width, in
//! light and in dark, and can be used by keyboard.
//!
//! Not among the default tests, since it needs `chromium` and `chromedriver`; `.ci/run page`
//! installs them. `LOOM_SCREENSHOT=overwrite` updates the picture that the README shows.

mod browser;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use axum::Router;
use browser::Browser;
use loom::{LoomBuilder, LoomRuntime, Mode};
use loom_fleet::{Fleet, Hub};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// The screen size of a phone, and of a desktop.
const PHONE: (u32, u32) = (390, 844);
const DESK: (u32, u32) = (1280, 1120);

#[loom::compute(hint = "low")]
fn tiny(n: u64) -> u64 {
    std::hint::black_box(n) + 1
}

#[loom::compute(hint = "high", size = n)]
fn sum(n: u64) -> u64 {
    (0..n).fold(0, |sum, n| std::hint::black_box(sum ^ n))
}

#[loom::compute(hint = "low")]
async fn pauses(n: u64) -> u64 {
    tokio::task::yield_now().await;
    n
}

#[loom::compute(fleet, mode = "offload", max_concurrent = 7)]
fn crop(n: u64) -> u64 {
    n
}

/// A runtime that serves its dashboard page, and the page's URL. It belongs to a fleet.
fn served(hub: &Hub) -> (LoomRuntime, String) {
    let builder =
        LoomBuilder::new().prefix("shop").tokio_threads(2).rayon_threads(2).local_cores(1);
    let builder = builder.fleet(Fleet::hub(hub).name("shop").preferred());
    let runtime = builder.build().expect("it starts");
    let page = loom::dashboard::Dashboard::of(&runtime).allow_overrides();
    let router: Router = Router::new().nest_service("/inside/loom", page);
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
    let listener = listener.expect("loopback has a port");
    let addr = listener.local_addr().expect("it is bound");
    runtime.tokio_handle().spawn(async { axum::serve(listener, router).await });
    (runtime, format!("http://{addr}/inside/loom"))
}

/// A task that calls all functions until it is aborted.
fn load(runtime: &LoomRuntime) -> JoinHandle<()> {
    let mut pause = runtime.block_on(async { tokio::time::interval(Duration::from_millis(5)) });
    runtime.tokio_handle().spawn(async move {
        let began = Instant::now();
        let busy = async { while began.elapsed() < Duration::from_millis(30) {} };
        loom::observe("a busy loop", busy).await;
        for n in 0_u64.. {
            pause.tick().await;
            tiny(pauses(crop(n).await).await).await;
            sum(if n.is_multiple_of(2) { 100 } else { 500_000 }).await;
        }
    })
}

/// How often the page has fetched data.
async fn looks(browser: &Browser) -> u64 {
    let looks = browser.run("return Number(document.body.dataset.looks || 0)").await;
    looks.as_u64().expect("a number")
}

async fn until_it_looks(browser: &Browser, times: u64) {
    let until = looks(browser).await + times;
    browser.until(&format!("Number(document.body.dataset.looks || 0) >= {until}")).await;
}

/// The layout faults at the current width: parts that stick out, and text with too little contrast
/// to its background (WCAG 2.2, 1.4.3 and 1.4.10).
async fn faults(browser: &Browser) -> Value {
    browser.run(include_str!("faults.js")).await
}

#[test]
fn the_page_shows_what_a_runtime_does() {
    let hub = Hub::new();
    let worker = LoomBuilder::new().tokio_threads(1).rayon_threads(1);
    let worker = worker.fleet(Fleet::hub(&hub).name("shop").only_worker()).build();
    let _worker = worker.expect("it starts");
    let (runtime, url) = served(&hub);
    let load = load(&runtime);
    // The browser's client runs on a runtime of its own, not on the observed one.
    let own = tokio::runtime::Runtime::new().expect("tokio starts");
    own.block_on(async {
        let browser = Browser::start().await;
        browser.open(&url).await;
        until_it_looks(&browser, 2).await;
        it_names_threads_and_functions(&browser).await;
        it_lives(&browser).await;
        it_tells_of_the_fleet(&browser).await;
        it_can_be_used_by_keyboard(&browser).await;
        it_overrides_where_a_function_runs(&browser, &runtime).await;
        for (width, height) in [PHONE, DESK] {
            for scheme in ["light", "dark"] {
                browser.look_like(width, height, scheme).await;
                until_it_looks(&browser, 1).await;
                browser.run("scrollTo(0, 0)").await;
                assert_eq!(faults(&browser).await, json!([]), "{width} {scheme}");
                keep(&browser, &format!("{scheme}-{width}.png")).await;
            }
        }
        load.abort();
        it_says_when_nobody_answers(&browser, runtime).await;
        assert_eq!(browser.errors().await, Vec::<String>::new(), "nothing goes wrong in it");
        browser.stop().await;
    });
}

async fn it_names_threads_and_functions(browser: &Browser) {
    let text = browser.run("return document.body.innerText").await;
    let text = text.as_str().expect("it is text");
    for part in [
        "Loom shop",
        "2 I/O + 2 compute threads + 1 local core on CPUs",
        "shop-tokio-0000",
        "shop-rayon-0001",
        "shop-local-0000",
        "page::tiny",
        "page::sum (size 64 to 127)",
        "page::sum (size 262 k to 524 k)",
        "page::pauses (first polls)",
        "waiting for a thread",
        "way to the pool and back",
        "calls on the fleet",
        "caller of shop; ",
        "guardrails",
        "Slow polls",
        "`a busy loop` (tests/page/main.rs:",
        "live",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let outside = browser.run("return performance.getEntriesByType('resource').map(e => e.name)");
    let outside = outside.await;
    let names = outside.as_array().expect("a list").iter().map(|name| name.as_str());
    for name in names.map(|name| name.expect("it is text")) {
        assert!(name.ends_with("/inside/loom/data"), "asked for {name}");
    }
}

/// The page changes while load runs, and stands still while it is paused.
async fn it_lives(browser: &Browser) {
    const CALLS: &str = "document.querySelector('#functions td[data-label=calls]').innerText";
    let first = browser.run(&format!("return {CALLS}")).await;
    browser.until(&format!("{CALLS} !== {first}")).await;
    let cores = browser.run("return document.querySelectorAll('#cores .card').length").await;
    assert!(cores.as_u64() > Some(0));
    browser.run("document.getElementById('pause').click()").await;
    let stopped = looks(browser).await;
    assert_eq!(browser.run("return document.getElementById('state').innerText").await, "paused");
    // Longer than two fetches take, by the browser's clock.
    browser.run("return new Promise((done) => setTimeout(done, 2500))").await;
    assert!(looks(browser).await <= stopped + 1, "one may have been under way");
    browser.run("document.getElementById('pause').click()").await;
    until_it_looks(browser, 1).await;
}

/// Tab moves between buttons and shows a focus ring; Enter opens a function.
async fn it_can_be_used_by_keyboard(browser: &Browser) {
    const OPEN: &str = "return document.querySelectorAll('tr.more').length";
    assert_eq!(browser.run(OPEN).await, 0);
    browser.run("document.activeElement.blur()").await;
    browser.press("\u{e004}").await;
    assert_eq!(browser.run("return document.activeElement.id").await, "pause");
    browser.press("\u{e004}").await;
    assert_eq!(browser.run("return document.activeElement.tagName").await, "SELECT");
    browser.press("\u{e004}").await;
    let name = browser.run("return document.activeElement.innerText").await;
    let name = name.as_str().expect("it is text");
    assert!(name.starts_with("page::sum"), "by time: {name}");
    let ring = browser.run("return getComputedStyle(document.activeElement).outlineWidth").await;
    assert_eq!(ring, "3px");
    browser.press("\u{e007}").await;
    assert_eq!(browser.run(OPEN).await, 1);
    let more = browser.run("return document.querySelector('tr.more').innerText").await;
    let more = more.as_str().expect("it is text");
    for part in ["Run time: ", "Wait for a thread: ", "measurements", "µs"] {
        assert!(more.contains(part), "{part} in {more}");
    }
    // Each fetch rebuilds the rows, and the focused row keeps the focus.
    until_it_looks(browser, 1).await;
    assert_eq!(browser.run("return document.activeElement.innerText").await, name);
    assert_eq!(browser.run(OPEN).await, 1, "and it stays open");
}

/// What is said of a function whose calls run on the fleet.
async fn it_tells_of_the_fleet(browser: &Browser) {
    let click = "[...document.querySelectorAll('#functions button')]
         .find((button) => button.innerText === 'page::crop').click()";
    browser.run(click).await;
    let more = "[...document.querySelectorAll('tr.more')].map((row) => row.innerText).join()";
    browser.until(&format!("{more}.includes('far calls were answered')")).await;
    let text = browser.run(&format!("return {more}")).await;
    let text = text.as_str().expect("it is text");
    for part in [
        "At most 7 calls run at a time: ",
        "goes to another process",
        "Run time on the fleet: ",
        "Way to the fleet: ",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    browser.run(click).await;
}

/// The open function is moved to the pool, and back, by its list.
async fn it_overrides_where_a_function_runs(browser: &Browser, runtime: &LoomRuntime) {
    let name = browser.run("return document.querySelector('tr.more label').innerText").await;
    assert!(name.as_str().is_some_and(|name| name.starts_with("Where page::sum runs: ")), "{name}");
    let modes = || {
        let functions = runtime.functions().into_iter();
        let sum = functions.filter(|function| function.name == "page::sum");
        sum.map(|function| function.mode).collect::<Vec<_>>()
    };
    for (chosen, mode) in [("offload", Mode::Offload), ("none", Mode::Adaptive)] {
        let choose = format!(
            "const list = document.querySelector('tr.more select'); list.value = '{chosen}';
             list.dispatchEvent(new Event('change'));"
        );
        browser.run(&choose).await;
        while modes().iter().any(|now| *now != mode) {
            tokio::task::yield_now().await;
        }
        until_it_looks(browser, 2).await;
        let shown = browser.run("return document.querySelector('tr.more select').value").await;
        assert_eq!(shown, chosen);
    }
}

async fn it_says_when_nobody_answers(browser: &Browser, runtime: LoomRuntime) {
    runtime.shutdown_background();
    browser.until("document.getElementById('state').innerText.startsWith('no answer')").await;
}

/// Saves a picture in the target folder, and for the README if `LOOM_SCREENSHOT` asks for it.
async fn keep(browser: &Browser, name: &str) {
    let picture = browser.picture().await;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    fs::create_dir_all(&folder).expect("there is room");
    fs::write(folder.join(name), &picture).expect("there is room");
    let is_asked = std::env::var_os("LOOM_SCREENSHOT").is_some_and(|how| how == "overwrite");
    if is_asked && name.ends_with(&format!("-{}.png", DESK.0)) {
        let scheme = name.split('-').next().unwrap_or_default();
        let kept = format!("{}/docs/page-{scheme}.png", env!("CARGO_MANIFEST_DIR"));
        fs::write(kept, &picture).expect("there is room");
    }
}
