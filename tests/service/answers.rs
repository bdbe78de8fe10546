//! Every route, with real data.

use axum::http::StatusCode;
use serde_json::json;

use crate::harness::{Service, data, program};

#[tokio::test]
async fn health_answers() {
    let service = Service::start();
    let answer = service.get("/health").await;
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, "ok"));
}

#[tokio::test]
async fn markdown_becomes_html() {
    let service = Service::start();
    let source = "# Loom\n\nSays *where* each function runs.\n\n| a |\n|---|\n| b |\n";
    let answer = service.post("/markdown", "text/markdown; charset=utf-8", source).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.content_type, "text/html; charset=utf-8");
    assert!(answer.text().starts_with("<h1>Loom</h1>\n<p>Says <em>where</em>"));
    assert!(answer.text().contains("<table>"));
}

#[tokio::test]
async fn the_projects_own_documents_become_html() {
    let service = Service::start();
    for document in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"] {
        let path = format!("{}/{document}", env!("CARGO_MANIFEST_DIR"));
        let source = std::fs::read(path).expect("the document is in the repository");
        let answer = service.post("/markdown", "text/markdown", source).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.text().starts_with("<h1>"), "{document}");
    }
}

#[tokio::test]
async fn every_photograph_becomes_a_thumbnail_of_the_asked_width() {
    let service = Service::start();
    for (name, width, height) in [
        ("astronaut.png", 160, 160),
        ("chelsea.png", 160, 106),
        ("rocket.jpg", 160, 106),
        ("hubble_deep_field.jpg", 160, 139),
    ] {
        let answer = service.post("/thumbnail?width=160", "image/png", data(name)).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
        assert_eq!(answer.content_type, "image/jpeg");
        let thumbnail = image::load_from_memory_with_format(&answer.body, image::ImageFormat::Jpeg)
            .expect("the answer is a JPEG");
        assert_eq!((thumbnail.width(), thumbnail.height()), (width, height), "{name}");
    }
}

#[tokio::test]
async fn a_thumbnail_is_never_larger_than_its_original() {
    let service = Service::start();
    let answer = service.post("/thumbnail?width=2048", "image/jpeg", data("rocket.jpg")).await;
    let thumbnail = image::load_from_memory(&answer.body).expect("the answer is an image");
    assert_eq!((thumbnail.width(), thumbnail.height()), (640, 427));
}

#[tokio::test]
async fn transparency_becomes_white() {
    let service = Service::start();
    let clear = image::RgbaImage::from_pixel(8, 8, image::Rgba([200, 0, 0, 0]));
    let mut png = std::io::Cursor::new(Vec::new());
    clear.write_to(&mut png, image::ImageFormat::Png).expect("it can be encoded");
    let answer = service.post("/thumbnail?width=8", "image/png", png.into_inner()).await;
    let thumbnail = image::load_from_memory(&answer.body).expect("the answer is an image");
    assert!(thumbnail.to_rgb8().pixels().all(|pixel| pixel.0.iter().all(|c| *c > 250)));
}

#[tokio::test]
async fn a_password_verifies_against_its_own_hash_alone() {
    let service = Service::start();
    let answer = service.post_json("/password/hash", &json!({ "password": "häßlich" })).await;
    assert_eq!(answer.status, StatusCode::OK);
    let hash = answer.json()["hash"].as_str().expect("there is a hash").to_owned();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    for (password, valid) in [("häßlich", true), ("hasslich", false)] {
        let request = json!({ "password": password, "hash": hash });
        let answer = service.post_json("/password/verify", &request).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({ "valid": valid })));
    }
}

#[tokio::test]
async fn the_loom_page_counts_the_calls_of_each_function() {
    let service = Service::start();
    for _ in 0..3 {
        service.post("/thumbnail?width=64", "image/jpeg", data("rocket.jpg")).await;
    }
    service.post("/markdown", "text/markdown", "hello").await;
    let shrink = service.function("thumbnail::shrink").await;
    assert_eq!(shrink["offloaded"], 3, "decoding takes far longer than moving it");
    assert_eq!(shrink["inline"], 0);
    assert_eq!(shrink["hint"], "high");
    for quantile in ["p50_us", "p90_us", "p99_us", "max_us"] {
        for times in ["run", "wait"] {
            assert!(shrink[times][quantile].as_f64() > Some(0.0), "{shrink}");
        }
    }
    let render = service.function("markdown::render").await;
    assert_eq!(render["returned"], 1);
    assert_eq!(service.get("/loom/data").await.json()["compute"]["in_flight"], 0);
}

#[tokio::test]
async fn the_loom_page_is_for_those_at_the_machine() {
    let service = Service::start();
    let answer = service.get("/loom").await;
    assert_eq!(answer.content_type, "text/html; charset=utf-8");
    assert!(answer.text().starts_with("<!doctype html>"));
    assert_eq!(service.get("/loom/none").await.status, StatusCode::NOT_FOUND);
    let answer = service.post("/loom/data", "text/plain", "x").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    // On an address other than loopback, the page needs `--dashboard`.
    let open = Service::start_with(&["--listen", "0.0.0.0:0"]);
    assert_eq!(open.get("/loom").await.status, StatusCode::NOT_FOUND);
    let asked = Service::start_with(&["--listen", "0.0.0.0:0", "--dashboard"]);
    assert_eq!(asked.get("/loom").await.status, StatusCode::OK);
}

/// With a long wait allowed and with a short one, where the service turns requests away.
#[test]
fn the_demo_prints_a_row_for_each_route_and_ends() {
    for longest_wait in ["60000", "1"] {
        let arguments = ["--demo", "--seconds", "1", "--longest-wait", longest_wait];
        let output = program().args(arguments).output().expect("the example runs");
        let text = String::from_utf8(output.stdout).expect("standard output is text");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}{errors}");
        let is_told = text.contains("were turned away with 503");
        for route in [
            "GET /health",
            "POST /markdown",
            "POST /thumbnail",
            "POST /password/hash",
            "POST /password/verify",
        ] {
            let row = text.lines().find(|line| line.starts_with(route)).unwrap_or_default();
            // Two figures for each way. With the short wait, a busy machine may leave a route without an answer.
            let figures = row.split_whitespace().filter(|cell| cell.parse::<f64>().is_ok()).count();
            assert!(figures == 6 || !row.is_empty() && is_told, "{route}: {text}");
        }
        // Where neighbours take all CPU time, even a minute may be expected for a moment.
        let told = text.lines().find_map(|line| line.split_once(" requests were turned away"));
        let turned_away = told.map_or(0, |(number, _)| number.parse().unwrap_or(u32::MAX));
        assert!(turned_away < 300 || longest_wait == "1", "{text}");
        assert!(text.contains("Loom ran thumbnail::shrink ") || is_told, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "it fits a terminal: {text}");
    }
}
