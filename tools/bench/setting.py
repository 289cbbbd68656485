"""Sets up both services on the same data and the same weights, in a folder that later runs use
again."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.peer.files import PeerFiles
from bench.processes import Program, Running, running
from bench.tables import PEER
from commands.models import default_encoder, place_artifact
from fetch.places import CHECKOUT, ENCODERS, TOOLS, Cache, child_environment
from fetch.report import SetupError, say

# What decides what is imported and what the peer loads: where it changes, all is made again.
SOURCES = (
    "data/overviews.csv",
    "src/import/*.rs",
    "src/recommend/semantic.rs",
    "tools/bench/peer/prepare.py",
    "tools/bench/peer/texts.py",
    "tools/marquee_models/original_network.py",
    "tools/marquee_models/train_original.py",
)
# What decides what the ranking model learns.
RANKING_SOURCES = (
    "src/recommend/ranking/*.rs",
    "src/recommend/signals/*.rs",
    "tools/marquee_models/train_ranking.py",
    "tools/marquee_models/ranking_*.py",
    "tools/marquee_models/trees.py",
)
NETWORK = "original-network"
RANKING = "ranking-model"
READY_POLL_S = 5.0


@dataclass(frozen=True)
class Setting:
    """`root` keeps what is set up for one data set."""

    cache: Cache
    marquee: Path
    data_set: Path
    root: Path

    @property
    def export(self) -> Path:
        return self.root / "export"

    @property
    def peer(self) -> PeerFiles:
        return PeerFiles(self.root / "peer")

    @property
    def network(self) -> Path:
        return self.root / NETWORK

    @property
    def ranking(self) -> Path:
        return self.root / f"{RANKING}-{digest_of(RANKING_SOURCES)}"

    def data_dir(self, encoder: str) -> Path:
        return self.root / f"daemon-{encoder}"

    @property
    def environment(self) -> dict[str, str]:
        """As tools/run starts the daemon."""
        return child_environment(self.cache)


def setting_for(cache: Cache, marquee: Path, data_set: Path) -> Setting:
    if not data_set.is_dir():
        raise SetupError(f"{data_set} is not a folder")
    files = (path for path in sorted(data_set.rglob("*")) if path.is_file())
    facts = [f"{path.name} {path.stat().st_size}\n" for path in files]
    root = cache.root / "bench" / f"{data_set.name}-{digest_of(SOURCES, facts)}"
    return Setting(cache, marquee, data_set, root)


def digest_of(patterns: Sequence[str], facts: Sequence[str] = ()) -> str:
    """Of the facts, and of the files of the checkout that fit the patterns."""
    digest = hashlib.sha256("".join(facts).encode())
    for pattern in patterns:
        for path in sorted(CHECKOUT.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def claimed(setting: Setting) -> Iterator[None]:
    """A store has one owner, and two measurements at once would measure each other."""
    setting.root.mkdir(parents=True, exist_ok=True)
    with (setting.root / ".lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SetupError(f"another measurement of {setting.data_set.name} is running") from None
        yield


def set_up(setting: Setting, encoders: list[str]) -> None:
    for encoder in encoders:
        import_data(setting, encoder)
    if not (setting.export / "ratings.csv").exists():
        say("writing the data for the peer")
        step([*daemon(setting, encoders[0]), "export", str(setting.export)], setting.environment)
    if not setting.peer.stamp.exists():
        prepare_peer(setting)
    if not (setting.ranking / "manifest.json").exists():
        train_ranking(setting, encoders[0])
    for encoder in encoders:
        place_models(setting, encoder)
        settle(setting, encoder)


def import_data(setting: Setting, encoder: str) -> None:
    folder = setting.data_dir(encoder)
    done = folder / ".imported"
    if done.exists():
        return
    say(f"importing {setting.data_set.name}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    step([*daemon(setting, encoder), "import", str(setting.data_set)], setting.environment)
    done.touch()


def prepare_peer(setting: Setting) -> None:
    say("preparing the peer: network, correlations, overview vectors (minutes)")
    folders = ["--data", str(setting.export), "--out", str(setting.peer.folder)]
    models = ["--model-dir", str(setting.cache.encoder_release), "--artifact", str(setting.network)]
    command = [sys.executable, "-m", "bench.peer.prepare", *folders, *models]
    step(command, python_environment(setting))


def train_ranking(setting: Setting, encoder: str) -> None:
    """The whole hybrid is measured, with the boosted trees that someone who cares drops in."""
    say("training the ranking model")
    with tempfile.TemporaryDirectory(prefix="marquee-bench-") as folder:
        export = ["export", folder, "--ranking-examples"]
        step([*daemon(setting, encoder), *export], setting.environment)
        # By its own command: the environment for it is not made from this one.
        arguments = ["--data", folder, "--out", str(setting.ranking)]
        train = [str(TOOLS / "train"), RANKING, *arguments, "--data-set", setting.data_set.name]
        step(train, setting.environment)


def place_models(setting: Setting, encoder: str) -> None:
    models = setting.data_dir(encoder) / "models"
    artifacts = {
        ENCODERS[encoder]: setting.cache.encoder_artifact(encoder),
        NETWORK: setting.network,
        RANKING: setting.ranking,
    }
    for name, source in artifacts.items():
        placed = models / name / "manifest.json"
        if not placed.exists() or placed.read_bytes() != (source / "manifest.json").read_bytes():
            place_artifact(source, models / name)


def settle(setting: Setting, encoder: str) -> None:
    """Embeds what is not embedded yet, so that every start after this one is a warm one."""
    say(f"the daemon's first start with the {encoder} encoder (it embeds what is not yet embedded)")
    with running(daemon_program(setting, encoder)) as service:
        wait_until_ready(service)
        service.wait_for_rest()


def wait_until_ready(service: Running) -> None:
    """Says how far it is; a part that failed will not become ready."""
    service.seconds_until("/healthz")
    shown = ""
    while True:
        status, body = service.ask("/readyz")
        if status == 200:
            return
        service.must_live()
        parts = body["parts"] if body else []
        for part in parts:
            if part["state"] == "failed":
                raise SetupError(f"{service.program.name}, {part['part']}: {part['why']}")
        state = ", ".join(progress(part) for part in parts if part["state"] == "building")
        if state and state != shown:
            say(f"{service.program.name}: {state}")
            shown = state
        time.sleep(READY_POLL_S)


def progress(part: dict[str, Any]) -> str:
    return f"{part['part']} {part['done']} of {part['total']}" if part["total"] else part["part"]


def step(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise SetupError(f"`{' '.join(command[:4])} …` failed; its message is above")


def daemon(setting: Setting, encoder: str) -> list[str]:
    return [str(setting.marquee), "--data-dir", str(setting.data_dir(encoder))]


def daemon_program(setting: Setting, encoder: str) -> Program:
    start = daemon(setting, encoder)
    return Program(
        daemon_name(encoder),
        lambda port: [*start, "serve", "--listen", f"127.0.0.1:{port}"],
        setting.environment,
        setting.root / f"daemon-{encoder}.log",
    )


def daemon_name(encoder: str) -> str:
    return f"marquee, {encoder}"


def peer_program(setting: Setting) -> Program:
    models = ["--model-dir", str(setting.cache.encoder_release)]
    start = [sys.executable, "-m", "bench.peer.service", "--files", str(setting.peer.folder)]
    return Program(
        PEER,
        lambda port: [*start, *models, "--port", str(port)],
        python_environment(setting),
        setting.root / "peer.log",
    )


def python_environment(setting: Setting) -> dict[str, str]:
    return {**setting.environment, "PYTHONPATH": str(TOOLS), "HF_HUB_OFFLINE": "1"}


def default_encoders() -> list[str]:
    """The default first: it is asked on every route."""
    default = default_encoder()
    return [default, *(form for form in ENCODERS if form != default)]
