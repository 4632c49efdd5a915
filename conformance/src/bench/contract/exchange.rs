//! Judging one exchange by the contract document: the request body, the status, the header fields
//! and the body of the answer.

use serde_json::{Value, json};

use super::{Contract, System};
use crate::bench::call::Exchange;
use crate::verdict::{Outcome, fail};

/// Fails when the exchange is not as the document says.
pub fn check(exchange: &Exchange) -> Outcome {
    let path = exchange.path();
    let contract = System::of_path(path).contract(exchange.generation)?;
    let method = &exchange.request.method;
    let status = exchange.response.status;
    let Some(operation) = contract.operation_of(method, path) else {
        let outside = &contract.document["x-outside-operations"];
        let declared = match status {
            404 => &outside["unknown_path"]["404"],
            405 => &outside["unknown_method"]["405"],
            _ => {
                return fail(format!("{method} {path}"), "404 or 405 for an unknown route", status);
            }
        };
        return contract.check_response("an unknown route", contract.resolve(declared)?, exchange);
    };
    let responses = &operation.definition["responses"];
    let keys = [status.to_string(), format!("{}XX", status / 100), "default".to_owned()];
    let Some(response) = keys.iter().find_map(|key| responses.get(key)) else {
        let declared: Vec<_> =
            responses.as_object().into_iter().flatten().map(|one| one.0).collect();
        return fail(
            format!("the status of {}", operation.id),
            format!("one of {declared:?}"),
            status,
        );
    };
    contract.check_response(&operation.id, contract.resolve(response)?, exchange)
}

/// Fails when the request body is not as the document says; requests are closed there.
pub fn check_request(exchange: &Exchange) -> Outcome {
    let path = exchange.path();
    let contract = System::of_path(path).contract(exchange.generation)?;
    let Some(operation) = contract.operation_of(&exchange.request.method, path) else {
        return fail("the request path", "a path of the contract", path);
    };
    let declared = contract.resolve(&operation.definition["requestBody"])?;
    let schema = &declared["content"]["application/json"]["schema"];
    if schema.is_null() {
        return Ok(());
    }
    let what = format!("the request body of {}", operation.id);
    match serde_json::from_slice(&exchange.request.body) {
        Ok(body) => contract.judge(&what, &format!("{} request", operation.id), schema, &body),
        Err(_) if exchange.request.body.is_empty() && declared["required"] != json!(true) => Ok(()),
        Err(error) => fail(what, "a JSON body", error),
    }
}

impl Contract {
    fn check_response(&self, operation: &str, response: &Value, exchange: &Exchange) -> Outcome {
        let status = exchange.response.status;
        let what = format!("the {status} answer of {operation}");
        let code = exchange.code().as_str().map(str::to_owned);
        for (name, declared) in response["headers"].as_object().into_iter().flatten() {
            let header = Header {
                key: match declared["$ref"].as_str() {
                    Some(shared) => shared.to_owned(),
                    None => format!("header {name} {operation} {status}"),
                },
                name,
                declared: self.resolve(declared)?,
            };
            self.check_header(&what, &header, code.as_deref(), exchange)?;
        }
        let Some(content) = response["content"].as_object() else {
            return match exchange.response.body.len() {
                0 => Ok(()),
                length => fail(what, "no body", format!("{length} bytes")),
            };
        };
        let header = exchange.response.headers.get("content-type").unwrap_or_default();
        let media = header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let Some(declared) = content.get(&media) else {
            let types: Vec<_> = content.keys().collect();
            return fail(what, format!("content type {types:?}"), format!("{media:?}"));
        };
        if !media.ends_with("json") {
            return Ok(());
        }
        let Some(body) = exchange.document() else {
            let why = serde_json::from_slice::<Value>(&exchange.response.body).err();
            return fail(what, "a JSON body", why.map_or_else(String::new, |why| why.to_string()));
        };
        let key = format!("{operation} {status} {media}");
        self.judge(&what, &key, &declared["schema"], body)
    }

    /// A header is there when, and only when, `x-sent` says so, and is then of its schema.
    fn check_header(
        &self,
        what: &str,
        header: &Header<'_>,
        code: Option<&str>,
        exchange: &Exchange,
    ) -> Outcome {
        let Header { key, name, declared } = header;
        let found = exchange.response.headers.get(name);
        let sent = &declared["x-sent"];
        let with_codes = sent["with_codes"].as_array();
        let due = match (sent.as_str(), with_codes) {
            (Some("always"), _) => Some(true),
            (Some("never"), _) => Some(false),
            (_, Some(codes)) => Some(codes.iter().any(|one| one.as_str() == code)),
            _ => (declared["required"] == json!(true)).then_some(true),
        };
        match (due, found) {
            (Some(true), None) => fail(what, format!("a {name} header"), "none"),
            (Some(false), Some(value)) => fail(what, format!("no {name} header"), value),
            (_, None) => Ok(()),
            (_, Some(_)) if declared["schema"].is_null() => Ok(()),
            (_, Some(value)) => {
                let what = format!("the {name} header of {what}");
                self.judge(&what, key, &declared["schema"], &json!(value))
            }
        }
    }
}

/// A header of an answer, as the document declares it.
struct Header<'d> {
    /// Names its schema for the cache.
    key: String,
    name: &'d str,
    declared: &'d Value,
}
