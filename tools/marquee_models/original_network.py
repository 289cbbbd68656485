"""The original rating network in PyTorch. Needs torch; everything after training does not.

User and movie embeddings, a layer on the scaled numbers, a layer on the genres, and a three-layer
perceptron on all four. Names of the submodules are those of the exported weights
(original_graphs.py) and of the checkpoints that `tools/train convert` takes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class OriginalShape:
    """Rows include row 0, "unknown"."""

    n_user_rows: int
    n_movie_rows: int
    n_genres: int
    n_numeric: int = 3
    embedding: int = 32
    hidden: tuple[int, int] = (128, 64)
    dropout: float = 0.3


class OriginalNetwork(nn.Module):
    def __init__(self, shape: OriginalShape) -> None:
        super().__init__()
        width, (first, second) = shape.embedding, shape.hidden
        self.user_embed = nn.Embedding(shape.n_user_rows, width)
        self.item_embed = nn.Embedding(shape.n_movie_rows, width)
        self.extra_features = nn.Sequential(*block(shape.n_numeric, width, shape.dropout))
        self.genre_features = nn.Sequential(*block(shape.n_genres, width, shape.dropout))
        self.mlp = nn.Sequential(
            *block(4 * width, first, shape.dropout),
            *block(first, second, shape.dropout),
            nn.Linear(second, 1),
        )

    def forward(self, users: Tensor, movies: Tensor, numeric: Tensor, genres: Tensor) -> Tensor:
        """`numeric` is scaled already and has no gaps. One rating per row."""
        parts = [
            self.user_embed(users),
            self.item_embed(movies),
            self.extra_features(numeric),
            self.genre_features(genres),
        ]
        rating: Tensor = self.mlp(torch.cat(parts, dim=1)).squeeze(1)
        return rating


def block(n_in: int, n_out: int, dropout: float) -> list[nn.Module]:
    return [nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.ReLU(), nn.Dropout(dropout)]
