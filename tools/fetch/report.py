"""What the commands say to the person who started them."""

from __future__ import annotations

import sys


class SetupError(Exception):
    """Something the user can act on; shown as one message, without a traceback."""


def say(message: str) -> None:
    """To the error stream: the output stream belongs to the command that is run in the end."""
    print(f"[marquee] {message}", file=sys.stderr, flush=True)


def megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.0f} MB"
