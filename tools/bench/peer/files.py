"""What the peer loads at its start, by name; written by prepare.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PeerFiles:
    folder: Path

    @property
    def movies(self) -> Path:
        """movies.csv of `marquee export`: the daemon's own catalogue."""
        return self.folder / "movies.csv"

    @property
    def checkpoint(self) -> Path:
        """State dict of the original network."""
        return self.folder / "network.pt"

    @property
    def description(self) -> Path:
        """What a state dict does not say, as `tools/train convert-checkpoint` takes it; movies and
        users begin with embedding row 1."""
        return self.folder / "network.json"

    @property
    def similarities(self) -> Path:
        """Movie × movie, in the order of `movies` in the description."""
        return self.folder / "similarities.npy"

    @property
    def overview_vectors(self) -> Path:
        """One row per line of movies.csv."""
        return self.folder / "overview_vectors.npy"

    @property
    def stamp(self) -> Path:
        """There when all of the above is."""
        return self.folder / ".complete"
