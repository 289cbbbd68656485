"""Training and converting with PyTorch, on a tiny made-up data set: `tools/test --training`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden.miniatures import write_tiny_encoder
from marquee_models.catalogue import NUMERIC, build_catalogue, overview_texts, read_movies
from marquee_models.interactions import Interactions, read_interactions
from marquee_models.manifest import verify_artifact

pytestmark = pytest.mark.training

N_USERS, N_MOVIES = 40, 25


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Users like one of two genres; a few numbers and overviews are missing; the last film is
    unrated."""
    folder = tmp_path_factory.mktemp("export")
    random = np.random.default_rng(0)
    movies = ["movieId,title,year,genres,vote_average,vote_count,popularity,overview"]
    for id in range(1, N_MOVIES + 1):
        average = "" if id % 7 == 0 else f"{random.uniform(4, 8):.2f}"
        genre = "Action" if id % 2 else "Drama"
        about = "" if id % 5 == 1 else f"film number {id}"
        movies.append(f"{id},Film {id},{1980 + id},{genre},{average},{id},{0.5 * id},{about}")
    ratings = ["userId,movieId,rating,timestamp"]
    for user in range(1, N_USERS + 1):
        for id in random.choice(np.arange(1, N_MOVIES), size=12, replace=False):
            likes = user % 2 == id % 2
            value = np.clip(round(random.normal(4.5 if likes else 1.8, 0.5)), 1, 5)
            ratings.append(f"{user},{id},{value:g},{1000 + random.integers(500)}")
    (folder / "movies.csv").write_text("\n".join(movies) + "\n", encoding="utf-8")
    (folder / "ratings.csv").write_text("\n".join(ratings) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def interactions(export: Path) -> Interactions:
    return read_interactions(export / "ratings.csv")


@pytest.fixture(scope="module")
def catalogue(export: Path, interactions: Interactions) -> Any:
    """With the vectors that an encoder might give, which tell the genres apart; not every film has
    an overview."""
    movies = read_movies(export / "movies.csv")
    random = np.random.default_rng(1)
    vectors = {}
    for id in overview_texts(movies):
        vectors[id] = random.normal(size=6, scale=0.3).astype(np.float32)
        vectors[id][id % 2] += 1.0
    return build_catalogue(movies, interactions, vectors)


@pytest.fixture(scope="module")
def original(interactions: Interactions, catalogue: Any) -> Any:
    from marquee_models.train_original import OriginalSettings, train_original

    settings = OriginalSettings(epochs=20, batch=32)
    return train_original(interactions, catalogue, settings, "cpu")


@pytest.fixture(scope="module")
def history(interactions: Interactions, catalogue: Any) -> Any:
    """The setting and two trained members."""
    from marquee_models.train_history import HistorySettings, prepare, train_members

    settings = HistorySettings(
        members=2, epochs=30, learning_rate=0.02, max_cells=1000, max_history=8
    )
    setting = prepare(interactions, catalogue, settings, "cpu")
    return setting, train_members(setting, settings)


def run(model: Any, inputs: dict[str, Any]) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, inputs)[0]


def test_the_original_learns(original: Any) -> None:
    assert min(original.held_out_losses) < 0.5 * original.held_out_losses[0]
    assert original.metrics["rmse"] < 1.0
    # A stranger's ratings are near the mean, not noise.
    assert original.metrics["rmse_unknown_user"] < 2.0
    assert original.metrics["rmse_unknown_movie"] < 2.0


def test_the_original_has_the_names_of_the_contract(original: Any) -> None:
    linear = ("extra_features.0", "genre_features.0", "mlp.0", "mlp.4", "mlp.8")
    norms = ("extra_features.1", "genre_features.1", "mlp.1", "mlp.5")
    parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = {"user_embed.weight", "item_embed.weight"}
    expected |= {f"{name}.{part}" for name in linear for part in parts[:2]}
    expected |= {f"{name}.{part}" for name in norms for part in parts}
    assert set(original.weights) == expected


