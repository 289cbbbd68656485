"""Trains the default rating network (history_network.py).

Several members are trained one after the other, each with a seed of its own and with another slice
of the ratings held out: a member stops when its slice is predicted no better, and the members'
average, which is what is exported, has learnt from all ratings. Ids are replaced by "unknown" at
random while training, each side by itself, so that row 0 learns what a new user or movie looks
like; half of the movies that are hidden so are seen as before their first rating, without the votes
and the popularity that come from ratings. The loss is the squared error, whose minimum is the
expected rating, plus an L2 penalty on the embeddings of the ratings at hand.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from marquee_models.catalogue import NUMERIC, UNKNOWN_ROW, Catalogue
from marquee_models.examples import Batch, Windows, batches, blocks_of, cut_batch
from marquee_models.history_network import History, HistoryNetwork, HistoryShape
from marquee_models.interactions import Interactions
from marquee_models.scaling import Scaling

# Votes and popularity span orders of magnitude.
LOGARITHMIC = (False, True, True, False)
# Epochs without a better one after which a member stops.
PATIENCE = 3


@dataclass(frozen=True)
class HistorySettings:
    seed: int = 42
    # Networks that are averaged.
    members: int = 3
    epochs: int = 9
    learning_rate: float = 0.004
    # Times the learning rate: a person is in one batch an epoch only, a movie in many.
    user_rate_factor: float = 5.0
    # Most cells (rating to predict × known rating) of a batch.
    max_cells: int = 100_000
    # The share of the ratings that a member does not learn from.
    held_out: float = 0.1
    # The share of the people and of the movies that a batch does not get to know.
    unknown_user_share: float = 0.1
    unknown_movie_share: float = 0.1
    # Of these movies, the share that nobody has rated yet.
    unrated_share: float = 0.5
    # The share of ratings predicted from earlier ones only, and of histories with gaps.
    earlier_share: float = 0.5
    thinned_share: float = 0.2
    # Weight of an embedding's squared length in the loss of each of its ratings.
    embedding_penalty: float = 0.08
    weight_decay: float = 1e-5
    # Per step, of the running average of the weights, which is what is kept.
    average_decay: float = 0.99
    # Ratings of a history, the newest, that the network is given.
    max_history: int = 512


@dataclass(frozen=True)
class Member:
    weights: dict[str, npt.NDArray[Any]]
    train_losses: list[float]
    held_out_losses: list[float]
    metrics: dict[str, float]


@dataclass(frozen=True)
class Setting:
    """The data and features that all members share."""

    interactions: Interactions
    catalogue: Catalogue
    scaling: Scaling
    windows: Windows
    scale: tuple[float, float]
    mean_rating: float
    # Rows whose vote average and count are those of these very ratings.
    votes_are_ratings: npt.NDArray[np.bool_]
    device: torch.device


@dataclass(frozen=True)
class View:
    """What a judge lets the network see."""

    earlier_only: bool = False
    user: bool = True
    movie: bool = True
    votes: bool = True
    history: bool = True


VIEWS = {
    "": View(),
    "_earlier_history": View(earlier_only=True),
    "_no_history": View(history=False),
    "_unknown_user": View(user=False),
    "_unknown_movie": View(movie=False),
    "_unrated_movie": View(movie=False, votes=False),
    "_stranger": View(user=False, history=False),
}


def prepare(
    interactions: Interactions, catalogue: Catalogue, settings: HistorySettings, device: str
) -> Setting:
    counts, sums = figures(interactions, catalogue)
    with np.errstate(invalid="ignore", divide="ignore"):
        averages = sums / counts * 10.0 / interactions.scale()[1]
        difference = np.abs(catalogue.numeric[:, 0] - averages)
    return Setting(
        interactions,
        catalogue,
        Scaling.fit(catalogue.numeric[1:], LOGARITHMIC),
        Windows.cut(interactions, settings.max_history),
        interactions.scale(),
        float(sums.sum() / counts.sum()),
        (catalogue.numeric[:, 1] == counts) & (difference < 1e-3),
        torch.device(device),
    )


def figures(
    interactions: Interactions, catalogue: Catalogue
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Number and sum of the ratings of each row."""
    n_rows = len(catalogue.numeric)
    counts, sums = np.zeros(n_rows), np.zeros(n_rows)
    for block in blocks_of(len(interactions)):
        rows = catalogue.movie_rows(interactions.movie_ids[block])
        counts += np.bincount(rows, minlength=n_rows)
        sums += np.bincount(rows, weights=interactions.values[block], minlength=n_rows)
    return counts, sums


