"""The default rating network in PyTorch: user and movie embeddings, side features, and the person's
live history. Needs torch; everything after training does not.

The rating of movie i by a person at a time is

    μ + b_i + b_u + c + q_i · p + Σ_k g_k a_k + mlp(…)

* b, q: bias and factors of the movie, from its embedding and its features (the tower);
* b_u, c: the person's bias, from the embedding, and from the history's deviations
  d_j = r_j − μ − b_j − b_u, shrunk: c = Σ d_j / (n + λ);
* p: factors of the person, from the embedding and from what was rated and how (SVD++ and
  asymmetric SVD, Koren 2008): p_u + Σ (y_j + (d_j − c) z_j) / √(n + 1);
* a_k: the person's deviations near by. A neighbourhood head is attention with learnt similarity,
  the item-based neighbourhood of Koren 2008 with age: w_j = exp(s_k(i, j)) / √(1 + age_j / τ_k),
  a_k = Σ w_j (d_j − c) / (Σ w_j + λ_k). A mood head has w_j = 1 / (1 + age_j / τ_k): how the
  person has rated lately, whatever it was;
* mlp: three layers on p, q ∘ p, the heads, c, the history's length and spread, and the movie's
  share of the first layer, which is part of the movie vector.

A person without a row or without a history is the same formula with less in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from marquee_models.history_graphs import MAX_SIMILARITY, SPREAD_PRIOR

# Seconds in which a rating's weight for the mood falls to a half: within a page of the site,
# minutes, a sitting, hours.
MOOD_SECONDS = (10.0, 60.0, 600.0, 7200.0)
# The same for the neighbourhood, to 0.7.
NEIGHBOUR_SECONDS = 3600.0


@dataclass(frozen=True)
class HistoryShape:
    """Rows include row 0, "unknown"."""

    n_user_rows: int
    n_movie_rows: int
    n_numeric: int
    n_genres: int
    n_overview: int = 0
    embedding: int = 32
    features: int = 32
    factors: int = 24
    neighbour_heads: int = 1
    key: int = 8
    hidden: tuple[int, int] = (48, 32)
    dropout: float = 0.2

    @property
    def n_heads(self) -> int:
        return self.neighbour_heads + len(MOOD_SECONDS)

    @property
    def parts(self) -> tuple[int, ...]:
        """Lengths of the parts of a movie vector: b, q, y, z, keys, share of the first layer."""
        return (1, *[self.factors] * 3, self.neighbour_heads * self.key, self.hidden[0])


@dataclass(frozen=True)
class History:
    """What B people rated before. `counts[b, t, j]` is 1 where rating j may be used for target t;
    `ages` are the seconds between the two, without sign."""

    vectors: Tensor  # [B, L, sum of parts]
    ratings: Tensor  # [B, L]
    ages: Tensor  # [B, T, L]
    counts: Tensor  # [B, T, L]


class HistoryNetwork(nn.Module):
    def __init__(self, shape: HistoryShape, mean_rating: float) -> None:
        super().__init__()
        self.shape = shape
        self.user_embed = nn.Embedding(shape.n_user_rows, shape.factors)
        self.user_bias = nn.Embedding(shape.n_user_rows, 1)
        self.item_embed = nn.Embedding(shape.n_movie_rows, shape.embedding)
        self.item_bias = nn.Embedding(shape.n_movie_rows, 1)
        nn.init.normal_(self.user_embed.weight, std=0.05)
        nn.init.normal_(self.item_embed.weight, std=0.1)
        nn.init.zeros_(self.user_bias.weight)
        nn.init.zeros_(self.item_bias.weight)
        n_features = shape.n_numeric + shape.n_genres + shape.n_overview
        self.features = nn.Linear(n_features, shape.features)
        self.from_embedding = nn.Linear(shape.embedding, sum(shape.parts), bias=False)
        self.from_features = nn.Linear(shape.features, sum(shape.parts))
        self.register_buffer("mean_rating", torch.tensor(mean_rating))
        self.register_buffer("n_neighbour_heads", torch.tensor(shape.neighbour_heads))
        self.register_buffer("neighbour_seconds", torch.tensor(NEIGHBOUR_SECONDS))
        self.register_buffer("mood_seconds", torch.tensor(MOOD_SECONDS))
        self.log_shrinkage = nn.Parameter(torch.full((shape.n_heads,), math.log(5.0)))
        self.log_bias_shrinkage = nn.Parameter(torch.tensor(math.log(5.0)))
        self.gain = nn.Parameter(torch.full((shape.n_heads,), 0.1))
        first, second = shape.hidden
        self.mlp_0 = nn.Linear(2 * shape.factors + shape.n_heads + 3, first)
        self.mlp_1 = nn.Linear(first, second)
        self.mlp_2 = nn.Linear(second, 1)
        nn.init.zeros_(self.mlp_2.weight)
        nn.init.zeros_(self.mlp_2.bias)
        self.dropout = nn.Dropout(shape.dropout)

    def own(self, rows: Tensor) -> Tensor:
        """What a movie's id says, beyond its features: its share of the movie vector."""
        share = self.from_embedding(self.item_embed(rows))
        return torch.cat([share[..., :1] + self.item_bias(rows), share[..., 1:]], dim=-1)

    def tower(self, rows: Tensor, features: Tensor) -> Tensor:
        """Movie vectors [..., sum of parts]; `features` are numbers, scaled and without gaps,
        genres and overview."""
        features = torch.relu(self.features(features))
        vector: Tensor = self.own(rows) + self.from_features(self.dropout(features))
        return vector

    def forward(self, users: Tensor, targets: Tensor, history: History) -> Tensor:
        """Ratings [B, T] of the movies with the vectors `targets` [B, T, …] by the users [B]."""
        bias, factors, _, _, keys, share = targets.split(self.shape.parts, dim=-1)
        history_bias, _, implicit, explicit, history_keys, _ = history.vectors.split(
            self.shape.parts, dim=-1
        )
        known_bias = self.user_bias(users)  # [B, 1]
        deviations = history.ratings - self.mean_rating - history_bias.squeeze(-1) - known_bias
        n = history.counts.sum(dim=-1)  # [B, T]
        sums = history.counts @ torch.cat(
            [
                implicit + explicit * deviations.unsqueeze(-1),
                explicit,
                torch.stack([deviations, deviations**2], dim=-1),
            ],
            dim=-1,
        )
        width = self.shape.factors
        rated, weight, total, squares = sums.split([width, width, 1, 1], dim=-1)
        live_bias = total / (n.unsqueeze(-1) + self.log_bias_shrinkage.exp())  # [B, T, 1]
        profile = (rated - live_bias * weight) * torch.rsqrt(n + 1.0).unsqueeze(-1)
        person = self.user_embed(users).unsqueeze(1) + profile
        spread = ((squares.squeeze(-1) + SPREAD_PRIOR) / (n + SPREAD_PRIOR)).sqrt()
        heads = self.attend(keys, history_keys, deviations, live_bias, history)
        agreement = factors * person
        summary = torch.stack([live_bias.squeeze(-1), torch.log1p(n), spread], dim=-1)
        inputs = torch.cat([person, agreement, heads, summary], dim=-1)
        hidden = self.dropout(torch.relu(self.mlp_0(inputs) + share))
        hidden = self.dropout(torch.relu(self.mlp_1(hidden)))
        linear = bias + known_bias.unsqueeze(1) + live_bias + self.mlp_2(hidden)
        rating: Tensor = self.mean_rating + linear.squeeze(-1) + agreement.sum(dim=-1)
        return rating + heads @ self.gain

    def attend(
        self,
        keys: Tensor,
        history_keys: Tensor,
        deviations: Tensor,
        live_bias: Tensor,
        history: History,
    ) -> Tensor:
        """The heads' answers [B, T, heads]."""
        n_heads, width = self.shape.neighbour_heads, self.shape.key
        left = keys.unflatten(-1, (n_heads, width)).transpose(1, 2)
        right = history_keys.unflatten(-1, (n_heads, width)).permute(0, 2, 3, 1)
        similarity = (left @ right) / math.sqrt(width)  # [B, neighbour heads, T, L]
        with torch.no_grad():
            counts, ages = history.counts.unsqueeze(1), history.ages.unsqueeze(1)
            kept = counts * torch.rsqrt(1.0 + ages / self.neighbour_seconds)
            mood = counts / (1.0 + ages / self.mood_seconds.view(-1, 1, 1))
        near = torch.exp(similarity.clamp(max=MAX_SIMILARITY)) * kept
        values = torch.stack([deviations, torch.ones_like(deviations)], dim=-1).unsqueeze(1)
        sums = torch.cat([near @ values, mood @ values], dim=1)  # [B, heads, T, 2]
        total, weight = sums.split(1, dim=-1)
        shrinkage = self.log_shrinkage.exp().view(-1, 1, 1)
        answers = (total - live_bias.unsqueeze(1) * weight) / (weight + shrinkage)
        return answers.squeeze(-1).transpose(1, 2)