def test_the_originals_graphs_equal_pytorch(original: Any, catalogue: Any) -> None:
    import torch

    from marquee_models.original_graphs import build_original_scorer, build_original_tower

    n, numeric = len(catalogue.numeric), catalogue.numeric[:, :3]
    inputs = {"movie_row": np.arange(n), "numeric": numeric, "genres": catalogue.genre_flags}
    vectors = run(build_original_tower(original.weights, original.scaling), inputs)
    scorer = build_original_scorer(original.weights)
    scaled = torch.from_numpy(original.scaling.apply(numeric).astype(np.float32))
    for user in range(len(catalogue.users) + 1):
        rating = run(scorer, {"user_row": np.array([user]), "movie_vectors": vectors})
        with torch.no_grad():
            expected = original.model(
                torch.full((n,), user),
                torch.arange(n),
                scaled,
                torch.from_numpy(catalogue.genre_flags),
            ).numpy()
        np.testing.assert_allclose(rating, expected, rtol=0, atol=1e-5)


def test_the_default_learns_and_uses_histories(history: Any) -> None:
    for member in history[1]:
        assert min(member.held_out_losses) < 0.5 * member.held_out_losses[0]
        assert member.metrics["rmse"] < 1.0
        # Who is not known by row is known by their history; nobody is known without either.
        assert member.metrics["rmse_stranger"] > member.metrics["rmse_unknown_user"] + 0.2
        assert member.metrics["rmse_unknown_movie"] < 2.0


def test_the_defaults_graphs_equal_pytorch(history: Any, catalogue: Any) -> None:
    """Known and unknown people; no history, some, and more than the network takes."""
    from marquee_models.history_graphs import build_history_scorer, build_history_tower

    setting, members = history
    weights = [member.weights for member in members]
    n = len(catalogue.numeric)
    inputs = {"numeric": catalogue.numeric, "genres": catalogue.genre_flags}
    assert catalogue.overviews.shape[1] == 6 and not catalogue.overviews[[0, 6]].any()
    tower = build_history_tower(weights, setting.scaling, catalogue.overviews)
    vectors = run(tower, {"movie_row": np.arange(n), **inputs})
    scorer = build_history_scorer(weights)
    random = np.random.default_rng(3)
    for user, length in ((0, 0), (0, 5), (1, 0), (3, 1), (7, 8), (len(catalogue.users), 700)):
        places = random.integers(0, n, size=length)
        ratings = random.integers(1, 6, size=length).astype(np.float32)
        ages = (10.0 ** random.uniform(0, 8, size=length)).astype(np.float32)
        question = {
            "user_row": np.array([user]),
            "movie_vectors": vectors,
            "history_vectors": vectors[places],
            "history_ratings": ratings,
            "history_ages": ages,
        }
        rating = run(scorer, question)
        expected = pytorch_ratings(history, catalogue, user, (places, ratings, ages))
        assert np.isfinite(rating).all()
        np.testing.assert_allclose(rating, expected, rtol=0, atol=1e-5)


def pytorch_ratings(history: Any, catalogue: Any, user: int, known: Any) -> Any:
    """The members' mean for every movie row."""
    import torch

    from marquee_models.history_network import History, HistoryNetwork, HistoryShape

    setting, members = history
    places, ratings, ages = (torch.from_numpy(np.ascontiguousarray(part)) for part in known)
    n = len(catalogue.numeric)
    numeric = torch.from_numpy(setting.scaling.apply(catalogue.numeric).astype(np.float32))
    parts = (catalogue.genre_flags, catalogue.overviews)
    features = torch.cat([numeric, *(torch.from_numpy(part) for part in parts)], dim=-1)
    shape = HistoryShape(
        len(catalogue.users) + 1,
        len(catalogue.movies) + 1,
        len(NUMERIC),
        len(catalogue.genres),
        catalogue.overviews.shape[1],
    )
    answers = []
    for member in members:
        model = HistoryNetwork(shape, mean_rating=0.0)
        state = {name: torch.from_numpy(np.array(v)) for name, v in member.weights.items()}
        model.load_state_dict(state)
        model.eval()
        with torch.no_grad():
            vectors = model.tower(torch.arange(n), features)
            live = History(
                vectors[places].unsqueeze(0),
                ratings.unsqueeze(0),
                ages.expand(1, n, len(ages)),
                torch.ones(1, n, len(ages)),
            )
            answers.append(model(torch.tensor([user]), vectors.unsqueeze(0), live)[0].numpy())
    return np.mean(answers, axis=0)