def train_members(setting: Setting, settings: HistorySettings) -> list[Member]:
    random = np.random.default_rng(settings.seed)
    n_slices = max(round(1.0 / settings.held_out), settings.members)
    slices = random.integers(0, n_slices, size=len(setting.interactions), dtype=np.uint8)
    return [
        train_member(setting, settings, slices == number, number)
        for number in range(settings.members)
    ]


def train_member(
    setting: Setting, settings: HistorySettings, held_out: npt.NDArray[np.bool_], number: int
) -> Member:
    torch.manual_seed(settings.seed + number)
    random = np.random.default_rng([settings.seed, number])
    shape = HistoryShape(
        n_user_rows=len(setting.catalogue.users) + 1,
        n_movie_rows=len(setting.catalogue.movies) + 1,
        n_numeric=len(NUMERIC),
        n_genres=len(setting.catalogue.genres),
        n_overview=setting.catalogue.overviews.shape[1],
    )
    model = HistoryNetwork(shape, setting.mean_rating).to(setting.device)
    trainer = Trainer(setting, settings, held_out, model)
    train_losses: list[float] = []
    held_out_losses: list[float] = []
    best, best_epoch = copy.deepcopy(model), 0
    for epoch in range(settings.epochs):
        title = f"member {number + 1} of {settings.members}, epoch {epoch + 1}"
        train_losses.append(trainer.run_epoch(epoch / settings.epochs, random, title))
        errors = [
            trainer.judge(trainer.average, VIEWS[name])[0] for name in ("", "_earlier_history")
        ]
        held_out_losses.append(sum(error**2 for error in errors) / len(errors))
        if held_out_losses[-1] == min(held_out_losses):
            best, best_epoch = copy.deepcopy(trainer.average), epoch
        elif epoch - best_epoch >= PATIENCE:
            break
    weights = {name: value.cpu().numpy() for name, value in best.state_dict().items()}
    metrics = {"best_epoch": best_epoch + 1.0}
    for name, view in VIEWS.items():
        metrics[f"rmse{name}"], metrics[f"mae{name}"] = trainer.judge(best, view)
    trainer.forget_untrained(weights)
    return Member(weights, train_losses, held_out_losses, metrics)


