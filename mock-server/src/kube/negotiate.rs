//! Which form of an answer the client wants. kubectl asks for a Table first, newer clients
//! for protobuf first; the answer is JSON, or YAML where that is asked for, in the first form
//! offered that exists.

use std::cmp::Reverse;

use axum::http::{HeaderMap, header};

use super::status::Refusal;

pub(crate) const JSON: &str = "application/json";
pub(crate) const YAML: &str = "application/yaml";

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Form {
    Object,
    Table {
        version: &'static str,
    },
    /// Only `metadata`, for clients that watch many objects and read none.
    Metadata {
        version: &'static str,
    },
}

/// One entry of an Accept header, cut into what matters here.
struct Offer<'a> {
    media: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Offer<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    /// How much it is wanted, in thousandths.
    fn weight(&self) -> u16 {
        let said = self.get("q").and_then(|q| q.parse::<f32>().ok()).unwrap_or(1.0);
        // In bounds by the clamp, which also makes nothing of what is no number.
        (said.clamp(0.0, 1.0) * 1000.0) as u16
    }

    fn is_json(&self) -> bool {
        is_json(self.media)
    }

    fn is_yaml(&self) -> bool {
        self.media == YAML
    }

    fn form(&self) -> Option<Form> {
        let version = match self.get("v") {
            Some("v1") => "v1",
            Some("v1beta1") => "v1beta1",
            _ => "",
        };
        match self.get("as") {
            None => Some(Form::Object),
            Some("Table") if !version.is_empty() => Some(Form::Table { version }),
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") if !version.is_empty() => {
                Some(Form::Metadata { version })
            }
            Some(_) => None,
        }
    }
}

fn is_json(media: &str) -> bool {
    matches!(media, "application/json" | "application/*" | "*/*")
}

/// What is asked for, the most wanted first; what is ruled out is not in it.
fn offers(headers: &HeaderMap) -> Vec<Offer<'_>> {
    let mut offers = listed(headers);
    offers.retain(|offer| offer.weight() > 0);
    // Stable: what is wanted alike stays in the order in which it was written.
    offers.sort_by_key(|offer| Reverse(offer.weight()));
    offers
}

/// Nothing in particular is asked for.
fn is_open(headers: &HeaderMap) -> bool {
    listed(headers).is_empty()
}

fn listed(headers: &HeaderMap) -> Vec<Offer<'_>> {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let entries = values.flat_map(|value| value.split(',')).map(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        Offer { media, parameters: parts.filter_map(|part| part.split_once('=')).collect() }
    });
    entries.filter(|offer| !offer.media.is_empty()).collect()
}

/// The form of objects and lists.
pub(crate) fn form(headers: &HeaderMap) -> Result<Form, Refusal> {
    first(headers, |media| is_json(media) || media == YAML)
}

/// The form of the objects in a watch, which are one to a line, and so never YAML.
pub(crate) fn watched(headers: &HeaderMap) -> Result<Form, Refusal> {
    first(headers, is_json)
}

fn first(headers: &HeaderMap, known: fn(&str) -> bool) -> Result<Form, Refusal> {
    if is_open(headers) {
        return Ok(Form::Object);
    }
    let offers = offers(headers);
    let mut forms = offers.iter().filter(|offer| known(offer.media)).filter_map(Offer::form);
    forms.next().ok_or_else(Refusal::not_acceptable)
}

/// Whether YAML is asked for before JSON is.
pub(crate) fn prefers_yaml(headers: &HeaderMap) -> bool {
    let known = |offer: &&Offer<'_>| (offer.is_json() || offer.is_yaml()) && offer.form().is_some();
    offers(headers).iter().find(known).is_some_and(Offer::is_yaml)
}

