"""What the machine could do at best: the operations of the layers at the measured rate of large
matrix products, and the bytes of the weights at the measured rate of reading, on one core.

A short text is bound by the reading, a long one by the products; in between by both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from threadpoolctl import threadpool_limits

# all-mpnet-base-v2.
N_LAYERS, HIDDEN, INNER = 12, 768, 3072
WEIGHTS = N_LAYERS * (4 * HIDDEN * HIDDEN + 2 * HIDDEN * INNER)
WEIGHT_BYTES = {"fp32": 4, "int8": 1}
# The lengths that are reported.
N_TOKENS = (20, 100)
# Large enough that the rate no longer grows with the size.
SIZE = 1536
READ_BYTES = 1 << 29
N_ROUNDS = 7


def operations(n_tokens: int) -> float:
    """Multiplications and additions: the products with weights, and those of attention."""
    return n_tokens * (2.0 * WEIGHTS + 4.0 * N_LAYERS * n_tokens * HIDDEN)


def limits(seconds: Mapping[tuple[str, int], float]) -> list[str]:
    """`seconds` by form and number of tokens, of one thread."""
    rates = {"fp32": fp32_rate(), "int8": int8_rate()}
    reading = reading_rate()
    lines = [
        f"Measured on one core: fp32 products {rates['fp32'] / 1e9:.0f} GFLOP/s (numpy), 8-bit "
        f"products {rates['int8'] / 1e9:.0f} GOP/s (MatMulInteger of ONNX Runtime), reading "
        f"{reading / 1e9:.1f} GB/s. The limit of a text is the longer of its operations at that "
        "rate and of the weights at the rate of reading.",
        "",
        "| tokens | form | GFLOP | products ms | reading ms | measured ms | share of the limit |",
        "|---|---|---|---|---|---|---|",
    ]
    for n_tokens in N_TOKENS:
        for form, rate in rates.items():
            products = operations(n_tokens) / rate
            read = WEIGHTS * WEIGHT_BYTES[form] / reading
            taken = seconds[form, n_tokens]
            cells = [f"{1e3 * value:.1f}" for value in (products, read, taken)]
            share = max(products, read) / taken
            lines.append(
                f"| {n_tokens} | {form} | {operations(n_tokens) / 1e9:.1f} | {' | '.join(cells)} | "
                f"{100 * share:.0f} % |"
            )
    return lines


def fp32_rate() -> float:
    left = np.random.default_rng(1).random((SIZE, SIZE), dtype=np.float32)
    with threadpool_limits(1):
        return 2.0 * SIZE**3 / quickest(lambda: left @ left)


def int8_rate() -> float:
    random = np.random.default_rng(1)
    right = random.integers(-127, 128, (SIZE, SIZE), dtype=np.int8)
    node = helper.make_node("MatMulInteger", ["left", "right"], ["product"])
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("left", TensorProto.UINT8, [SIZE, SIZE])],
        [helper.make_tensor_value_info("product", TensorProto.INT32, [SIZE, SIZE])],
        [onnx.numpy_helper.from_array(right, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    model.ir_version = 9
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    left = random.integers(0, 256, (SIZE, SIZE), dtype=np.uint8)
    return 2.0 * SIZE**3 / quickest(lambda: session.run(None, {"left": left}))


def reading_rate() -> float:
    numbers = np.ones(READ_BYTES // 4, dtype=np.float32)
    return READ_BYTES / quickest(numbers.max)


def quickest(run: Callable[[], object]) -> float:
    """Seconds of processor time: a limit is what undisturbed rounds come near to."""
    times = []
    for _ in range(N_ROUNDS):
        started = time.process_time()
        run()
        times.append(time.process_time() - started)
    return min(times)
