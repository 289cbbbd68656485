//! Ways to drop a model that must be refused, each with words that its reason says.

use std::fs;
use std::path::Path;

use marquee::artifact::sha256;
use serde_json::{Value, json};

/// A way to drop a model.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) fixture: &'static str,
    pub(super) change: Box<dyn Fn(&Path)>,
    /// The reason says one of these.
    pub(super) expected: &'static [&'static str],
}

const ENCODER: &str = "tiny-encoder";
const NETWORK: &str = "tiny-network";
const RANKING: &str = "tiny-ranking";

const FILES: [(&str, &[&str]); 3] = [
    (ENCODER, &["encoder.onnx", "tokenizer.json", "probe.json"]),
    (NETWORK, &["movie_tower.onnx", "scorer.onnx", "vocabulary.json", "probe.json"]),
    (RANKING, &["ranking_model.onnx", "probe.json"]),
];

/// Several words make it likely that the reason is for this fault and not for another.
const SYNTAX: &[&str] = &["manifest.json cannot be read"];
const DAMAGED: &[&str] = &["has the SHA-256"];
const SHORT: &[&str] = &["was it copied completely?"];

#[derive(Default)]
struct Cases(Vec<Case>);

impl Cases {
    fn add(
        &mut self,
        name: impl Into<String>,
        (fixture, expected): (&'static str, &'static [&'static str]),
        change: impl Fn(&Path) + 'static,
    ) {
        self.0.push(Case { name: name.into(), fixture, change: Box::new(change), expected });
    }

    fn manifest(
        &mut self,
        name: &str,
        of: (&'static str, &'static [&'static str]),
        change: impl Fn(&mut Value) + 'static,
    ) {
        self.add(name, of, move |folder| edit_manifest(folder, &change));
    }
}

pub(super) fn bad_cases() -> Vec<Case> {
    let mut cases = Cases::default();
    truncated(&mut cases);
    flipped(&mut cases);
    manifests(&mut cases);
    contents(&mut cases);
    graphs(&mut cases);
    places(&mut cases);
    cases.0
}

fn truncated(cases: &mut Cases) {
    for (fixture, files) in FILES {
        for file in files {
            for (what, keep) in [("nothing", 0.0), ("half", 0.5), ("most", 0.99)] {
                cases.add(format!("{fixture}-{file}-{what}"), (fixture, SHORT), move |folder| {
                    cut(&folder.join(file), keep);
                });
            }
            cases.add(format!("{fixture}-{file}-missing"), (fixture, &["is not in the folder"]), move |folder| {
                fs::remove_file(folder.join(file)).unwrap();
            });
        }
        for (what, keep) in [("nothing", 0.0), ("half", 0.5), ("most", 0.99)] {
            cases.add(format!("{fixture}-manifest-{what}"), (fixture, SYNTAX), move |folder| {
                cut(&folder.join("manifest.json"), keep);
            });
        }
    }
}

fn flipped(cases: &mut Cases) {
    for (fixture, files) in FILES {
        for file in files {
            for (what, place, bit) in [("first", 0.0, 7), ("middle", 0.5, 0), ("last", 1.0, 3)] {
                cases.add(format!("{fixture}-{file}-flip-{what}"), (fixture, DAMAGED), move |folder| {
                    let mut bytes = fs::read(folder.join(file)).unwrap();
                    let place = ((bytes.len() - 1) as f64 * place) as usize;
                    bytes[place] ^= 1 << bit;
                    fs::write(folder.join(file), bytes).unwrap();
                });
            }
        }
    }
}

fn manifests(cases: &mut Cases) {
    let path = |path: &'static str| move |manifest: &mut Value| manifest["files"][0]["path"] = path.into();
    for (name, value) in [
        ("up", "../scorer.onnx"),
        ("root", "/etc/passwd"),
        ("inside-up", "a/../../b"),
        ("hidden", ".ssh"),
        ("back", "a\\b"),
    ] {
        cases.manifest(&format!("path-{name}"), (NETWORK, &["plain relative path"]), path(value));
    }
    cases.manifest("path-twice", (NETWORK, &["twice"]), path("scorer.onnx"));
    cases.manifest("path-itself", (NETWORK, &["the manifest itself"]), path("manifest.json"));
    cases.manifest("format", (NETWORK, &["format 1"]), |manifest| manifest["format"] = 2.into());
    cases.manifest("kind", (NETWORK, &["known are"]), |manifest| manifest["kind"] = "oracle".into());
    cases.manifest("other-kind", (NETWORK, &["that section and no other"]), |manifest| {
        manifest["kind"] = "text-encoder".into();
    });
    cases.manifest("unknown-key", (NETWORK, &["unknown field `colour`"]), |manifest| manifest["colour"] = 1.into());
    cases.manifest("no-licence", (NETWORK, &["missing field `license`"]), |manifest| {
        manifest.as_object_mut().unwrap().remove("license");
    });
    cases.manifest("negative-size", (NETWORK, SYNTAX), |manifest| manifest["files"][0]["size"] = (-1).into());
    cases.manifest("huge-size", (NETWORK, &["bytes are read"]), |manifest| {
        manifest["files"][0]["size"] = (1_u64 << 40).into();
    });
    cases.manifest("hash", (NETWORK, &["hexadecimal"]), |manifest| manifest["files"][0]["sha256"] = "AB".into());
    cases.manifest("created", (NETWORK, &["`created`"]), |manifest| manifest["created"] = "tomorrow".into());
    cases.manifest("many-files", (NETWORK, &["between 1 and 64"]), |manifest| {
        manifest["files"] = vec![manifest["files"][0].clone(); 100].into();
    });
    for (name, text) in [
        ("not-json", b"{ not json".to_vec()),
        ("not-text", vec![0xff, 0xfe, 0x00]),
        ("deep", b"[".repeat(100_000)),
        ("list", b"[]".to_vec()),
        ("number", b"1e400".to_vec()),
    ] {
        cases.add(name, (NETWORK, SYNTAX), move |folder| fs::write(folder.join("manifest.json"), &text).unwrap());
    }
    cases.add("large-manifest", (NETWORK, &["at most 1048576 are read"]), |folder| {
        fs::write(folder.join("manifest.json"), vec![b' '; 2 << 20]).unwrap();
    });
    cases.add("key-twice", (NETWORK, &["duplicate field"]), |folder| {
        let path = folder.join("manifest.json");
        let text = fs::read_to_string(&path).unwrap().replacen('{', "{\"name\":\"other\",", 1);
        fs::write(path, text).unwrap();
    });
}

/// Sound files that say something else than they should.
fn contents(cases: &mut Cases) {
    let signature = &["another signature"];
    cases.manifest("dim", (ENCODER, &["must be", "signature"]), |manifest| manifest["text_encoder"]["dim"] = 9.into());
    cases.manifest("vector-dim", (NETWORK, signature), |manifest| manifest["rating_network"]["vector_dim"] = 53.into());
    cases.manifest("fewer-inputs", (NETWORK, signature), |manifest| {
        manifest["rating_network"]["numeric"] = json!(["vote_average"]);
    });
    cases.manifest("no-history", (NETWORK, &["is not known"]), |manifest| {
        manifest["rating_network"].as_object_mut().unwrap().remove("history");
    });
    cases.manifest("swapped-graphs", (NETWORK, signature), |manifest| {
        manifest["rating_network"]["movie_tower"] = "scorer.onnx".into();
    });
    cases.manifest("features", (RANKING, &["trained on other features"]), |manifest| {
        manifest["ranking_model"]["features"][0] = "luck".into();
    });
    cases.manifest("fewer-users", (NETWORK, &["where manifest.json says 2"]), |manifest| {
        manifest["rating_network"]["n_users"] = 2.into();
    });
    cases.manifest("pad", (ENCODER, &["has the id"]), |manifest| manifest["text_encoder"]["pad_id"] = 7.into());
    cases.add("vocabulary", (NETWORK, &["knows 0 of the catalogue's 6 rated movies"]), |folder| {
        edit_json(folder, "vocabulary.json", |vocabulary| {
            for movie in vocabulary["movies"].as_array_mut().unwrap() {
                movie["title"] = "Quite another film".into();
            }
        });
    });
    cases.add("vocabulary-twice", (NETWORK, &["twice"]), |folder| {
        edit_json(folder, "vocabulary.json", |vocabulary| vocabulary["users"][1] = vocabulary["users"][0].clone());
    });
    cases.add("vocabulary-text", (NETWORK, &["vocabulary.json cannot be read"]), |folder| {
        replace(folder, "vocabulary.json", b"{}");
    });
    cases.add("tokenizer", (ENCODER, &["tokenizer.json cannot be loaded"]), |folder| {
        replace(folder, "tokenizer.json", b"{\"version\":\"1.0\"}");
    });
    for (fixture, member) in [(ENCODER, "embeddings"), (NETWORK, "ratings"), (RANKING, "scores")] {
        cases.add(format!("{fixture}-probe-value"), (fixture, &["the golden probe failed"]), move |folder| {
            edit_json(folder, "probe.json", |probe| *first_number(&mut probe[member]) = 77.0.into());
        });
        cases.add(
            format!("{fixture}-probe-empty"),
            (fixture, &["must be", "cannot be read", "entries"]),
            move |folder| {
                edit_json(folder, "probe.json", |probe| probe[member] = json!([]));
            },
        );
    }
}

fn graphs(cases: &mut Cases) {
    for (fixture, file, name) in [
        (ENCODER, "encoder.onnx", "constant_2"),
        (NETWORK, "movie_tower.onnx", "constant_16"),
        (NETWORK, "scorer.onnx", "constant_16"),
    ] {
        for (what, value, expected) in
            [("nan", f32::NAN, &["(NaN)"][..]), ("infinite", f32::INFINITY, &["an infinite number"])]
        {
            cases.add(format!("{fixture}-{file}-{what}"), (fixture, expected), move |folder| {
                let mut bytes = fs::read(folder.join(file)).unwrap();
                let start = weights_of(&bytes, name);
                bytes[start..start + 4].copy_from_slice(&value.to_le_bytes());
                replace(folder, file, &bytes);
            });
        }
    }
    let graph = |cases: &mut Cases, name: &str, bytes: Vec<u8>, expected: &'static [&'static str]| {
        cases.add(name, (ENCODER, expected), move |folder| replace(folder, "encoder.onnx", &bytes));
    };
    graph(cases, "no-graph", b"not a graph".to_vec(), &["not a readable ONNX graph"]);
    graph(cases, "empty-graph", Vec::new(), &["cannot be loaded", "signature"]);
    graph(cases, "nested-graph", field(7, &nested(100)), &["nested too deeply"]);
    let tensor = [field(8, b"bomb"), number(1, 1 << 28), number(2, 1)].concat();
    graph(cases, "promised-shape", field(7, &field(5, &tensor)), &["its shape and its data differ"]);
    let external = [field(8, b"far"), number(14, 1), field(13, b"\x0a\x08location")].concat();
    graph(cases, "external-data", field(7, &field(5, &external)), &["external data"]);
    graph(cases, "shape-bomb", shape_bomb(), &["memory", "MiB", "alloc"]);
}

/// Places and kinds of files.
fn places(cases: &mut Cases) {
    use std::os::unix::fs::symlink;
    let link = &["a symbolic link"];
    cases.add("linked-file", (NETWORK, link), |folder| {
        let outside = folder.with_extension("outside");
        fs::rename(folder.join("scorer.onnx"), &outside).unwrap();
        symlink(outside, folder.join("scorer.onnx")).unwrap();
    });
    cases.add("linked-manifest", (NETWORK, link), |folder| {
        fs::rename(folder.join("manifest.json"), folder.join("other.json")).unwrap();
        symlink("other.json", folder.join("manifest.json")).unwrap();
    });
    cases.add("linked-folder", (NETWORK, link), |folder| {
        let outside = folder.with_extension("outside");
        fs::rename(folder, &outside).unwrap();
        symlink(outside, folder).unwrap();
    });
    cases.add("folder-for-a-file", (NETWORK, &["not a regular file"]), |folder| {
        fs::remove_file(folder.join("probe.json")).unwrap();
        fs::create_dir(folder.join("probe.json")).unwrap();
    });
    cases.add("pipe-for-a-file", (NETWORK, &["not a regular file"]), |folder| {
        fs::remove_file(folder.join("probe.json")).unwrap();
        let status = std::process::Command::new("mkfifo").arg(folder.join("probe.json")).status().unwrap();
        assert!(status.success());
    });
}

pub(crate) fn edit_manifest(folder: &Path, change: impl FnOnce(&mut Value)) {
    let path = folder.join("manifest.json");
    let mut manifest = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    fs::write(path, manifest.to_string()).unwrap();
}

fn edit_json(folder: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&fs::read(folder.join(file)).unwrap()).unwrap();
    change(&mut value);
    replace(folder, file, value.to_string().as_bytes());
}

/// Replaces a file, and its entry in the manifest, as somebody does who means it.
fn replace(folder: &Path, file: &str, bytes: &[u8]) {
    fs::write(folder.join(file), bytes).unwrap();
    let hash = sha256(bytes);
    edit_manifest(folder, |manifest| {
        for entry in manifest["files"].as_array_mut().unwrap() {
            if entry["path"] == file {
                entry["size"] = bytes.len().into();
                entry["sha256"] = hash.as_str().into();
            }
        }
    });
}

fn cut(path: &Path, keep: f64) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..(bytes.len() as f64 * keep) as usize]).unwrap();
}