def test_a_rating_does_not_give_itself_away_in_the_vote_average(tmp_path: Path) -> None:
    """Figures that are those of the ratings are taken as they were without the one at hand."""
    import torch

    from marquee_models.examples import batches, cut_batch
    from marquee_models.history_network import HistoryNetwork, HistoryShape
    from marquee_models.train_history import HistorySettings, Trainer, prepare

    (tmp_path / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n1,1,5,0\n2,1,2,1\n1,2,4,2\n", encoding="utf-8"
    )
    (tmp_path / "movies.csv").write_text(
        "movieId,title,year,genres,vote_average,vote_count,popularity\n"
        "1,Own,2000,Drama,7,2,1\n2,Only,2001,Drama,8,1,1\n",
        encoding="utf-8",
    )
    interactions = read_interactions(tmp_path / "ratings.csv")
    catalogue = build_catalogue(read_movies(tmp_path / "movies.csv"), interactions)
    setting = prepare(interactions, catalogue, HistorySettings(), "cpu")
    assert setting.votes_are_ratings[1:].tolist() == [True, True]
    nothing = np.zeros(3, dtype=bool)
    model = HistoryNetwork(HistoryShape(3, 3, len(NUMERIC), 1), 3.0)
    trainer = Trainer(setting, HistorySettings(), nothing, model)
    (group,) = batches(setting.windows, 10_000)
    batch = cut_batch(interactions, setting.windows, group, nothing, judge=False)
    rows = trainer.rows(batch.targets.movie_ids)
    rated = torch.zeros_like(rows, dtype=torch.bool)
    scaled = trainer.without(batch, rows, rated).numpy()
    raw = scaled * setting.scaling.deviation + setting.scaling.mean
    seen = {}
    for user, row in enumerate(batch.users.tolist()):
        for place in np.flatnonzero(batch.targets.present[user]).tolist():
            pair = (row, int(batch.targets.movie_ids[user, place]))
            seen[pair] = (round(raw[user, place, 0], 3), round(np.expm1(raw[user, place, 1]), 3))
    mean = round(float(setting.scaling.mean[0]), 3)
    assert seen == {(1, 1): (4.0, 1.0), (2, 1): (10.0, 1.0), (1, 2): (mean, 0.0)}
    # Before the first rating there is no vote and no popularity; the year is as it was.
    before = trainer.without(batch, rows, ~rated).numpy()
    raw = before * setting.scaling.deviation + setting.scaling.mean
    np.testing.assert_allclose(
        raw[..., :3], np.broadcast_to([mean, 0, 0], raw[..., :3].shape), atol=1e-3
    )
    assert (before[..., 3] == scaled[..., 3]).all()


def test_rows_that_never_learnt_are_like_unknown_ones(interactions: Interactions) -> None:
    from marquee_models.train_history import HistorySettings, prepare, train_member

    catalogue = build_catalogue({}, interactions)
    settings = HistorySettings(members=1, epochs=1)
    setting = prepare(interactions, catalogue, settings, "cpu")
    held_out = interactions.movie_ids == 3
    weights = train_member(setting, settings, held_out, 0).weights
    row = int(catalogue.movie_rows(np.array([3]))[0])
    assert (weights["item_embed.weight"][row] == weights["item_embed.weight"][0]).all()
    assert (weights["item_embed.weight"][row + 1] != weights["item_embed.weight"][0]).any()


