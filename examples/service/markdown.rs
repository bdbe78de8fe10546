//! `POST /markdown`: `CommonMark` in, HTML out.

use axum::http::header;
use axum::response::IntoResponse;
use pulldown_cmark::{Options, Parser, html};

use crate::body::Limited;
use crate::call::call;
use crate::refusal::Refusal;

const LIMIT: usize = 1024 * 1024;
const ACCEPTED: &[&str] = &["text/markdown", "text/plain", "text/x-markdown"];

/// Microseconds for a comment, milliseconds for a book.
#[loom::compute(hint = "medium")]
fn render(source: String) -> String {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES;
    let mut output = String::with_capacity(source.len() * 3 / 2);
    html::push_html(&mut output, Parser::new_ext(&source, options));
    output
}

pub(crate) async fn handler(body: Limited<LIMIT>) -> Result<impl IntoResponse, Refusal> {
    body.expect_type(ACCEPTED, "Markdown (`text/markdown`)")?;
    let source = String::from_utf8(body.data.into()).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Refusal::bad_request(format!("The body is not UTF-8: byte {at} does not belong there."))
    })?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        // CommonMark allows HTML. A client's HTML must not run as content of this site.
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'; style-src 'unsafe-inline'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, call(render(source)).await))
}
