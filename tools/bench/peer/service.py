"""The peer service: everything is in memory, each request runs on a thread of FastAPI's pool.

python -m bench.peer.service --files DIR --model-dir DIR --port N
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import uvicorn
from fastapi import FastAPI, HTTPException
from sentence_transformers import SentenceTransformer

from bench.peer.files import PeerFiles
from bench.peer.texts import embedded_texts
from marquee_models.original_network import OriginalNetwork, OriginalShape

Record = dict[str, Any]
NUMERIC = ("vote_average", "vote_count", "popularity")
SHOWN = ("movie_id", "title", "year", "genres", "vote_average", "vote_count", "popularity")
# Of a movie without any text: the daemon does not find it by meaning either.
NOWHERE = -np.inf


class Peer:
    def __init__(self, files: PeerFiles, model_dir: Path) -> None:
        self._movies = read_movies(files.movies)
        self._lower_titles = self._movies["title"].str.lower()
        self._load_network(files)
        ids = self._described["movies"]
        self._similarities = pd.DataFrame(np.load(files.similarities), index=ids, columns=ids)
        self._vectors = np.load(files.overview_vectors)
        self._has_text = np.array([text != "" for text in embedded_texts(files.movies)])
        self._encoder = SentenceTransformer(str(model_dir), device="cpu")

    def _load_network(self, files: PeerFiles) -> None:
        self._described = json.loads(files.description.read_text(encoding="utf-8"))
        state = torch.load(files.checkpoint, map_location="cpu", weights_only=True)
        self._user_rows = {id: row for row, id in enumerate(self._described["users"], start=1)}
        genres = self._described["genres"]
        self._network = OriginalNetwork(
            OriginalShape(
                len(self._user_rows) + 1, len(state["item_embed.weight"]), n_genres=len(genres)
            )
        )
        self._network.load_state_dict(state)
        self._network.eval()
        self._rated = self._movies.loc[self._described["movies"]]
        scaler = self._described["scaler"]
        scaled = (self._rated[list(NUMERIC)].to_numpy() - scaler["mean"]) / scaler["scale"]
        flags = [[float(name in found) for name in genres] for found in self._rated["genres"]]
        self._numeric = torch.tensor(np.nan_to_num(scaled), dtype=torch.float32)
        self._genre_flags = torch.tensor(flags, dtype=torch.float32)
        self._movie_rows = torch.arange(1, len(self._rated) + 1)

    def recommend(self, user_id: int, top_k: int) -> list[Record] | None:
        """Every movie is scored anew; None: the network does not know the user."""
        row = self._user_rows.get(user_id)
        if row is None:
            return None
        users = torch.full_like(self._movie_rows, row)
        with torch.no_grad():
            predicted = self._network(users, self._movie_rows, self._numeric, self._genre_flags)
        found = self._rated.assign(predicted_rating=predicted.numpy())
        found = found.sort_values("predicted_rating", ascending=False).head(top_k)
        return records(found, (*SHOWN, "predicted_rating"))

    def answer(self, text: str, top_k: int) -> list[Record]:
        named = self._movies[self._lower_titles == text.strip().lower()]
        if len(named) > 0:
            return self.similar(named.iloc[0]["movie_id"], top_k)
        return self.search(text, top_k)

    def similar(self, movie_id: int, top_k: int) -> list[Record]:
        if movie_id not in self._similarities.columns:
            return []
        likeness = self._similarities[movie_id].drop(movie_id).dropna()
        best = likeness.sort_values(ascending=False).head(top_k).rename("similarity")
        found = best.to_frame().join(self._movies)
        return records(found, (*SHOWN, "similarity", "poster_path"))

    def search(self, text: str, top_k: int) -> list[Record]:
        query = self._encoder.encode(text, normalize_embeddings=True, show_progress_bar=False)
        likeness = np.where(self._has_text, self._vectors @ query, NOWHERE)
        best = np.argsort(-likeness)[:top_k]
        found = self._movies.iloc[best].assign(similarity=likeness[best])
        return records(found, (*SHOWN, "similarity", "poster_path", "overview"))


def read_movies(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path).rename(columns={"movieId": "movie_id"})
    genres = table["genres"].fillna("")
    table["genres"] = [names.split("|") if names else [] for names in genres]
    table["poster_path"] = None
    return table.set_index("movie_id", drop=False).rename_axis(index=None)


def records(found: pd.DataFrame, columns: tuple[str, ...]) -> list[Record]:
    """What is missing is null: JSON has no NaN."""
    chosen = found[list(columns)].astype(object)
    shown: list[Record] = chosen.where(chosen.notna(), None).to_dict(orient="records")
    return shown


def build_app(peer: Peer) -> FastAPI:
    app = FastAPI()

    def user_recommend(user_id: int, top_k: int = 10) -> Record:
        found = peer.recommend(user_id, top_k)
        if found is None:
            raise HTTPException(status_code=404, detail="User not found")
        return {"user_id": user_id, "recommendations": found}

    def title_or_prompt(input_text: str, top_k: int = 10) -> list[Record]:
        return peer.answer(input_text, top_k)

    app.get("/user_recommend/{user_id}")(user_recommend)
    app.get("/title-or-prompt")(title_or_prompt)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("--model-dir", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    app = build_app(Peer(PeerFiles(options.files), options.model_dir))
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=options.port,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()