@pytest.mark.parametrize("architecture", ["history", "original"])
def test_one_command_makes_the_same_artifact_twice(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: str
) -> None:
    """Once from memory, once from disk; once with overviews to embed, once with them in the
    cache folder."""
    from marquee_models.train import main

    cache = tmp_path / "cache"
    write_tiny_encoder(cache / "artifacts" / "all-mpnet-base-v2")
    monkeypatch.setenv("MARQUEE_CACHE", str(cache))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    folders = [tmp_path / "one" / "net", tmp_path / "two" / "net"]
    more = [[], ["--work-dir", str(tmp_path / "work")]]
    for folder, options in zip(folders, more):
        arguments = ["--data", str(export), "--out", str(folder), "--epochs", "2"]
        main([*arguments, "--architecture", architecture, *options])
        assert (folder.parent / "net-loss.png").stat().st_size > 1000
    assert (tmp_path / "work" / "values.npy").is_file()
    manifest = verify_artifact(folders[0])
    assert manifest["rating_network"]["n_users"] == N_USERS
    is_default = architecture == "history"
    assert ("history" in manifest["rating_network"]) == is_default
    # 24 films are rated; of 20 there is an overview, and one of these is the unrated one.
    assert manifest["rating_network"]["n_movies"] == (25 if is_default else 24)
    assert manifest["training"]["settings"]["overview_vectors"] == (20 if is_default else 0)
    assert manifest["training"]["metrics"]["rmse"] > 0
    assert manifest["training"]["settings"]["architecture"] == architecture
    for path in folders[0].iterdir():
        assert path.read_bytes() == (folders[1] / path.name).read_bytes(), path.name


class Checkpoint:
    """An original network trained elsewhere: no row for the unknown, ids in an order of its own."""

    def __init__(self, folder: Path, export: Path, n_genres: int = 2) -> None:
        import torch

        from marquee_models.original_network import OriginalNetwork, OriginalShape

        torch.manual_seed(4)
        random = np.random.default_rng(4)
        self.users = random.permutation(np.arange(1, 11)).tolist()
        self.movies = random.permutation(np.arange(1, N_MOVIES + 1)).tolist()
        self.model = OriginalNetwork(OriginalShape(10, N_MOVIES, n_genres))
        for name, value in self.model.state_dict().items():
            if "running" in name or name.endswith(".1.weight"):
                value.uniform_(0.5, 1.5)
        self.model.eval()
        self.mean, self.scale = [6.2, 11.0, 5.5], [1.1, 7.0, 3.0]
        self.path, self.description = folder / "model.pt", folder / "model.json"
        torch.save(self.model.state_dict(), self.path)
        self.facts: dict[str, Any] = {
            "users": self.users,
            "movies": self.movies,
            "genres": ["Drama", "Action"],
            "scaler": {"mean": self.mean, "scale": self.scale},
            "rating_scale": [0.5, 5.0],
        }
        self.describe()
        self.arguments = ["--checkpoint", str(self.path), "--description", str(self.description)]
        self.arguments += ["--movies", str(export), "--license", "MIT"]
        self.arguments += ["--out", str(folder / "converted")]

    def describe(self) -> None:
        self.description.write_text(json.dumps(self.facts), encoding="utf-8")