/// Which version of aggregated discovery is wanted, if any is wanted before plain JSON.
pub(crate) fn aggregated(headers: &HeaderMap) -> Option<&'static str> {
    for offer in offers(headers).iter().filter(|offer| offer.is_json()) {
        match (offer.get("as"), offer.get("v")) {
            (Some("APIGroupDiscoveryList"), Some("v2")) => return Some("v2"),
            (Some("APIGroupDiscoveryList"), Some("v2beta1")) => return Some("v2beta1"),
            (None, _) => return None,
            _ => {}
        }
    }
    None
}

/// Logs, health and discovery have one form; a client that shuts it out is told so.
pub(crate) fn plain(headers: &HeaderMap, media: &str) -> Result<(), Refusal> {
    let offers = offers(headers);
    let wildcard = media.split('/').next().map(|head| format!("{head}/*")).unwrap_or_default();
    let fits = |offer: &Offer<'_>| {
        offer.media == "*/*"
            || offer.media == media
            || offer.media == wildcard
            || (offer.is_yaml() && media == JSON)
            // kubectl asks for logs as it asks for objects.
            || offer.is_json()
    };
    if is_open(headers) || offers.iter().any(fits) {
        Ok(())
    } else {
        Err(Refusal::not_acceptable())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, value.parse().unwrap());
        headers
    }

    #[test]
    fn what_is_wanted_more_comes_first_and_what_is_ruled_out_not_at_all() {
        assert!(!prefers_yaml(&accepting("application/yaml;q=0.1, application/json")));
        assert!(prefers_yaml(&accepting("application/json;q=0.5, application/yaml")));
        assert!(!prefers_yaml(&accepting("application/yaml;q=0, */*")));
        assert!(prefers_yaml(&accepting("application/yaml, application/json")));
        assert!(form(&accepting("application/json;q=0")).is_err());
        assert!(plain(&accepting("text/plain;q=0.0"), "text/plain").is_err());
        assert_eq!(form(&accepting("application/json;q=x")).unwrap(), Form::Object);
        assert_eq!(form(&HeaderMap::new()).unwrap(), Form::Object);
    }

    #[test]
    fn the_first_known_form_wins() {
        let table = Form::Table { version: "v1" };
        for (accept, expected) in [
            ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Some(table)),
            ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", Some(Form::Object)),
            (
                "application/json;as=Table;g=meta.k8s.io;v=v1beta1",
                Some(Form::Table { version: "v1beta1" }),
            ),
            ("application/vnd.kubernetes.protobuf,application/json", Some(Form::Object)),
            ("application/json, */*", Some(Form::Object)),
            ("*/*", Some(Form::Object)),
            ("application/vnd.kubernetes.protobuf", None),
            ("text/html", None),
            ("application/yaml", Some(Form::Object)),
            ("application/yaml;as=Table;v=v1;g=meta.k8s.io", Some(table)),
        ] {
            assert_eq!(form(&accepting(accept)).ok(), expected, "{accept}");
        }
        assert_eq!(form(&HeaderMap::new()).ok(), Some(Form::Object));
    }

    #[test]
    fn yaml_is_for_those_who_ask_for_it_first_and_watches_are_not() {
        for (accept, yaml) in [
            ("application/yaml", true),
            ("application/yaml, application/json", true),
            ("application/json, application/yaml", false),
            ("application/yaml;as=Nothing, application/json", false),
            ("application/vnd.kubernetes.protobuf, application/yaml", true),
            ("*/*", false),
            ("text/html", false),
        ] {
            assert_eq!(prefers_yaml(&accepting(accept)), yaml, "{accept}");
        }
        assert!(!prefers_yaml(&HeaderMap::new()));
        assert!(watched(&accepting("application/yaml")).is_err());
        assert_eq!(watched(&accepting("application/yaml, */*")).ok(), Some(Form::Object));
    }

    #[test]
    fn discovery_comes_in_the_version_asked() {
        let v2 =
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
        let beta = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
        assert_eq!(aggregated(&accepting(v2)), Some("v2"));
        assert_eq!(aggregated(&accepting(beta)), Some("v2beta1"));
        assert_eq!(aggregated(&accepting("application/json")), None);
    }
}
