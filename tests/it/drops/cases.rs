//! Ways to drop a model that must be refused, each with words that its reason says.

use std::fs;
use std::path::Path;

use marquee::artifact::sha256;
use serde_json::{Value, json};

use super::graphs::{Trouble, encoder_in_trouble, field, nested, number, shape_bomb, straight_network};

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
const ITEM_ITEM: &str = "tiny-item-item";

const FILES: [(&str, &[&str]); 4] = [
    (ENCODER, &["encoder.onnx", "tokenizer.json", "probe.json"]),
    (NETWORK, &["movie_tower.onnx", "scorer.onnx", "vocabulary.json", "probe.json"]),
    (RANKING, &["ranking_model.onnx", "probe.json"]),
    (ITEM_ITEM, &["neighbours.safetensors", "vocabulary.json", "probe.json"]),
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
    lists(&mut cases);
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
    for (fixture, member) in [(ENCODER, "embeddings"), (NETWORK, "ratings"), (RANKING, "scores"), (ITEM_ITEM, "scores")]
    {
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

/// Sound graphs that are what their manifests say, up to a run that takes too much: at the probe, or not before they are
/// asked about the films of the store.
pub(super) fn troubles() -> Vec<Case> {
    const ANY_TEXT: i64 = -1;
    // The sum of `<s>` and `</s>` is 2.
    const EMPTY_TEXT: i64 = 2;
    let mut cases = Cases::default();
    for (name, trouble, harmless, expected) in [
        ("endless", Trouble::Endless, ANY_TEXT, &["loading and probing it took more than 2 s of processor time"][..]),
        ("greedy", Trouble::Greedy, ANY_TEXT, &["alloc", "more memory than 512 MiB"]),
        ("endless-on-films", Trouble::Endless, EMPTY_TEXT, &["films and people took more than 2 s of processor time"]),
        (
            "greedy-on-films",
            Trouble::Greedy,
            EMPTY_TEXT,
            &["on this store's data it fails: ", "films and people ended"],
        ),
    ] {
        cases.add(name, (ENCODER, expected), move |folder| {
            replace(folder, "encoder.onnx", &encoder_in_trouble(trouble, harmless));
            let unit = [1, 0, 0, 0, 0, 0, 0, 0];
            edit_json(folder, "probe.json", |probe| *probe = json!({"texts": [""], "embeddings": [unit]}));
        });
    }
    cases.0
}

/// Neighbour lists that are not what they should be.
fn lists(cases: &mut Cases) {
    const NAME: &str = "neighbours.safetensors";
    // Behind the header: 7 starts, 18 rows, 18 weights of 4 bytes each, in an order that the header says.
    let word = |tensor: &'static str, place: usize, value: u32| {
        move |folder: &Path| {
            let mut bytes = fs::read(folder.join(NAME)).unwrap();
            let at = data_of(&bytes, tensor) + 4 * place;
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            replace(folder, NAME, &bytes);
        }
    };
    for (name, tensor, place, value, expected) in [
        ("nan-weight", "weights", 4, f32::NAN.to_bits(), "all must be finite numbers"),
        ("infinite-weight", "weights", 0, f32::INFINITY.to_bits(), "all must be finite numbers"),
        ("far-row", "rows", 2, 6, "has the row 6; rows are 0 to 5"),
        ("very-far-row", "rows", 2, u32::MAX, "rows are 0 to 5"),
        ("unsorted-rows", "rows", 0, 2, "that do not rise"),
        ("own-row", "rows", 0, 0, "as its own neighbour"),
        ("far-start", "starts", 6, 19, "must rise from 0 to 18"),
        ("unsorted-starts", "starts", 2, 17, "must rise from 0 to 18"),
        ("long-list", "starts", 1, 5, "the manifest allows 3"),
        ("other-weight", "weights", 0, 7.0_f32.to_bits(), "the golden probe failed"),
    ] {
        cases.add(format!("lists-{name}"), (ITEM_ITEM, leak(expected)), word(tensor, place, value));
    }
    let header =
        |cases: &mut Cases, name: &str, from: &'static str, to: &'static str, expected: &'static [&'static str]| {
            cases.add(format!("lists-{name}"), (ITEM_ITEM, expected), move |folder| {
                let bytes = fs::read(folder.join(NAME)).unwrap();
                let (header, data) = bytes[8..].split_at(header_length(&bytes));
                let header = std::str::from_utf8(header).unwrap().trim_end();
                assert!(header.contains(from), "{header}");
                let header = header.replace(from, to);
                replace(folder, NAME, &[&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat());
            });
        };
    let unreadable = &["neighbours.safetensors cannot be read"];
    header(cases, "shape-bomb", "[18]", "[1099511627776,1099511627776]", unreadable);
    header(cases, "promised-shape", "[18]", "[268435456]", unreadable);
    header(cases, "two-dimensions", "[18]", "[3,6]", &["it must be U32[n]", "it must be F32[18]"]);
    header(cases, "other-type", "U32", "I32", &["it must be U32"]);
    header(cases, "other-name", "\"weights\"", "\"weight\"", &["`weights` is not there"]);
    cases.add("lists-long-header", (ITEM_ITEM, unreadable), |folder| {
        let mut bytes = fs::read(folder.join(NAME)).unwrap();
        bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        replace(folder, NAME, &bytes);
    });
    cases.add("lists-nothing", (ITEM_ITEM, unreadable), |folder| replace(folder, NAME, b""));
    cases.manifest("lists-fewer-movies", (ITEM_ITEM, &["where manifest.json says 5"]), |manifest| {
        manifest["item_item_model"]["n_movies"] = 5.into();
    });
    cases.add("lists-vocabulary", (ITEM_ITEM, &["knows 0 of the catalogue's 6 rated movies"]), |folder| {
        edit_json(folder, "vocabulary.json", |vocabulary| {
            for movie in vocabulary["movies"].as_array_mut().unwrap() {
                movie["title"] = "Quite another film".into();
            }
        });
    });
}

fn leak(words: &'static str) -> &'static [&'static str] {
    Box::leak(Box::new([words]))
}

fn header_length(bytes: &[u8]) -> usize {
    u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize
}

/// Where the data of a tensor begin in a safetensors file.
fn data_of(bytes: &[u8], tensor: &str) -> usize {
    let length = header_length(bytes);
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    8 + length + header[tensor]["data_offsets"][0].as_u64().unwrap() as usize
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

/// Makes a copy of the miniature network one whose rating of the movie in row r is 3 + `slope` × r, whoever asks.
pub(super) fn straighten(folder: &Path, slope: f32) {
    let [tower, scorer] = straight_network(slope);
    replace(folder, "movie_tower.onnx", &tower);
    replace(folder, "scorer.onnx", &scorer);
    edit_json(folder, "probe.json", |probe| {
        *probe = json!({
            "movie_row": [0, 5], "numeric": [[1, 2, 3, 4], [1, 2, 3, 4]], "genres": [[0, 0, 0], [1, 0, 1]],
            "movie_vectors": [[0], [5]], "user_rows": [0], "ratings": [[3.0, 3.0 + 5.0 * slope]],
        });
    });
    edit_manifest(folder, |manifest| {
        manifest["rating_network"]["vector_dim"] = 1.into();
        manifest["rating_network"].as_object_mut().unwrap().remove("history");
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
