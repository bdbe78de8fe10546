//! `POST /password/hash` and `/password/verify`: argon2id.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params};
use axum::Json;
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;

use crate::body::Limited;
use crate::call::call;
use crate::refusal::Refusal;

const LIMIT: usize = 16 * 1024;
const MAX_PASSWORD: usize = 1024;
/// A hash states its own cost, and verification has to pay it. These bounds are four times the
/// cost that `hash` uses.
const MAX_MEMORY_KIB: u32 = 4 * Params::DEFAULT_M_COST;
const MAX_PASSES: u32 = 4 * Params::DEFAULT_T_COST;
const MAX_LANES: u32 = 4 * Params::DEFAULT_P_COST;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HashRequest {
    password: String,
}

#[derive(Serialize)]
pub(crate) struct HashAnswer {
    hash: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyRequest {
    password: String,
    hash: String,
}

#[derive(Serialize)]
pub(crate) struct VerifyAnswer {
    valid: bool,
}

/// Tens of milliseconds by design: 19 MiB of memory, filled twice. A user waits for the login.
#[loom::compute(hint = "high", priority = "high")]
fn hash(password: String) -> Result<String, Refusal> {
    let hash = Argon2::default().hash_password(password.as_bytes()).map_err(|error| {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("Hashing failed: {error}."))
    })?;
    Ok(hash.to_string())
}

/// Takes as long as the hash took to make.
#[loom::compute(hint = "high", priority = "high")]
fn verify(password: String, hash: PasswordHash) -> Result<bool, Refusal> {
    match Argon2::default().verify_password(password.as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(bad_hash(error)),
    }
}

/// The hash, if it is an argon2id hash whose cost is within the service's bounds.
fn affordable(hash: &str) -> Result<PasswordHash, Refusal> {
    let hash = PasswordHash::new(hash).map_err(bad_hash)?;
    if hash.algorithm != Algorithm::Argon2id.ident() {
        return Err(bad_hash(format!("it is of `{}`", hash.algorithm)));
    }
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err(bad_hash("it lacks a part"));
    }
    let params = Params::try_from(&hash).map_err(bad_hash)?;
    let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    if memory > MAX_MEMORY_KIB || passes > MAX_PASSES || lanes > MAX_LANES {
        return Err(Refusal::unprocessable(format!(
            "The hash asks for m={memory}, t={passes}, p={lanes}; this service verifies up to \
             m={MAX_MEMORY_KIB}, t={MAX_PASSES}, p={MAX_LANES}."
        )));
    }
    Ok(hash)
}

fn bad_hash(reason: impl std::fmt::Display) -> Refusal {
    Refusal::unprocessable(format!(
        "The hash is not one of argon2id, `$argon2id$v=19$m=...,t=...,p=...$salt$hash`: {reason}."
    ))
}

pub(crate) async fn hash_handler(body: Limited<LIMIT>) -> Result<Json<HashAnswer>, Refusal> {
    let HashRequest { password } = json(&body)?;
    check_length(&password)?;
    Ok(Json(HashAnswer { hash: call(hash(password)).await? }))
}

pub(crate) async fn verify_handler(body: Limited<LIMIT>) -> Result<Json<VerifyAnswer>, Refusal> {
    let VerifyRequest { password, hash } = json(&body)?;
    check_length(&password)?;
    // Checked before the compute call, so that Loom does not learn from refusals that verifying is
    // cheap.
    let hash = affordable(&hash)?;
    Ok(Json(VerifyAnswer { valid: call(verify(password, hash)).await? }))
}

fn check_length(password: &str) -> Result<(), Refusal> {
    match password.len() {
        0 => Err(Refusal::unprocessable("The password is empty.")),
        1..=MAX_PASSWORD => Ok(()),
        n => Err(Refusal::unprocessable(format!(
            "The password has {n} bytes; this service takes up to {MAX_PASSWORD}."
        ))),
    }
}

/// JSON that does not parse is a bad request (400); JSON of another shape is unprocessable (422).
fn json<T: DeserializeOwned>(body: &Limited<LIMIT>) -> Result<T, Refusal> {
    body.expect_json()?;
    if let Err(error) = std::str::from_utf8(&body.data) {
        let at = error.valid_up_to();
        return Err(Refusal::bad_request(format!(
            "The body is not UTF-8: byte {at} does not belong there."
        )));
    }
    serde_json::from_slice(&body.data).map_err(|error| match error.classify() {
        Category::Data => Refusal::unprocessable(format!("The JSON does not fit: {error}.")),
        _ => Refusal::bad_request(format!("The body is not JSON: {error}.")),
    })
}
