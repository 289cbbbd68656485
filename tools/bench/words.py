"""Titles and overviews of made-up movies: a small grammar over themes, and names of made-up people
and places, drawn with the frequencies that words of a language have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GENRES = (
    "Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War",
    "Western",
)  # fmt: skip

SYLLABLES = (
    "al", "an", "bar", "bel", "cor", "da", "del", "dor", "el", "en", "fa", "gar", "hal", "is",
    "ka", "kir", "la", "len", "lor", "ma", "mir", "na", "nor", "o", "par", "ra", "ren", "sa",
    "ser", "ta", "tor", "va", "ver", "win",
)  # fmt: skip

N_NAMES = 4_000
N_RARE_WORDS = 20_000


@dataclass(frozen=True)
class Theme:
    """Words of one kind of film."""

    heroes: tuple[str, ...]
    things: tuple[str, ...]
    deeds: tuple[str, ...]
    adjectives: tuple[str, ...]
    scenes: tuple[str, ...]


THEMES = (
    Theme(
        ("astronaut", "android", "engineer", "pilot", "colonist", "scientist"),
        ("planet", "station", "signal", "machine", "orbit", "star", "galaxy", "reactor"),
        ("repairs", "discovers", "escapes from", "lands on", "decodes", "abandons"),
        ("silent", "distant", "frozen", "last", "artificial", "dark"),
        ("aboard a drifting ship", "on a dying colony", "beyond the edge of known space"),
    ),
    Theme(
        ("detective", "inspector", "reporter", "lawyer", "witness", "prisoner"),
        ("murder", "alibi", "secret", "letter", "trial", "confession", "fortune", "case"),
        ("investigates", "hides", "reveals", "doubts", "follows", "buries"),
        ("cold", "guilty", "perfect", "broken", "hidden", "crooked"),
        ("in a rainy harbour town", "behind the walls of an old estate", "during a long trial"),
    ),
    Theme(
        ("bride", "baker", "teacher", "neighbour", "florist", "musician"),
        ("wedding", "summer", "kiss", "promise", "café", "garden", "holiday", "heart"),
        ("falls for", "forgets", "plans", "leaves", "waits for", "dreams of"),
        ("sweet", "impossible", "second", "lucky", "golden", "little"),
        ("in a village by the sea", "over one crowded weekend", "across two families"),
    ),
    Theme(
        ("soldier", "nurse", "general", "deserter", "spy", "farmer"),
        ("war", "bridge", "regiment", "border", "river", "flag", "winter", "victory"),
        ("defends", "crosses", "betrays", "survives", "remembers", "mourns"),
        ("fallen", "brave", "forgotten", "bitter", "long", "red"),
        ("behind enemy lines", "in the final days of the siege", "on the retreat from the east"),
    ),
    Theme(
        ("knight", "witch", "dragon", "prince", "thief", "sorcerer"),
        ("kingdom", "sword", "curse", "crown", "forest", "spell", "tower", "throne"),
        ("steals", "guards", "breaks", "inherits", "awakens", "seeks"),
        ("ancient", "enchanted", "cursed", "young", "silver", "lost"),
        ("in a realm without a king", "under a mountain of glass", "before the longest night"),
    ),
    Theme(
        ("sheriff", "outlaw", "rancher", "widow", "gambler", "scout"),
        ("gold", "town", "train", "ranch", "gun", "desert", "trail", "saloon"),
        ("robs", "rides to", "protects", "chases", "hunts", "burns"),
        ("lonesome", "wild", "dusty", "fast", "wanted", "quiet"),
        ("on the edge of the territory", "with the railway coming closer", "in a town without law"),
    ),
    Theme(
        ("student", "ghost", "doctor", "caretaker", "family", "priest"),
        ("house", "cellar", "doll", "ritual", "asylum", "mirror", "shadow", "scream"),
        ("enters", "unleashes", "haunts", "fears", "invites", "cannot leave"),
        ("bloody", "haunted", "evil", "empty", "sleepless", "pale"),
        ("in a house that should be empty", "after a night nobody speaks of", "deep in the woods"),
    ),
    Theme(
        ("boxer", "coach", "dancer", "racer", "champion", "rookie"),
        ("season", "ring", "team", "race", "stage", "title", "crowd", "record"),
        ("trains for", "loses", "wins", "risks", "returns to", "saves"),
        ("final", "young", "proud", "unlikely", "famous", "fearless"),
        ("against a team nobody has beaten", "in a city that gave up on them", "one last time"),
    ),
)


class Language:
    """Draws words; the same ones for the same state of `random`."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._names = [self._made_up().capitalize() for _ in range(N_NAMES)]
        self._rare = [self._made_up() + "s" for _ in range(N_RARE_WORDS)]

    def genres(self, genres: tuple[str, ...], group: int) -> list[str]:
        """One that the group has, and up to two more."""
        own = genres[group % len(genres)]
        more = [genres[self._below(len(genres))] for _ in range(self._below(3))]
        return list(dict.fromkeys([own, *more]))

    def title(self, theme: Theme) -> str:
        adjective = self._of(theme.adjectives).capitalize()
        thing, hero = self._of(theme.things).capitalize(), self._of(theme.heroes).capitalize()
        name, other = self._name(), self._name()
        forms = (
            f"{name}",
            f"The {adjective} {thing}",
            f"{name} {other}",
            f"The {hero} of {name}",
            f"{thing} in {name}",
            f"{adjective} {hero}s",
            f"The {thing} of {name} {other}",
            f"{name}: The {adjective} {thing}",
            f"A {hero}'s {thing}",
            f"{name} and the {adjective} {thing}",
            f"{other}'s {adjective} {thing}",
            f"{name} {self._below(4) + 2}",
        )
        return forms[self._below(len(forms))]

    def overview(self, theme: Theme) -> str:
        sentences = [self._sentence(theme) for _ in range(2 + self._below(4))]
        return " ".join(sentences)

    def _sentence(self, theme: Theme) -> str:
        hero, deed = self._of(theme.heroes), self._of(theme.deeds)
        adjective, thing = self._of(theme.adjectives), self._of(theme.things)
        name, scene = self._name(), self._of(theme.scenes)
        rare = self._rare[self._zipf(len(self._rare))]
        forms = (
            f"{name}, a {adjective} {hero}, {deed} the {thing} {scene}.",
            f"When the {hero} {deed} a {adjective} {thing}, {name} has to choose between {rare} "
            "and the truth.",
            f"{scene.capitalize()}, {name} {deed} {rare} and the {thing} of {self._name()}.",
            f"Nobody believes the {hero} who {deed} the {thing}, until {name} finds {rare}.",
        )
        return forms[self._below(len(forms))]

    def _made_up(self) -> str:
        return "".join(self._of(SYLLABLES) for _ in range(2 + self._below(3)))

    def _name(self) -> str:
        return self._names[self._zipf(len(self._names))]

    def _zipf(self, n: int) -> int:
        """A place below n, the first ones far more often."""
        return int(n ** self._random.random()) - 1

    def _of(self, words: tuple[str, ...]) -> str:
        return words[self._below(len(words))]

    def _below(self, n: int) -> int:
        return int(self._random.random() * n)
