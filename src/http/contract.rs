//! Holds `schema/openapi.json` and the router together.

use std::collections::BTreeSet;

use serde_json::Value;

use super::error::ErrorCode;
use super::route::{ROUTES, Routes};

fn document() -> Value {
    serde_json::from_str(include_str!("../../schema/openapi.json")).unwrap()
}

#[test]
fn the_contract_lists_exactly_the_paths_of_the_router() {
    let document = document();
    let described: BTreeSet<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let routed: BTreeSet<&str> = ROUTES.iter().map(|(path, _)| *path).collect();
    assert_eq!(described, routed);
}

#[test]
fn the_contract_lists_exactly_the_parameters_that_are_read() {
    let document = document();
    for (path, route) in ROUTES {
        let method = if route.is_change() { "post" } else { "get" };
        let described: BTreeSet<&str> = document["paths"][path][method]["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(described, route.parameters().iter().copied().collect(), "{path}");
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
        let (method, statuses) = match item.get("post") {
            Some(_) => ("post", &["202", "400", "403", "404", "405", "500", "504"][..]),
            None => ("get", &["200", "400", "405", "500", "504"][..]),
        };
        for status in statuses {
            assert!(!item[method]["responses"][*status].is_null(), "{path} does not say {status}");
        }
    }
}

#[test]
fn every_path_of_the_table_is_found() {
    let routes = Routes::new();
    for (path, route) in ROUTES {
        let asked = path.replace("{user_id}", "7").replace("{movie_id}", "7").replace("{kind}", "text-encoder");
        assert_eq!(routes.find(&asked).map(|(found, _)| found), Some(route), "{path}");
    }
    assert!(routes.find("/nowhere").is_none());
}
