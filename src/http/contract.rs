//! Holds `schema/openapi.json` and the router together.

use std::collections::BTreeSet;

use serde_json::Value;

use hyper::Method;

use super::access::Access;
use super::error::ErrorCode;
use super::route::{BodyKind, ENDPOINTS, Found, Routes};

fn document() -> Value {
    serde_json::from_str(include_str!("../../schema/openapi.json")).unwrap()
}

/// The methods that are described at a path.
fn operations(item: &Value) -> impl Iterator<Item = (&String, &Value)> {
    item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters")
}

#[test]
fn the_contract_lists_exactly_the_methods_and_paths_of_the_router() {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let described: BTreeSet<(String, &str)> = paths
        .iter()
        .flat_map(|(path, item)| operations(item).map(move |(method, _)| (method.to_uppercase(), path.as_str())))
        .collect();
    let routed: BTreeSet<(String, &str)> =
        ENDPOINTS.iter().map(|(method, path, _)| (method.to_string(), *path)).collect();
    assert_eq!(described, routed);
}

#[test]
fn the_contract_lists_exactly_the_parameters_and_bodies_that_are_read() {
    let document = document();
    for (method, path, route) in ENDPOINTS {
        let operation = &document["paths"][path][method.as_str().to_lowercase()];
        let described: BTreeSet<&str> = operation["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(described, route.parameters().iter().copied().collect(), "{method} {path}");
        let body = operation["requestBody"]["content"].as_object();
        let described: Vec<&str> = body.into_iter().flat_map(|kinds| kinds.keys().map(String::as_str)).collect();
        assert_eq!(
            described,
            route.body().map(BodyKind::media_type).into_iter().collect::<Vec<_>>(),
            "{method} {path}"
        );
    }
}

#[test]
fn the_contract_lists_exactly_the_error_codes() {
    let document = document();
    let codes = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].as_array().unwrap();
    let described: BTreeSet<&str> = codes.iter().map(|code| code.as_str().unwrap()).collect();
    assert_eq!(described, ErrorCode::ALL.iter().map(|code| code.name()).collect());
}

#[test]
fn every_answer_that_is_described_belongs_to_some_path() {
    let document = document();
    let text = document["paths"].to_string();
    for (name, response) in document["components"]["responses"].as_object().unwrap() {
        assert!(text.contains(&format!("#/components/responses/{name}\"")), "{name} is referenced nowhere");
        assert!(!response["headers"]["X-Request-Id"].is_null(), "{name} has no request id");
    }
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations(item) {
            for status in ["400", "500", "504"] {
                assert!(!operation["responses"][status].is_null(), "{method} {path} does not say {status}");
            }
        }
    }
}

#[test]
fn every_route_says_what_access_can_refuse() {
    let document = document();
    for (method, path, route) in ENDPOINTS {
        let responses = &document["paths"][path][method.as_str().to_lowercase()]["responses"];
        let refusals: &[&str] = match route.access() {
            Access::Open => &[],
            Access::Read => &["401"],
            Access::Write => &["401", "403"],
        };
        for status in refusals {
            assert!(!responses[status].is_null(), "{method} {path} does not say {status}");
        }
    }
}

#[test]
fn every_path_of_the_table_is_found() {
    let routes = Routes::new();
    for (method, path, route) in ENDPOINTS {
        let asked = path.replace("{user_id}", "7").replace("{movie_id}", "7").replace("{kind}", "text-encoder");
        let Found::Route(found, _) = routes.find(&method, &asked) else { panic!("{method} {path}") };
        assert_eq!(found, route, "{method} {path}");
    }
    assert!(matches!(routes.find(&Method::GET, "/nowhere"), Found::Nothing));
    let Found::OtherMethods(allowed) = routes.find(&Method::POST, "/healthz") else { panic!("POST is not answered") };
    assert_eq!(allowed, "GET, HEAD");
}
