//! Holds answers against `schema/openapi.json`, stricter than JSON Schema asks for: a member, status or header of ours
//! that the contract does not list is a fault too, and so is a keyword that is not checked here.

use serde_json::Value;

use super::Reply;

/// What of an answer differs from the contract; `path` may have a query.
pub(crate) fn check(method: &str, path: &str, reply: &Reply) -> Result<(), String> {
    let document: Value = serde_json::from_str(include_str!("../../../schema/openapi.json")).unwrap();
    let contract = Contract(&document);
    let path = path.split('?').next().unwrap();
    let status = reply.status.to_string();
    let operations = document["paths"].as_object().unwrap();
    let response = match operations.iter().find(|(template, _)| fits(template, path)) {
        Some((_, item)) if status == "405" => {
            let allow = reply.header("allow").unwrap_or_default();
            let listed = item.as_object().unwrap().keys().all(|method| allow.contains(&method.to_uppercase()));
            return if listed { Ok(()) } else { Err(format!("Allow: {allow} does not list all methods")) };
        }
        Some((_, item)) => &item[method.to_lowercase()]["responses"][&status],
        None if status == "404" => &document["components"]["responses"]["NotFound"],
        None => &Value::Null,
    };
    let response = contract.resolve(response);
    if response.is_null() {
        return Err(format!("the status {status} is not listed"));
    }
    contract.headers(response, reply)?;
    let media = reply.header("content-type").unwrap_or("none").split(';').next().unwrap();
    let schema = response["content"][media]["schema"].as_object();
    let schema = schema.ok_or_else(|| format!("the content type {media} is not listed for {status}"))?;
    let body = if media.ends_with("ndjson") {
        Value::from(reply.body.as_str())
    } else if media.ends_with("json") {
        reply.json()
    } else {
        Value::from(reply.body.as_str())
    };
    contract.value(&Value::from(schema.clone()), &body, "body")
}

/// Whether a path is one of a template such as `/user_recommend/{user_id}`.
fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(path).all(|(part, given)| *part == given || part.starts_with('{') && !given.is_empty())
}

struct Contract<'d>(&'d Value);

impl<'d> Contract<'d> {
    fn resolve(&self, value: &'d Value) -> &'d Value {
        match value["$ref"].as_str() {
            Some(reference) => self.0.pointer(reference.strip_prefix('#').unwrap()).expect(reference),
            None => value,
        }
    }

    fn headers(&self, response: &'d Value, reply: &Reply) -> Result<(), String> {
        let none = serde_json::Map::new();
        let listed = response["headers"].as_object().unwrap_or(&none);
        for (name, header) in listed {
            let header = self.resolve(header);
            match reply.header(name) {
                None if header["required"] == true => return Err(format!("the header {name} is missing")),
                None => {}
                Some(text) => {
                    let number = header["schema"]["type"] == "integer";
                    let value = number.then(|| text.parse().ok().map(|value: u64| Value::from(value))).flatten();
                    self.value(&header["schema"], &value.unwrap_or_else(|| text.into()), name)?;
                }
            }
        }
        let ours = |name: &str| name.starts_with("x-") || ["server-timing", "retry-after", "allow"].contains(&name);
        let unlisted = |name: &&str| ours(name) && !listed.keys().any(|known| known.eq_ignore_ascii_case(name));
        match reply.headers.keys().map(|name| name.as_str()).find(unlisted) {
            Some(name) => Err(format!("the header {name} is not listed")),
            None => Ok(()),
        }
    }

    /// Holds one value against its schema; `place` says where it is.
    fn value(&self, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.value(self.0.pointer(reference.strip_prefix('#').unwrap()).expect(reference), value, place);
        }
        let fault = |what: &str| Err(format!("{place} is {value}, and {what}"));
        for (keyword, wanted) in schema.as_object().unwrap() {
            match keyword.as_str() {
                "type" => {
                    let one = std::slice::from_ref(wanted);
                    if !wanted.as_array().map_or(one, Vec::as_slice).iter().any(|name| is_a(name, value)) {
                        return fault(&format!("the type is {wanted}"));
                    }
                }
                "const" if value != wanted => return fault(&format!("it must be {wanted}")),
                "enum" if !wanted.as_array().unwrap().contains(value) => return fault(&format!("not one of {wanted}")),
                "minimum" if value.as_f64() < wanted.as_f64() => return fault("too small"),
                "maximum" if value.as_f64() > wanted.as_f64() => return fault("too large"),
                "minLength" if value.as_str().map(str::len) < wanted.as_u64().map(|least| least as usize) => {
                    return fault("too short");
                }
                "const" | "enum" | "minimum" | "maximum" | "minLength" | "maxLength" | "description" | "default" => {}
                "oneOf" => {
                    if !wanted.as_array().unwrap().iter().any(|schema| self.value(schema, value, place).is_ok()) {
                        return fault("it is none of what it may be");
                    }
                }
                "required" => {
                    let names = wanted.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
                    if let Some(name) = names.into_iter().find(|name| value.get(name).is_none()) {
                        return fault(&format!("it has no {name}"));
                    }
                }
                "properties" => {
                    for (name, member) in value.as_object().into_iter().flatten() {
                        match wanted.get(name) {
                            Some(schema) => self.value(schema, member, &format!("{place}.{name}"))?,
                            None => return fault(&format!("the member {name} is not listed")),
                        }
                    }
                }
                "items" => {
                    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.value(wanted, item, &format!("{place}[{n}]"))?;
                    }
                }
                other => return Err(format!("{place}: the keyword {other} is not checked")),
            }
        }
        Ok(())
    }
}

fn is_a(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => false,
    }
}

#[test]
fn the_check_notices_what_differs() {
    let reply = |status: u16, body: &str| {
        let mut headers = ureq::http::HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        headers.insert("x-request-id", "1-1".parse().unwrap());
        Reply { status, headers, body: body.to_owned() }
    };
    let good = concat!(
        r#"{"generation":1,"kinds":[],"models":[{"id":null,"kind":null,"folder":"a","created":null,"state":"rejected","#,
        r#""reason":"b","done":null,"total":null,"checks":{"memory_mib":null,"known_movies":null,"known_users":null,"#,
        r#""canaries":null,"shadow":null}}]}"#
    );
    assert_eq!(check("get", "/v1/models?x=1", &reply(200, good)), Ok(()));
    for (path, status, from, to) in [
        ("/v1/models", 200, r#""id":null"#, r#""id":7"#),
        ("/v1/models", 200, r#""id":null,"#, ""),
        ("/v1/models", 200, r#""id":null"#, r#""id":null,"more":1"#),
        ("/v1/models", 200, "rejected", "lost"),
        ("/v1/models", 200, r#""generation":1"#, r#""generation":1.5"#),
        ("/v1/models", 418, "", ""),
        ("/v1/nowhere", 200, "", ""),
    ] {
        let differing = reply(status, &good.replacen(from, to, usize::from(!from.is_empty())));
        assert!(check("get", path, &differing).is_err(), "{path} {status} {from} -> {to}");
    }
    let mut nameless = reply(200, good);
    nameless.headers.remove("x-request-id");
    assert!(check("get", "/v1/models", &nameless).is_err());
    let mut talkative = reply(200, good);
    talkative.headers.insert("x-more", "1".parse().unwrap());
    assert!(check("get", "/v1/models", &talkative).is_err());
}
