"""Metrics of ranked lists as LensKit computes them, for tests/parity.rs.

LensKit wants an environment of its own (0.14 needs numpy below 2): in one with `lenskit==0.14.4`,
`python -m golden.lists` from this folder's parent writes the fixture again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "golden" / "list_metrics.json"
N_CASES = 40
SEED = 7


def main() -> None:
    import numpy as np
    import pandas as pd
    from lenskit.metrics import topn  # type: ignore[import-not-found,unused-ignore]

    random = np.random.RandomState(SEED)

    def measure(
        metric: Any, found: list[int], relevant: list[int], length: int, **options: Any
    ) -> float:
        if not found:
            return 0.0
        recs = pd.DataFrame({"item": found[:length]})
        truth = pd.DataFrame({"item": relevant}).set_index("item")
        value = float(metric(recs, truth, **options))
        return 0.0 if np.isnan(value) else value

    cases = []
    for _ in range(N_CASES):
        found = random.permutation(60)[: random.randint(0, 26)].tolist()
        relevant = random.permutation(60)[: random.randint(1, 13)].tolist()
        # The discount of the definition; LensKit's default gives rank 2 no discount.
        discount = {"k": 10, "discount": lambda rank: np.log2(rank + 1)}
        cases.append(
            {
                "list": found,
                "relevant": relevant,
                "ndcg_10": measure(topn.ndcg, found, relevant, 10, **discount),
                "recall_10": measure(topn.recall, found, relevant, 10),
                "recall_20": measure(topn.recall, found, relevant, 20),
                "hit_10": measure(topn.hit, found, relevant, 10),
                "mrr_10": measure(topn.recip_rank, found, relevant, 10),
            }
        )
    TARGET.write_text(json.dumps(cases, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