class Trainer:
    """One member's model, its running average, and its share of the ratings."""

    def __init__(
        self,
        setting: Setting,
        settings: HistorySettings,
        held_out: npt.NDArray[np.bool_],
        model: HistoryNetwork,
    ) -> None:
        self.setting, self.settings, self.held_out, self.model = setting, settings, held_out, model
        self.average = copy.deepcopy(model)
        people = [model.user_embed.weight, model.user_bias.weight]
        movies = [model.item_embed.weight, model.item_bias.weight]
        tables = {id(table) for table in [*people, *movies]}
        rest = [part for part in model.parameters() if id(part) not in tables]
        groups = [
            {"params": people, "factor": settings.user_rate_factor},
            {"params": movies, "factor": 1.0},
            {"params": rest, "factor": 1.0, "weight_decay": settings.weight_decay},
        ]
        self.optimizer = torch.optim.Adam(groups, lr=settings.learning_rate)
        numeric = setting.scaling.apply(setting.catalogue.numeric)
        self.numeric = self.float_tensor(numeric)
        catalogue = setting.catalogue
        # What does not change when a rating is left out.
        texts = np.concatenate([catalogue.genre_flags, catalogue.overviews], axis=1)
        self.texts = self.float_tensor(texts)
        self.judged = windows_with(setting.windows, held_out)

    def float_tensor(self, values: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self.setting.device)

    def run_epoch(self, progress: float, random: np.random.Generator, title: str) -> float:
        """The mean squared error over the epoch, as seen while training. `progress` is the share of
        the training that is done: the learning rate falls as half a cosine."""
        self.model.train()
        rate = self.settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress))
        for part in self.optimizer.param_groups:
            part["lr"] = rate * part["factor"]
        total, n_seen = 0.0, 0
        groups = batches(self.setting.windows, self.settings.max_cells, random)
        for group in tqdm(groups, desc=title, unit="batch", leave=False, disable=None):
            batch = cut_batch(
                self.setting.interactions, self.setting.windows, group, self.held_out, judge=False
            )
            n = int(batch.targets.present.sum())
            if n == 0:
                continue
            error = self.step(batch)
            total += error * n
            n_seen += n
        return total / max(n_seen, 1)

    def step(self, batch: Batch) -> float:
        hidden = self.settings.unknown_movie_share
        users = hide(self.tensor(batch.users), self.settings.unknown_user_share)
        rows = self.rows(batch.targets.movie_ids)
        known_rows = hide(rows, hidden)
        drawn = torch.rand(rows.shape, device=rows.device)
        unrated = (known_rows == UNKNOWN_ROW) & (drawn < self.settings.unrated_share)
        movies = (known_rows, unrated)
        predicted = self.predict(self.model, batch, users, movies, self.visible(batch))
        present = self.tensor(batch.targets.present)
        error = ((predicted - self.tensor(batch.targets.values)) ** 2)[present].mean()
        penalty = self.penalty(users, known_rows, present)
        loss = error + self.settings.embedding_penalty * penalty
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.model.parameters()):
                kept.lerp_(new, 1.0 - self.settings.average_decay)
        return float(error.item())

    def penalty(self, users: Tensor, rows: Tensor, present: Tensor) -> Tensor:
        """Mean squared length of what each rating's ids contribute."""
        model = self.model
        movies = squares(model.own(rows))
        people = squares(model.user_embed(users)) + squares(model.user_bias(users))
        return (movies + people.unsqueeze(1))[present].mean()

    def visible(self, batch: Batch) -> Tensor:
        """[B, T, L]: what a training example sees of its history."""
        others, ages = self.tensor(batch.others()), self.tensor(batch.ages())
        n_people, n_targets, n_known = others.shape
        device = self.setting.device
        earlier = torch.rand(n_people, n_targets, 1, device=device) < self.settings.earlier_share
        thinned = torch.rand(n_people, 1, 1, device=device) < self.settings.thinned_share
        share = torch.where(thinned, torch.rand(n_people, 1, 1, device=device) ** 2, 1.0)
        kept = torch.rand(n_people, 1, n_known, device=device) < share
        return others & kept & (~earlier | (ages > 0))

    def predict(
        self,
        model: HistoryNetwork,
        batch: Batch,
        users: Tensor,
        movies: tuple[Tensor, Tensor],
        visible: Tensor,
    ) -> Tensor:
        """`movies` are the rows of the embeddings of the movies to rate, and which of these nobody
        has rated; their features are their own."""
        rows, unrated = movies
        features = self.rows(batch.targets.movie_ids)
        numeric = self.without(batch, features, unrated)
        history_rows = self.rows(batch.history.movie_ids)
        history = History(
            vectors=model.tower(history_rows, self.features(history_rows)),
            ratings=self.tensor(batch.history.values),
            ages=self.tensor(batch.ages()).abs().float(),
            counts=visible.float(),
        )
        targets = model.tower(rows, torch.cat([numeric, self.texts[features]], dim=-1))
        predicted: Tensor = model(users, targets, history)
        return predicted

    def features(self, rows: Tensor) -> Tensor:
        return torch.cat([self.numeric[rows], self.texts[rows]], dim=-1)

    def without(self, batch: Batch, rows: Tensor, unrated: Tensor) -> Tensor:
        """Scaled numeric features, as they were without the rating to predict: the average of a
        movie with few votes would give it away. Of the unrated, as before the first rating."""
        setting = self.setting
        raw = setting.catalogue.numeric[rows.cpu().numpy()].astype(np.float64)
        own = setting.votes_are_ratings[rows.cpu().numpy()]
        count = np.maximum(raw[..., 1] - 1.0, 0.0)
        given = batch.targets.values * 10.0 / setting.scale[1]
        with np.errstate(invalid="ignore", divide="ignore"):
            average = np.where(count > 0, (raw[..., 0] * raw[..., 1] - given) / count, np.nan)
        raw[..., 0] = np.where(own, average, raw[..., 0])
        raw[..., 1] = np.where(own, count, raw[..., 1])
        raw[own & unrated.cpu().numpy(), :3] = (np.nan, 0.0, 0.0)
        return self.float_tensor(setting.scaling.apply(raw))

    def judge(self, model: HistoryNetwork, view: View) -> tuple[float, float]:
        """RMSE and MAE on what is held out, kept within the scale, as it is shown."""
        model.eval()
        squared, absolute, n = 0.0, 0.0, 0
        with torch.no_grad():
            for group in batches(self.judged, self.settings.max_cells):
                batch = cut_batch(
                    self.setting.interactions, self.judged, group, self.held_out, judge=True
                )
                users, rows = self.tensor(batch.users), self.rows(batch.targets.movie_ids)
                visible = self.tensor(batch.others())
                if view.earlier_only:
                    visible = visible & (self.tensor(batch.ages()) > 0)
                predicted = self.predict(
                    model,
                    batch,
                    users if view.user else torch.full_like(users, UNKNOWN_ROW),
                    (
                        rows if view.movie else torch.full_like(rows, UNKNOWN_ROW),
                        torch.full_like(rows, not view.votes, dtype=torch.bool),
                    ),
                    visible & view.history,
                )
                kept = predicted.clamp(*self.setting.scale).double().cpu().numpy()
                error = (kept - batch.targets.values)[batch.targets.present]
                squared += float((error**2).sum())
                absolute += float(np.abs(error).sum())
                n += len(error)
        return math.sqrt(squared / max(n, 1)), absolute / max(n, 1)

    def rows(self, movie_ids: npt.NDArray[np.int64]) -> Tensor:
        return self.tensor(self.setting.catalogue.movie_rows(movie_ids))

    def tensor(self, values: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.setting.device)

    def forget_untrained(self, weights: dict[str, npt.NDArray[Any]]) -> None:
        """A row without a rating to learn from has the values it started with: row 0 knows
        more."""
        interactions = self.setting.interactions
        users = np.zeros(len(self.setting.catalogue.users) + 1, dtype=bool)
        movies = np.zeros(len(self.setting.catalogue.movies) + 1, dtype=bool)
        n = np.diff(interactions.offsets)
        rows_of_ratings = np.repeat(np.arange(1, len(n) + 1, dtype=np.int32), n)
        for block in blocks_of(len(interactions)):
            kept = ~self.held_out[block]
            users[rows_of_ratings[block][kept]] = True
            movies[self.setting.catalogue.movie_rows(interactions.movie_ids[block][kept])] = True
        for name, trained in (("user", users), ("item", movies)):
            for table in (f"{name}_embed.weight", f"{name}_bias.weight"):
                weights[table] = np.where(trained[:, None], weights[table], weights[table][:1])


def windows_with(windows: Windows, chosen: npt.NDArray[np.bool_]) -> Windows:
    """The windows that have a chosen rating."""
    ranges = zip(windows.starts.tolist(), windows.stops.tolist())
    has = np.array([bool(chosen[start:stop].any()) for start, stop in ranges])
    return Windows(windows.users[has], windows.starts[has], windows.stops[has])


def hide(rows: Tensor, share: float) -> Tensor:
    drawn = torch.rand(rows.shape, device=rows.device)
    return torch.where(drawn < share, torch.full_like(rows, UNKNOWN_ROW), rows)


def squares(value: Tensor) -> Tensor:
    return (value**2).sum(dim=-1)
