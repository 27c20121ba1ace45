//! Whether Butler is there, which endpoints there are, and numbers to other bases.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::Routes;
use super::answer::{Fault, json};
use super::input::Asked;
use crate::config::{Endpoint, EndpointsConfig};

const BASE16: &[u8] = b"0123456789abcdef";
const BASE62: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

pub(super) fn ping(routes: Routes) -> Routes {
    let answer =
        async || json(StatusCode::OK, &json!({ "response": "Butler reporting for duty", "butlerVersion": env!("CARGO_PKG_VERSION") }));
    routes.get("/v4/butlerping", answer)
}

pub(super) fn endpoints(routes: Routes, endpoints: EndpointsConfig) -> Routes {
    let names: Arc<Vec<_>> =
        Arc::new(Endpoint::ALL.iter().filter(|endpoint| endpoints.has(**endpoint)).map(|endpoint| endpoint.name()).collect());
    tracing::info!(endpoints = names.join(", "), "These endpoints of the API are enabled.");
    routes.get("/v4/configfile/endpointsenabled", move || {
        let answer = json(StatusCode::OK, &*names);
        async { answer }
    })
}

pub(super) fn base62_to_base16(routes: Routes) -> Routes {
    routes.get("/v4/base62tobase16", from_base62)
}

pub(super) fn base16_to_base62(routes: Routes) -> Routes {
    routes.get("/v4/base16tobase62", from_base16)
}

#[derive(Debug, Deserialize)]
struct InBase62 {
    base62: String,
}

async fn from_base62(Asked(InBase62 { base62 }): Asked<InBase62>) -> Result<Response, Fault> {
    match convert(&base62, BASE62, BASE16) {
        Some(base16) => Ok(json(StatusCode::OK, &json!({ "base62": base62, "base16": base16 }))),
        None => Err(Fault::internal("Failed converting from base62 to base16", &"a character that is no digit")),
    }
}

#[derive(Debug, Deserialize)]
struct InBase16 {
    base16: String,
}

async fn from_base16(Asked(InBase16 { base16 }): Asked<InBase16>) -> Result<Response, Fault> {
    match convert(&base16, BASE16, BASE62) {
        Some(base62) => Ok(json(StatusCode::OK, &json!({ "base62": base62, "base16": base16 }))),
        None => Err(Fault::internal("Failed converting from base16 to base62", &"a character that is no digit")),
    }
}

/// So many digits are taken at once, which is what keeps long numbers cheap: as many as fit into 32 bits, whatever the base.
const AT_ONCE: usize = 5;

/// A number of any length in other digits; `None` if a character is no digit. Leading zeros go, and nothing at all is zero.
fn convert(text: &str, from: &[u8], to: &[u8]) -> Option<String> {
    let value = |total: u64, byte: &u8| Some(total * from.len() as u64 + from.iter().position(|digit| digit == byte)? as u64);
    let base = (to.len() as u64).pow(AT_ONCE as u32);
    // Groups of digits in the new base, the last group first.
    let mut groups: Vec<u64> = Vec::new();
    for digits in text.as_bytes().chunks(AT_ONCE) {
        let mut carry = digits.iter().try_fold(0, value)?;
        let factor = (from.len() as u64).pow(digits.len() as u32);
        for group in &mut groups {
            carry += *group * factor;
            *group = carry % base;
            carry /= base;
        }
        while carry > 0 {
            groups.push(carry % base);
            carry /= base;
        }
    }
    let digit = |group: u64, place: u32| char::from(to[(group / (to.len() as u64).pow(place) % to.len() as u64) as usize]);
    let padded: String = groups.iter().rev().flat_map(|group| (0..AT_ONCE as u32).rev().map(move |place| digit(*group, place))).collect();
    let plain = padded.trim_start_matches('0');
    Some(if plain.is_empty() { "0" } else { plain }.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_converted_there_and_back_is_the_same(text in "[0-9a-f]{0,80}") {
            let there = convert(&text, BASE16, BASE62).unwrap();
            let back = convert(&there, BASE62, BASE16).unwrap();
            let plain = text.trim_start_matches('0');
            prop_assert_eq!(back, if plain.is_empty() { "0" } else { plain });
        }
    }
}
