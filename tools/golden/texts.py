"""Text methods of the peers: `sentence_transformers.json` and `tfidf.json`."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from sklearn.metrics.pairwise import linear_kernel

MAX_TOKENS = 384
N_DOCUMENTS = 200
MAX_FEATURES = 5000
# A second, small vocabulary, so that the cut by frequency is tested too.
MIN_COUNT_OF_SMALL = 4
TOP = 20
NEIGHBOURS_OF = (0, 37, 84, 121, 166)

SENTENCES = (
    "",
    " ",
    "Western",
    "a heist that goes wrong",
    "films like Alien but funny",
    "A RETIRED THIEF AGREES TO ONE LAST ROBBERY.",
    "Two sisters run a failing hotel by the sea and rent a room to a man who never sleeps.",
    "An astronaut wakes up alone on a ship which has turned back without telling anyone.",
    "A village priest hides a deserter in the bell tower while the front comes closer every night.",
    "The accountant of a gangster finds that the books have been balanced by someone else.",
    "Amélie — «Le Fabuleux Destin» à Montmartre, naïve façade, crème brûlée",
    "七人の侍が村を守る。東京物語",
    "Война и мир: любовь, долг и зима",
    "قصة حب في القاهرة",
    "🎬🍿 zombies 🧟‍♀️ vs. 👽 aliens!!!",
    "tabs\tand\nnew lines\r\n  and   spaces\u00a0\u2003here",
    "control\x00 and \u200b zero-width \ufeff signs, \ufffd",
    "don't can't o'clock — “quotes” … 1984 $9.99 50% C++ user@example.org",
    "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen " * 3,
    "x" * 150,
    "A river town holds its breath while the ferry, the judge and the flood all come late. " * 60,
)
QUERIES = (
    "space rebels destroy a battle station",
    "detective hunts a serial killer",
    "romantic comedy about a wedding",
    "animated film for children with talking animals",
    "war drama about soldiers",
    "Comedy",
    "a heist, a thief and a bank!",
    "the and of to",
    "vampire",
    "PRISON escape; friendship",
)


def sentence_transformers(release: Path, overviews: Path, movielens: Path) -> dict[str, Any]:
    """Vectors of SENTENCES, and rankings of the documents of `tfidf.json` by brute-force cosine."""
    model = SentenceTransformer(str(release), device="cpu", local_files_only=True)
    model.max_seq_length = MAX_TOKENS
    vectors = model.encode(list(SENTENCES), normalize_embeddings=True, batch_size=8)
    texts = [document["text"] for document in read_documents(overviews, movielens)]
    documents = model.encode(texts, normalize_embeddings=True, batch_size=8)
    queries = model.encode(list(QUERIES), normalize_embeddings=True, batch_size=8)
    return {
        "source": "sentence-transformers, all-mpnet-base-v2, max_seq_length 384",
        "max_tokens": MAX_TOKENS,
        "texts": list(SENTENCES),
        "embeddings": [[float(f"{value:.8g}") for value in vector] for vector in vectors],
        "rankings": [
            {"text": text, "top": top(scores)}
            for text, scores in zip(QUERIES, queries @ documents.T)
        ],
    }


def tfidf(overviews: Path, movielens: Path) -> dict[str, Any]:
    documents = read_documents(overviews, movielens)
    texts = [document["text"] for document in documents]
    stop_words = sorted(ENGLISH_STOP_WORDS)
    return {
        "source": "scikit-learn TfidfVectorizer(stop_words=…, max_features=…) and the dot product",
        "stop_words": stop_words,
        "documents": documents,
        "cases": [
            tfidf_case(texts, stop_words, MAX_FEATURES),
            tfidf_case(texts, stop_words, size_without_ties(texts, stop_words)),
        ],
    }


def tfidf_case(texts: list[str], stop_words: list[str], max_features: int) -> dict[str, Any]:
    vectorizer = TfidfVectorizer(stop_words=stop_words, max_features=max_features)
    matrix = vectorizer.fit_transform(texts)
    queries = linear_kernel(vectorizer.transform(QUERIES), matrix)
    among = linear_kernel(matrix[list(NEIGHBOURS_OF)], matrix)
    return {
        "max_features": max_features,
        "vocabulary_size": len(vectorizer.vocabulary_),
        "queries": [{"text": text, "top": top(scores)} for text, scores in zip(QUERIES, queries)],
        "neighbours": [
            {"document": place, "top": top(scores, without=place)}
            for place, scores in zip(NEIGHBOURS_OF, among)
        ],
    }


def top(scores: Any, without: int | None = None) -> list[list[float]]:
    """Best first, ties by document, zeros left out."""
    rounded = [(float(f"{score:.8g}"), place) for place, score in enumerate(scores)]
    kept = [(-score, place) for score, place in rounded if score > 0 and place != without]
    return [[place, -score] for score, place in sorted(kept)[:TOP]]


def size_without_ties(texts: list[str], stop_words: list[str]) -> int:
    """How many terms occur often enough: a cut there does not have to choose between equals."""
    vectorizer = TfidfVectorizer(stop_words=stop_words, use_idf=False, norm=None)
    counts = np.asarray(vectorizer.fit_transform(texts).sum(axis=0))[0]
    return int((counts >= MIN_COUNT_OF_SMALL).sum())


def read_documents(overviews: Path, movielens: Path) -> list[dict[str, Any]]:
    with overviews.open(newline="", encoding="utf-8") as stream:
        texts = {(row["title"], row["year"]): row["overview"] for row in csv.DictReader(stream)}
    lines = (movielens / "ml-100k.item").read_text(encoding="utf-8").splitlines()[1:]
    movies = sorted((line.split("\t") for line in lines), key=lambda movie: int(movie[0]))
    documents = [
        {"movie_id": int(number), "text": f"{' '.join(genres.split())} {texts[title, year]}"}
        for number, title, year, genres in movies
        if (title, year) in texts
    ]
    return documents[:N_DOCUMENTS]