fn first_number(value: &mut Value) -> &mut Value {
    if value.is_array() { first_number(&mut value[0]) } else { value }
}

/// Where the numbers of a constant begin: its name, then the tag and the length of `raw_data`.
fn weights_of(graph: &[u8], name: &str) -> usize {
    let marker = [name.as_bytes(), b"\x4a"].concat();
    let place = graph.windows(marker.len()).position(|window| window == marker).unwrap() + marker.len();
    place + graph[place..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A protobuf field that holds bytes.
fn field(number: u64, payload: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(payload.len() as u64), payload.to_vec()].concat()
}

/// A protobuf field that holds a number.
fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// Graphs within attributes of graphs.
fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(Vec::new(), |inner, _| field(1, &field(5, &field(6, &inner))))
}

/// A sound graph of some hundred bytes that wants 64 GiB as soon as it is loaded or run.
fn shape_bomb() -> Vec<u8> {
    let tensor_type = |element: u64, dims: [&str; 2]| {
        let dim =
            |name: &&str| field(1, &name.parse().map_or_else(|_| field(2, name.as_bytes()), |n: u64| number(1, n)));
        field(1, &[number(1, element), field(2, &dims.iter().flat_map(dim).collect::<Vec<u8>>())].concat())
    };
    let value = |name: &str, element, dims| [field(1, name.as_bytes()), field(2, &tensor_type(element, dims))].concat();
    let node = |inputs: &[&str], output: &str, op: &str, attributes: &[u8]| {
        let inputs: Vec<u8> = inputs.iter().flat_map(|name| field(1, name.as_bytes())).collect();
        [inputs, field(2, output.as_bytes()), field(4, op.as_bytes()), attributes.to_vec()].concat()
    };
    let shape = [1_u64 << 20, 1 << 14].map(u64::to_le_bytes).concat();
    let shape = [number(1, 2), number(2, 7), field(8, b"shape"), field(9, &shape)].concat();
    let to_float = field(5, &[field(1, b"to"), number(3, 1), number(20, 2)].concat());
    let graph = [
        field(1, &node(&["shape"], "huge", "ConstantOfShape", &[])),
        field(1, &node(&["huge"], "largest", "ReduceMax", &[])),
        field(1, &node(&["input_ids"], "ids", "Cast", &to_float)),
        field(1, &node(&["ids", "largest"], "sum", "Add", &[])),
        field(1, &node(&["sum"], "sentence_embedding", "Identity", &[])),
        field(2, b"bomb"),
        field(5, &shape),
        field(11, &value("input_ids", 7, ["b", "s"])),
        field(11, &value("attention_mask", 7, ["b", "s"])),
        field(12, &value("sentence_embedding", 1, ["b", "8"])),
    ];
    [number(1, 8), field(8, &number(2, 17)), field(7, &graph.concat())].concat()
}
