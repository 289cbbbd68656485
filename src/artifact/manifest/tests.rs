use super::super::fixture;
use super::*;
use serde_json::{Value, json};

fn parse(manifest: &Value) -> Result<Manifest, String> {
    Manifest::parse(manifest.to_string().as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn sound_manifests_of_all_kinds_are_read() {
    let manifest = parse(&fixture::text_encoder()).unwrap();
    assert_eq!((manifest.kind(), manifest.created_ms), (ArtifactKind::TextEncoder, 1_795_402_800_000));
    let mut with_training = fixture::rating_network();
    with_training["training"] = json!({"data_set": "MovieLens 100K", "metrics": {"rmse": 0.93}, "settings": {}});
    let manifest = parse(&with_training).unwrap();
    assert_eq!(manifest.graphs(), ["tower.onnx", "scorer.onnx"]);
    assert_eq!(manifest.training.unwrap().metrics["rmse"], 0.93);
    let manifest = parse(&fixture::ranking_model()).unwrap();
    assert_eq!((manifest.kind(), manifest.graphs()), (ArtifactKind::RankingModel, vec!["ranking.onnx"]));
    let manifest = parse(&fixture::item_item_model()).unwrap();
    assert_eq!((manifest.kind(), manifest.graphs().len()), (ArtifactKind::ItemItemModel, 0));
}

#[test]
fn what_the_contract_does_not_allow_is_refused_by_name() {
    let cases: [(&str, Value, &str); 16] = [
        ("/format", 2.into(), "format 1"),
        ("/kind", "rating-network".into(), "that section and no other"),
        ("/kind", "ranking-model".into(), "that section and no other"),
        ("/kind", "oracle".into(), "known are text-encoder, rating-network, ranking-model and item-item-model"),
        ("/name", "Big".into(), "`name`"),
        ("/name", "../up".into(), "`name`"),
        ("/version", "".into(), "`version`"),
        ("/created", "yesterday".into(), "`created`"),
        ("/created", "2026-11-23T03:00:00+01:00".into(), "`created`"),
        ("/files/0/path", "../encoder.onnx".into(), "plain relative path"),
        ("/files/0/path", "/encoder.onnx".into(), "plain relative path"),
        ("/files/0/path", "tokenizer.json".into(), "twice"),
        ("/files/0/sha256", "AB".into(), "hexadecimal"),
        ("/text_encoder/graph", "other.onnx".into(), "not among `files`"),
        ("/text_encoder/dim", 0.into(), "between 1 and"),
        ("/probe/tolerance", 5.into(), "`probe.tolerance`"),
    ];
    for (pointer, value, expected) in cases {
        let mut manifest = fixture::text_encoder();
        *manifest.pointer_mut(pointer).unwrap() = value;
        let message = parse(&manifest).unwrap_err();
        assert!(message.contains(expected), "{pointer}: {message}");
    }
}

#[test]
fn unknown_missing_and_repeated_keys_are_refused() {
    let mut manifest = fixture::text_encoder();
    manifest["text_encoder"]["dims"] = 3.into();
    assert!(parse(&manifest).unwrap_err().contains("unknown field `dims`"));
    let mut manifest = fixture::text_encoder();
    manifest.as_object_mut().unwrap().remove("license");
    assert!(parse(&manifest).unwrap_err().contains("missing field `license`"));
    let text = fixture::text_encoder().to_string().replacen('{', "{\"name\":\"other\",", 1);
    assert!(Manifest::parse(text.as_bytes()).unwrap_err().to_string().contains("duplicate field"));
    let large = vec![b' '; 1024 * 1024 + 1];
    assert!(matches!(Manifest::parse(&large), Err(ArtifactError::TooLarge { .. })));
}

#[test]
fn a_network_needs_a_plausible_scale_and_inputs_that_are_known() {
    for (pointer, value, expected) in [
        ("/rating_network/rating_scale", json!([5.0, 1.0]), "rising"),
        ("/rating_network/genres", json!(["Drama", "drama"]), "twice"),
        ("/rating_network/numeric", json!(["popularity", "budget"]), "unknown variant `budget`, expected one of"),
        ("/rating_network/numeric", json!(["popularity", "popularity"]), "twice"),
        ("/rating_network/numeric", json!([]), "is empty"),
        ("/rating_network/history", json!({"max_length": 0}), "between 1 and"),
        ("/rating_network/history", json!({"max_length": 5, "order": "newest"}), "unknown field `order`"),
    ] {
        let mut manifest = fixture::rating_network();
        *manifest.pointer_mut(pointer).unwrap() = value;
        assert!(parse(&manifest).unwrap_err().contains(expected), "{pointer}");
    }
}

#[test]
fn a_ranking_model_names_each_feature_once_and_its_graph() {
    for (pointer, value, expected) in [
        ("/ranking_model/features", json!(["ease", "ease"]), "twice"),
        ("/ranking_model/features", json!([]), "between 1 and"),
        ("/ranking_model/features", json!(["ease", ""]), "empty or longer"),
        ("/ranking_model/features", json!(["x".repeat(65)]), "empty or longer"),
        ("/ranking_model/graph", json!("other.onnx"), "not among `files`"),
    ] {
        let mut manifest = fixture::ranking_model();
        *manifest.pointer_mut(pointer).unwrap() = value;
        assert!(parse(&manifest).unwrap_err().contains(expected), "{pointer}");
    }
}
#[test]
fn an_item_item_model_names_its_files_and_how_long_its_lists_are() {
    for (pointer, value, expected) in [
        ("/item_item_model/neighbours", json!("other.safetensors"), "not among `files`"),
        ("/item_item_model/vocabulary", json!("other.json"), "not among `files`"),
        ("/item_item_model/n_movies", json!(0), "between 1 and"),
        ("/item_item_model/max_neighbours", json!(10_001), "between 1 and 10000"),
    ] {
        let mut manifest = fixture::item_item_model();
        *manifest.pointer_mut(pointer).unwrap() = value;
        assert!(parse(&manifest).unwrap_err().contains(expected), "{pointer}");
    }
}
