"""python -m commands.contract ST MARQUEE

Holds a running daemon against its own contract: schemathesis (ST, its program) sends what
`/openapi.json` allows and what it forbids, and every answer must be one that it lists. The daemon
(MARQUEE, its program) has the sample data set and the miniature models, in a temporary folder.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
CONFIG = CHECKOUT / "tools" / "commands" / "contract.toml"
MODELS = ("tiny-encoder", "tiny-ranking")
PATIENCE_S = 120


def main() -> int:
    schemathesis, marquee = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for model in MODELS:
            source = CHECKOUT / "tests" / "fixtures" / "artifacts" / model
            shutil.copytree(source, folder / "models" / model)
        program = [marquee, "--data-dir", name]
        sample = str(CHECKOUT / "data" / "sample")
        subprocess.run([*program, "import", sample], check=True, stdout=subprocess.DEVNULL)
        environment = {
            **os.environ,
            "MARQUEE_ARTIFACTS__REQUIRED": "",
            "MARQUEE_RECOMMEND__PREDICTED_RATING": "rating-network",
            "MARQUEE_LOG__FILTER": "error",
        }
        serve = [*program, "serve", "--listen", "127.0.0.1:0"]
        with subprocess.Popen(
            serve, env=environment, stdout=subprocess.PIPE, text=True, bufsize=1
        ) as daemon:
            try:
                address = read_address(daemon)
                wait_until_ready(address)
                run = [schemathesis, "--config-file", str(CONFIG), "run"]
                checked = subprocess.run([*run, f"{address}/openapi.json"], cwd=name, check=False)
                alive = daemon.poll() is None
            finally:
                daemon.terminate()
        if not alive:
            print("the daemon ended while it was asked", file=sys.stderr)
        return checked.returncode if alive else 1


def read_address(daemon: subprocess.Popen[str]) -> str:
    assert daemon.stdout is not None
    for line in daemon.stdout:
        if line.startswith("Marquee answers on "):
            return line.split()[-1]
    raise SystemExit("the daemon did not start")


def wait_until_ready(address: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=10) as answer:
                if json.load(answer)["ready"]:
                    return
        except urllib.error.HTTPError:
            pass
        time.sleep(0.1)
    raise SystemExit("the daemon did not become ready")


if __name__ == "__main__":
    sys.exit(main())
