"""Rounds the weights of a product so that the product changes least on typical inputs.

Rounding every weight to the nearest multiple of its step ignores that inputs are correlated: what
one weight loses, the weights of like channels can give back. As in GPTQ (Frantar et al. 2023,
"GPTQ: Accurate post-training quantization for generative pre-trained transformers") channels are
rounded one after the other, and each one's error is spread over those that come later so that
‖X · (W - rounded W)‖², X the typical inputs, grows least.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# Added to the moments, as a share of each channel's own: what few texts say is not taken for sure.
DAMPING = 0.01
# Channels whose errors are spread at once over all later ones: a matter of speed alone.
BLOCK = 128
# A channel that no typical text uses still needs a moment.
MIN_MOMENT = 1e-12


def round_weights(weight: Array, step: Array, largest: int, moments: Array) -> Array:
    """`weight` is input channels × outputs, `step` of the same shape. The result has multiples of
    the step, at most `largest` of them; in channels whose step is 0, any value. `moments` is XᵀX of
    typical inputs X."""
    exact = (step == 0).all(axis=1)
    # Channels with the largest inputs first; those that need no rounding make up for the rest.
    order = np.lexsort((-np.diag(moments), exact))
    spread = _spread(moments[np.ix_(order, order)])
    left = weight[order].astype(np.float32)
    step = step[order]
    result = np.empty_like(left)
    for first in range(0, len(left), BLOCK):
        last = min(first + BLOCK, len(left))
        errors = np.zeros((last - first, left.shape[1]))
        for channel in range(first, last):
            result[channel] = _nearest(left[channel], step[channel], largest)
            error = (left[channel] - result[channel]) / spread[channel, channel]
            left[channel + 1 : last] -= np.outer(spread[channel, channel + 1 : last], error)
            errors[channel - first] = error
        left[last:] -= spread[first:last, last:].T @ errors
    unordered = np.empty_like(result)
    unordered[order] = result
    return unordered


def _nearest(values: Array, step: Array, largest: int) -> Array:
    safe = np.where(step > 0, step, 1.0)
    return np.where(step > 0, np.clip(np.round(values / safe), -largest, largest) * step, values)


def _spread(moments: Array) -> Array:
    """The upper Cholesky factor of the inverse of the damped moments."""
    damped = moments.astype(np.float32)
    own = np.maximum(np.diag(damped), MIN_MOMENT)
    damped[np.diag_indices(len(own))] = own * (1.0 + DAMPING)
    # Scaled to a unit diagonal, where the inverse is computed best.
    root = np.sqrt(own)
    inverse = np.linalg.inv(damped / np.outer(root, root)) / np.outer(root, root)
    upper: Array = np.linalg.cholesky((inverse + inverse.T) / 2).T
    return upper
