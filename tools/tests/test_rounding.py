"""Weights rounded together against weights rounded one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from marquee_models.rounding import round_weights

Array = npt.NDArray[Any]
STEP, LARGEST = 0.1, 20


@pytest.fixture()
def inputs() -> Array:
    """Channels that go together, as those of a network do."""
    random = np.random.default_rng(4)
    common = random.normal(size=(400, 6)) @ random.normal(size=(6, 40))
    return np.asarray(common + 0.1 * random.normal(size=(400, 40)))


@pytest.fixture()
def weight() -> Array:
    return np.random.default_rng(5).normal(size=(40, 12))


def steps(weight: Array, exact: list[int]) -> Array:
    step = np.full(weight.shape, STEP)
    step[exact] = 0
    return step


def error(inputs: Array, weight: Array, rounded: Array) -> float:
    return float(np.square(inputs @ (weight - rounded)).sum())


def test_products_change_less_than_with_each_weight_rounded_alone(
    inputs: Array, weight: Array
) -> None:
    rounded = round_weights(weight, steps(weight, []), LARGEST, inputs.T @ inputs)
    numbers = rounded / STEP
    np.testing.assert_allclose(numbers, np.round(numbers), atol=1e-4)
    alone = np.round(weight / STEP) * STEP
    assert error(inputs, weight, rounded) < 0.7 * error(inputs, weight, alone)


def test_channels_that_need_no_rounding_make_up_for_the_others(
    inputs: Array, weight: Array
) -> None:
    moments = inputs.T @ inputs
    without = round_weights(weight, steps(weight, []), LARGEST, moments)
    exact = [0, 7, 21]
    with_exact = round_weights(weight, steps(weight, exact), LARGEST, moments)
    assert error(inputs, weight, with_exact) < error(inputs, weight, without)
    others = np.delete(with_exact, exact, axis=0) / STEP
    np.testing.assert_allclose(others, np.round(others), atol=1e-4)


def test_no_weight_is_beyond_the_largest_number(inputs: Array, weight: Array) -> None:
    rounded = round_weights(10 * weight, steps(weight, []), LARGEST, inputs.T @ inputs)
    assert np.abs(rounded / STEP).max() == pytest.approx(LARGEST)


def test_channels_that_no_input_uses_are_rounded_to_the_nearest(weight: Array) -> None:
    rounded = round_weights(weight, steps(weight, []), 1000, np.zeros((40, 40)))
    np.testing.assert_allclose(rounded, np.round(weight / STEP) * STEP, atol=1e-5)
