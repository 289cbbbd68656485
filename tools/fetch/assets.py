"""What is fetched: which pinned wheels, which files out of them, with which hashes.

Wheels are pinned in tools/requirements/assets (one file per wheel, so that each is fetched and
resumed by itself); the files taken out of them are pinned here.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from fetch.places import TOOLS, Cache
from fetch.report import SetupError

PINS = TOOLS / "requirements" / "assets"


@dataclass(frozen=True)
class PinnedFile:
    """`source` is the path inside the wheel (or the inner archive), `path` the one in the cache."""

    source: str
    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Wheel:
    pins: Path
    # Arguments that make pip take a wheel of another Python or platform than its own.
    platform: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asset:
    title: str
    folder: Path
    wheels: tuple[Wheel, ...]
    files: tuple[PinnedFile, ...]
    download_bytes: int
    # The wheels each hold one piece, whose name matches; joined they are one zip archive.
    split_archive: str | None = None


def runtime(cache: Cache) -> Asset:
    machine = platform.machine()
    libraries = {
        "x86_64": PinnedFile(
            "onnxruntime/capi/libonnxruntime.so.1.32.0",
            "libonnxruntime.so",
            34824680,
            "6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f",
        ),
        "aarch64": PinnedFile(
            "onnxruntime/capi/libonnxruntime.so.1.32.0",
            "libonnxruntime.so",
            27165936,
            "49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a",
        ),
    }
    if platform.system() != "Linux" or machine not in libraries:
        raise SetupError(
            f"no ONNX Runtime is pinned for {platform.system()} on {machine}; "
            f"Linux on {' or '.join(libraries)} is supported."
        )
    arguments = ("--python-version", "3.12", "--platform", f"manylinux_2_28_{machine}")
    return Asset(
        title="ONNX Runtime 1.32.0",
        folder=cache.runtime_library.parent,
        wheels=(Wheel(PINS / f"onnxruntime-{machine}.txt", arguments),),
        files=(
            libraries[machine],
            PinnedFile(
                "onnxruntime/LICENSE",
                "LICENSE",
                1073,
                "2f07c72751aed99790b8a4869cf2311df85a860b22ded05fa22803587a48922c",
            ),
            PinnedFile(
                "onnxruntime/ThirdPartyNotices.txt",
                "ThirdPartyNotices.txt",
                334795,
                "d8696258afcf9df7827a5e01d6b6d55ee9b461b4e82020f5f48242deb9cc2270",
            ),
        ),
        download_bytes=28_000_000,
    )


MODEL_WEIGHTS = PinnedFile(
    "all-mpnet-base-v2/model.safetensors",
    "model.safetensors",
    437971872,
    "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
)
MODEL_TOKENIZER = PinnedFile(
    "all-mpnet-base-v2/tokenizer.json",
    "tokenizer.json",
    466021,
    "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842",
)


def encoder_release(cache: Cache) -> Asset:
    def pinned(path: str, size: int, sha256: str) -> PinnedFile:
        return PinnedFile(f"all-mpnet-base-v2/{path}", path, size, sha256)

    return Asset(
        title="all-mpnet-base-v2",
        folder=cache.encoder_release,
        wheels=tuple(Wheel(PINS / f"all-mpnet-base-v2-part-00{part}.txt") for part in range(1, 6)),
        files=(
            MODEL_WEIGHTS,
            MODEL_TOKENIZER,
            pinned(
                "config.json",
                571,
                "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0",
            ),
            pinned(
                "tokenizer_config.json",
                363,
                "67f2ff7e223518e729869bb3a70f0caf8368fe549383fc11cfe2dfb42fffc268",
            ),
            pinned(
                "special_tokens_map.json",
                239,
                "9ef40e9c160511bf3f46ceb71f1471dafa1e9473d5120bb816c36b2efa75f8ba",
            ),
            pinned(
                "vocab.txt",
                231536,
                "dbd90cb94e2247bd4d4ccaecbf616d2290e66691d7d5e5bb81f063c2d0649ada",
            ),
            pinned(
                "modules.json",
                349,
                "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
            ),
            pinned(
                "sentence_bert_config.json",
                53,
                "cabfacded9272091a06ff595a46ef027a76ddf4ac9e77d0fcf11c605748f1667",
            ),
            pinned(
                "config_sentence_transformers.json",
                116,
                "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
            ),
            pinned(
                "1_Pooling/config.json",
                190,
                "a37f83ada23e7887be6b88f4998927dbeac0038af301553c7cd5461413bf1a56",
            ),
            pinned(
                "README.md",
                10621,
                "a3e99d3235e3c1b4225f4b98892be383f2ed87a50b3a5420ae156e77716182de",
            ),
        ),
        download_bytes=404_500_000,
        split_archive="all-mpnet-base-v2.zip.",
    )


def movielens(cache: Cache) -> Asset:
    def pinned(suffix: str, size: int, sha256: str) -> PinnedFile:
        name = f"ml-100k.{suffix}"
        return PinnedFile(f"recbole/dataset_example/ml-100k/{name}", name, size, sha256)

    return Asset(
        title="MovieLens 100K",
        folder=cache.movielens,
        wheels=(Wheel(PINS / "recbole.txt"),),
        files=(
            pinned(
                "inter",
                1979230,
                "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
            ),
            pinned(
                "item",
                66632,
                "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
            ),
            pinned(
                "user",
                22697,
                "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
            ),
        ),
        download_bytes=2_100_000,
    )