def test_a_converted_checkpoint_rates_as_it_did(tmp_path: Path, export: Path) -> None:
    import onnxruntime
    import torch

    from marquee_models.convert import main

    checkpoint = Checkpoint(tmp_path, export)
    main(checkpoint.arguments)
    folder = tmp_path / "converted"
    section = verify_artifact(folder)["rating_network"]
    vocabulary = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
    assert vocabulary["users"] == checkpoint.users
    assert [movie["id"] for movie in vocabulary["movies"]] == checkpoint.movies
    assert vocabulary["movies"][0]["title"] == f"Film {checkpoint.movies[0]}"
    movies = read_movies(export / "movies.csv")
    table = [movies[id] for id in checkpoint.movies]
    numeric = np.array([movie.numeric()[:3] for movie in table], dtype=np.float32)
    genres = np.array([[float(g in m.genres) for g in section["genres"]] for m in table])
    genres = genres.astype(np.float32)
    tower = onnxruntime.InferenceSession(str(folder / "movie_tower.onnx"))
    scorer = onnxruntime.InferenceSession(str(folder / "scorer.onnx"))
    rows = np.arange(1, len(table) + 1)
    inputs = {"movie_row": rows, "numeric": numeric, "genres": genres}
    (vectors,) = tower.run(None, inputs)
    scaled = (numeric - np.array(checkpoint.mean)) / np.array(checkpoint.scale)
    scaled = np.where(np.isnan(scaled), 0.0, scaled).astype(np.float32)
    for row in range(len(checkpoint.users)):
        (rating,) = scorer.run(None, {"user_row": np.array([row + 1]), "movie_vectors": vectors})
        with torch.no_grad():
            parts = (torch.full((len(table),), row), torch.arange(len(table)))
            features = (torch.from_numpy(scaled), torch.from_numpy(genres))
            expected = checkpoint.model(*parts, *features).numpy()
        np.testing.assert_allclose(rating, expected, rtol=0, atol=1e-5)


def test_an_unknown_person_is_the_mean_of_the_known_ones(tmp_path: Path, export: Path) -> None:
    from marquee_models.convert import converted, read_checkpoint, read_description, read_titles

    checkpoint = Checkpoint(tmp_path, export)
    description = read_description(checkpoint.description)
    weights = read_checkpoint(checkpoint.path, description)
    network = converted(weights, description, read_titles(export / "movies.csv"))
    mean = weights["user_embed.weight"].mean(axis=0)
    tables = [t for t in network.scorer.graph.initializer if list(t.dims) == [11, 32]]
    table = np.frombuffer(tables[0].raw_data, dtype=np.float32).reshape(11, 32)
    np.testing.assert_allclose(table[0], mean, atol=1e-7)
    np.testing.assert_array_equal(table[1:], weights["user_embed.weight"])


def test_checkpoints_that_do_not_fit_are_refused(tmp_path: Path, export: Path) -> None:
    import torch

    from marquee_models.convert import ConversionError, main

    checkpoint = Checkpoint(tmp_path, export)

    def refused(message: str, **changed: Any) -> None:
        whole = dict(checkpoint.facts)
        checkpoint.facts.update(changed)
        checkpoint.describe()
        with pytest.raises(ConversionError, match=message):
            main(checkpoint.arguments)
        checkpoint.facts = whole

    refused("has rows", users=checkpoint.users[:-1])
    refused("twice in movies", movies=[1] * N_MOVIES)
    refused("another layout", genres=["Drama"])
    refused("positive scales", scaler={"mean": [1, 2, 3], "scale": [1, 0, 1]})
    refused("exactly the keys", comment="a key that nobody reads")
    refused("1 movies have no title", movies=[*checkpoint.movies[:-1], 99_999])
    torch.save({"user_embed.weight": torch.zeros(10, 32)}, checkpoint.path)
    with pytest.raises(ConversionError, match="not a state dict"):
        main(checkpoint.arguments)


def test_titles_of_movielens_lose_their_year(tmp_path: Path) -> None:
    from marquee_models.convert import read_titles

    path = tmp_path / "movies.csv"
    path.write_text('movieId,title,genres\n1,"American President, The (1995)",Drama\n2,Free,\n')
    titles = read_titles(path)
    assert (titles[1].title, titles[1].year) == ("American President, The", 1995)
    assert (titles[2].title, titles[2].year) == ("Free", None)
