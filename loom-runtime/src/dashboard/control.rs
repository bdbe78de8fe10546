//! Overrides that a page asks for: which requests may make them, and what they change.
//!
//! A page of another site may make a browser send requests here. The browser adds this header only if the
//! answer to an `OPTIONS` request allows it, and this service never allows it. A site whose name leads to
//! this address (DNS rebinding) counts as the same site for the browser, but has another host. So the
//! service checks both.

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Request};

use crate::call::override_functions;
use crate::config::Override;
use crate::core::Core;
use crate::error::Source;

/// A request that changes something has it, with any value.
const HEADER: &str = "x-loom-override";

/// Who may override functions by the page.
#[derive(Clone, Debug, Default)]
pub(super) struct Control {
    pub(super) is_allowed: bool,
    /// The hosts by whose name the page may be reached, beside addresses and `localhost`.
    pub(super) hosts: Vec<String>,
}

impl Control {
    /// Why the request may change nothing, if it may not.
    pub(super) fn refusal<B>(&self, request: &Request<B>) -> Option<&'static str> {
        let headers = request.headers();
        if !self.is_allowed {
            return Some(
                "The program does not allow changes from its page (`Dashboard::allow_overrides`).\n",
            );
        }
        if !headers.contains_key(HEADER) {
            return Some("A change needs the header `X-Loom-Override`.\n");
        }
        let host = authority(headers, HOST.as_str()).or_else(|| request.uri().authority().cloned());
        let Some(host) = host.filter(|host| self.knows(host.host())) else {
            return Some(
                "The page is not known by this host name: use an address or `localhost`, or name the host \
                 (`Dashboard::host`).\n",
            );
        };
        // Of a browser, which sends both with each change.
        let site = headers.get("sec-fetch-site");
        let is_own = site.is_none_or(|site| site == "same-origin")
            && (!headers.contains_key(ORIGIN)
                || origin(headers).is_some_and(|origin| {
                    origin == host || self.hosts.iter().any(|known| is_same(known, origin.host()))
                }));
        (!is_own).then_some("A page of another site may change nothing here.\n")
    }

    /// Whether the page may be reached by that name, or is reached by an address.
    fn knows(&self, host: &str) -> bool {
        let plain = host.trim_start_matches('[').trim_end_matches(']');
        let is_local = is_same(plain, "localhost") || plain.parse::<IpAddr>().is_ok();
        is_local || self.hosts.iter().any(|known| is_same(known, plain))
    }
}

fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn authority(headers: &HeaderMap, name: &str) -> Option<Authority> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// The host and port of the page that sends the request.
fn origin(headers: &HeaderMap) -> Option<Authority> {
    let (_, authority) = headers.get(ORIGIN)?.to_str().ok()?.split_once("://")?;
    authority.parse().ok()
}

/// Overrides the function of an index, or `all`, with words such as `offload`; `none` ends the override of
/// the mode. An override keeps its hint and its priority if the words name none.
pub(super) fn change(core: &Core, path: &str) -> Result<(), String> {
    let expected = "expected `override/ID/WORDS`: the `id` of a function in the data, or `all`, and words \
                    such as `offload`, or `none`.\n";
    let (function, words) = path.split_once('/').ok_or(expected)?;
    let mut over = Override::parse(words).map_err(|why| format!("`{words}`: {why}.\n"))?;
    let name = if function == "all" {
        "*"
    } else {
        let index: u32 = function.parse().map_err(|_| expected)?;
        let known = core.functions().find(|known| known.site.index(known.class) == index);
        known.ok_or_else(|| format!("No function {index} was called yet.\n"))?.site.name()
    };
    let before = core.overrides.named(name);
    over.hint = over.hint.or(before.hint);
    over.priority = over.priority.or(before.priority);
    override_functions(core, name, over, Source::Page);
    Ok(())
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    fn refused(control: &Control, headers: &[(&str, &str)]) -> bool {
        let request =
            headers.iter().fold(Request::post("/override/all/offload"), |request, header| {
                request.header(header.0, header.1)
            });
        control.refusal(&request.body(()).expect("it is well formed")).is_some()
    }

    #[test]
    fn only_the_page_itself_changes_anything() {
        const ASKED: (&str, &str) = (HEADER, "1");
        let off = Control::default();
        let on = Control { is_allowed: true, hosts: vec!["shop.example".to_owned()] };
        let host = |host| ("host", host);
        assert!(refused(&off, &[ASKED, host("127.0.0.1:80")]), "it is off by default");
        for known in ["127.0.0.1", "127.0.0.1:3000", "[::1]:3000", "LOCALHOST:1", "Shop.example"] {
            assert!(!refused(&on, &[ASKED, host(known)]), "{known}");
            assert!(refused(&on, &[host(known)]), "without the header: {known}");
        }
        for other in
            ["evil.example", "localhost.evil.example", "shop.example.evil", "", "127.0.0.1.nip.io"]
        {
            assert!(refused(&on, &[ASKED, host(other)]), "{other}");
        }
        assert!(refused(&on, &[ASKED]), "without a host");
        let from = |origin| refused(&on, &[ASKED, host("127.0.0.1:3000"), ("origin", origin)]);
        assert!(!from("http://127.0.0.1:3000"));
        // A proxy of a known name is in between.
        assert!(!from("https://shop.example"));
        for other in ["http://evil.example", "http://127.0.0.1:3001", "null", "", "http://"] {
            assert!(from(other), "{other}");
        }
        let fetched = |site| refused(&on, &[ASKED, host("127.0.0.1"), ("sec-fetch-site", site)]);
        assert!(!fetched("same-origin"));
        for other in ["same-site", "cross-site", "none", ""] {
            assert!(fetched(other), "{other}");
        }
    }
}
