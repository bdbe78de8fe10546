//! Every bad input has its own status and sentence, and the service goes on after it.

use axum::body::Bytes;
use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::harness::{Answer, Service, data, program};

#[track_caller]
fn refused(answer: &Answer, status: StatusCode, sentence: &str) {
    assert_eq!((answer.status, &*answer.sentence()), (status, sentence));
}

#[tokio::test]
async fn an_unknown_path_is_answered_though_a_large_body_comes_with_it() {
    let service = Service::start();
    let answer = service.post("/nothing", "text/plain", vec![b'a'; 5 * 1024 * 1024]).await;
    refused(&answer, StatusCode::NOT_FOUND, "There is nothing at `/nothing`.");
}

#[tokio::test]
async fn refused_calls_do_not_make_dear_ones_look_cheap() {
    let service = Service::start();
    for _ in 0..50 {
        let body = &b"\x89PNG\r\n\x1a\n"[..];
        let answer = service.post("/thumbnail?width=10", "image/png", body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        let request = json!({ "password": "x", "hash": "x" });
        let answer = service.post_json("/password/verify", &request).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    for function in ["thumbnail::shrink", "password::verify"] {
        assert!(service.function(function).await.is_null(), "{function} was never called");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods() {
    let service = Service::start();
    let answer = service.get("/nothing").await;
    refused(&answer, StatusCode::NOT_FOUND, "There is nothing at `/nothing`.");
    let answer = service.get("/markdown").await;
    refused(&answer, StatusCode::METHOD_NOT_ALLOWED, "`/markdown` does not take GET.");
    let answer = service.ask(Method::DELETE, "/health", &[], Bytes::new()).await;
    refused(&answer, StatusCode::METHOD_NOT_ALLOWED, "`/health` does not take DELETE.");
}

#[tokio::test]
async fn bodies_beyond_the_limit() {
    let service = Service::start();
    for (path, content_type, limit) in [
        ("/markdown", "text/markdown", 1024),
        ("/thumbnail?width=10", "image/png", 10 * 1024),
        ("/password/hash", "application/json", 16),
        ("/password/verify", "application/json", 16),
    ] {
        let body = vec![b'a'; limit * 1024 + 1];
        let answer = service.post(path, content_type, body).await;
        let sentence = format!("The body is too large: this route takes up to {limit} KiB.");
        refused(&answer, StatusCode::PAYLOAD_TOO_LARGE, &sentence);
    }
}

#[tokio::test]
async fn wrong_types() {
    let service = Service::start();
    let answer = service.post("/markdown", "image/png", data("chelsea.png")).await;
    let sentence = "Expected Markdown (`text/markdown`), not `image/png`.";
    refused(&answer, StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence);

    let answer = service.post("/thumbnail?width=9", "text/plain", "a picture").await;
    let sentence = "Expected a PNG or JPEG image, not `text/plain`.";
    refused(&answer, StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence);

    for path in ["/password/hash", "/password/verify"] {
        let answer = service.post(path, "text/plain", r#"{"password":"x"}"#).await;
        let sentence = "Expected JSON: send it with the header `Content-Type: application/json`.";
        refused(&answer, StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence);
    }
}

#[tokio::test]
async fn broken_utf8() {
    let service = Service::start();
    let sentence = "The body is not UTF-8: byte 3 does not belong there.";
    let answer = service.post("/markdown", "text/markdown", &b"abc\xff"[..]).await;
    refused(&answer, StatusCode::BAD_REQUEST, sentence);
    let answer = service.post("/password/hash", "application/json", &b"{\"a\xff\"}"[..]).await;
    refused(&answer, StatusCode::BAD_REQUEST, sentence);
}

#[tokio::test]
async fn bad_images() {
    let service = Service::start();
    let thumbnail = |body: Vec<u8>| service.post("/thumbnail?width=10", "image/png", body);

    for body in [Vec::new(), b"GIF89a".to_vec(), vec![0; 1000]] {
        let answer = thumbnail(body).await;
        let sentence = "The body is neither a PNG nor a JPEG image.";
        refused(&answer, StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence);
    }
    for name in ["astronaut.png", "rocket.jpg"] {
        let mut body = data(name);
        body.truncate(200);
        let answer = thumbnail(body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}");
        let sentence = answer.sentence();
        assert!(sentence.starts_with("The image cannot be decoded: "), "{sentence}");
    }
}

#[tokio::test]
async fn an_image_that_claims_to_be_enormous() {
    let service = Service::start();
    let mut png = data("chelsea.png");
    // Forges the header's width and height with a matching checksum, as an attacker would.
    png[16..20].copy_from_slice(&50_000_u32.to_be_bytes());
    png[20..24].copy_from_slice(&50_000_u32.to_be_bytes());
    let checksum = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
    let answer = service.post("/thumbnail?width=10", "image/png", png).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let sentence = answer.sentence();
    assert_eq!(
        sentence,
        "The image has 50000 × 50000 pixels; this service takes up to 16384 a side and 100 MiB as decoded."
    );
}

/// The checksum of a PNG chunk (ISO 3309), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

#[tokio::test]
async fn absurd_widths() {
    let service = Service::start();
    let picture = data("rocket.jpg");
    for width in ["0", "-1", "2049", "4294967296", "wide", "1.5", ""] {
        let path = format!("/thumbnail?width={width}");
        let answer = service.post(&path, "image/jpeg", picture.clone()).await;
        let sentence = format!("Expected a width of 1 to 2048 pixels, not `{width}`.");
        refused(&answer, StatusCode::BAD_REQUEST, &sentence);
    }
    let answer = service.post("/thumbnail", "image/jpeg", picture).await;
    refused(&answer, StatusCode::BAD_REQUEST, "Say how wide: `?width=N`, 1 to 2048.");
}

#[tokio::test]
async fn bad_json() {
    let service = Service::start();
    let hash = |body: &'static str| service.post("/password/hash", "application/json", body);
    for (body, status, start) in [
        ("", StatusCode::BAD_REQUEST, "The body is not JSON: EOF"),
        ("{", StatusCode::BAD_REQUEST, "The body is not JSON: EOF"),
        ("{}", StatusCode::UNPROCESSABLE_ENTITY, "The JSON does not fit: missing field `password`"),
        (
            r#"{"password":7}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "The JSON does not fit: invalid type",
        ),
        (
            r#"{"password":"a","salt":"b"}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "The JSON does not fit: unknown field `salt`",
        ),
    ] {
        let answer = hash(body).await;
        assert_eq!(answer.status, status, "{body}");
        let sentence = answer.sentence();
        assert!(sentence.starts_with(start), "{sentence}");
    }
}

#[tokio::test]
async fn bad_passwords_and_hashes() {
    let service = Service::start();
    let answer = service.post_json("/password/hash", &json!({ "password": "" })).await;
    refused(&answer, StatusCode::UNPROCESSABLE_ENTITY, "The password is empty.");
    let answer =
        service.post_json("/password/hash", &json!({ "password": "x".repeat(1025) })).await;
    let sentence = "The password has 1025 bytes; this service takes up to 1024.";
    refused(&answer, StatusCode::UNPROCESSABLE_ENTITY, sentence);

    let salt_and_hash = "c29tZXNhbHRzb21lc2FsdA$EZ/4Z3PuvkCfNOYbHZ6x1zLdbuPwPP9lDBNuDvDCEOA";
    let too_dear = format!("$argon2id$v=19$m=4194304,t=2,p=1${salt_and_hash}");
    let other = format!("$argon2i$v=19$m=19456,t=2,p=1${salt_and_hash}");
    for (hash, start) in [
        ("hunter2", "The hash is not one of argon2id"),
        ("$argon2id", "The hash is not one of argon2id"),
        ("$argon2id$v=19$m=8,t=1,p=1", "The hash is not one of argon2id"),
        ("$2b$12$abcdefghijklmnopqrstuv", "The hash is not one of argon2id"),
        (&other, "The hash is not one of argon2id"),
        (&too_dear, "The hash asks for m=4194304, t=2, p=1; this service verifies up to m=77824"),
    ] {
        let request = json!({ "password": "x", "hash": hash });
        let answer = service.post_json("/password/verify", &request).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{hash}");
        let sentence = answer.sentence();
        assert!(sentence.starts_with(start), "{sentence}");
    }
}

#[tokio::test]
async fn a_panic_in_compute_is_a_500_and_the_service_goes_on() {
    let service = Service::start();
    // More panics than compute threads: each thread has to survive.
    for _ in 0..10 {
        let answer = service.post("/drill/panic", "text/plain", "").await;
        let sentence = "The service failed on this request.";
        refused(&answer, StatusCode::INTERNAL_SERVER_ERROR, sentence);
    }
    assert_eq!(service.function("drill::fail").await["panicked"], 10);
    let answer = service.post_json("/password/hash", &json!({ "password": "x" })).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[test]
fn bad_arguments() {
    for (args, expected) in [
        (&["--listen", "nowhere"][..], "error: cannot listen on nowhere: "),
        (&["--listen", "127.0.0.1:99999"], "error: cannot listen on 127.0.0.1:99999: "),
        (
            &["--demo", "--seconds", "0"],
            "invalid value '0' for '--seconds <N>': 0 is not in 1..=600",
        ),
        (&["--dmeo"], "unexpected argument '--dmeo' found"),
    ] {
        let output = program().args(args).output().expect("the example runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains(expected), "{args:?}: {errors}");
        assert!(output.stdout.is_empty(), "nothing listens");
    }
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let service = Service::start();
    let addr = service.addr.to_string();
    let output = program().args(["--listen", &addr]).output().expect("the example runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        errors.contains(&format!("error: cannot listen on {addr}: Address already in use")),
        "{errors}"
    );
    assert!(errors.contains("give another address with --listen ADDR"), "{errors}");
}
