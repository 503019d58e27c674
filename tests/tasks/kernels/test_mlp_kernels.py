"""Every loop against dense arithmetic in float64 that shares no code with it."""

import os
import subprocess
import sys

import numpy as np
import pytest

from prunescope.tasks.kernels import jit, mlp_kernels

pytestmark = pytest.mark.skipif(not jit.available(), reason="no numba")
SHAPES = [(1, 1, 1), (5, 7, 3), (20, 30, 16), (30, 20, 17), (70, 90, 128), (11, 64, 150)]
shapes = pytest.mark.parametrize(("outs", "ins", "B"), SHAPES)
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


class Drawn:
    """A layer's random numbers: a mask with empty rows and columns, weights, inputs, a gradient."""

    def __init__(self, outs, ins, B, seed=0):
        draws = np.random.default_rng(seed)
        self.mask = draws.random((outs, ins)) < 0.4
        self.mask[outs // 2], self.mask[:, ins // 3] = False, False
        self.mask[-1, -1] = True
        self.weight = draws.standard_normal((outs, ins)).astype(np.float32) * self.mask
        self.bias = draws.standard_normal(outs).astype(np.float32)
        self.x = np.maximum(draws.standard_normal((ins, B)), 0).astype(np.float32)
        self.g = draws.standard_normal((outs, B)).astype(np.float32)
        self.out, self.col = (index.astype(np.uint32) for index in np.nonzero(self.mask))
        self.ptr = np.append(0, self.mask.sum(1).cumsum()).astype(np.uint32)
        self.val = self.weight[self.mask]
        number = np.zeros(self.mask.shape, np.uint32)
        number[self.mask] = np.arange(len(self.val))
        self.back_ptr = np.append(0, self.mask.sum(0).cumsum()).astype(np.uint32)
        self.back_col = np.nonzero(self.mask.T)[1].astype(np.uint32)
        self.order = number.T[self.mask.T]


@shapes
@pytest.mark.parametrize("rectified", [False, True])
def test_outputs(outs, ins, B, rectified):
    layer = Drawn(outs, ins, B)
    y = np.full((outs, B), 7, np.float32)
    mlp_kernels.spread(layer.ptr, layer.col, layer.val, layer.bias, layer.x, y, rectified)
    expected = layer.weight.astype(np.float64) @ layer.x + layer.bias[:, None]
    np.testing.assert_allclose(y, np.maximum(expected, 0) if rectified else expected, **CLOSE)


@shapes
def test_gradients_of_inputs(outs, ins, B):
    layer = Drawn(outs, ins, B)
    out = np.full((ins, B), 7, np.float32)
    mlp_kernels.gated(layer.back_ptr, layer.back_col, layer.order, layer.val, layer.g, layer.x, out)
    expected = (layer.weight.astype(np.float64).T @ layer.g) * (layer.x > 0)
    np.testing.assert_allclose(out, expected, **CLOSE)


@shapes
def test_descent(outs, ins, B):
    layer = Drawn(outs, ins, B)
    val, bias = layer.val.copy(), layer.bias.copy()
    mlp_kernels.descend(layer.ptr, layer.col, layer.g, layer.x, val, bias, np.float32(0.75), np.float32(0.125))
    slope = layer.g.astype(np.float64) @ layer.x.T
    np.testing.assert_allclose(val, (0.75 * layer.weight - 0.125 * slope)[layer.mask], **CLOSE)
    np.testing.assert_allclose(bias, 0.75 * layer.bias - 0.125 * layer.g.astype(np.float64).sum(1), **CLOSE)


def reference_loss(z, labels):
    """The mean cross-entropy and its gradient in float64."""
    z = z.astype(np.float64)
    power = np.exp(z - z.max(0))
    share = power / power.sum(0)
    columns = np.arange(z.shape[1])
    loss = -np.log(share[labels, columns]).mean()
    share[labels, columns] -= 1
    return loss, share / z.shape[1]


@pytest.mark.parametrize("B", [1, 16, 37])
def test_cross_entropy(B):
    draws = np.random.default_rng(0)
    z = (20 * draws.standard_normal((10, B))).astype(np.float32)
    labels, g = draws.integers(10, size=B), np.empty((10, B), np.float32)
    loss, slope = reference_loss(z, labels)
    assert mlp_kernels.cross_entropy(z, labels, g) == pytest.approx(loss, rel=1e-6)
    np.testing.assert_allclose(g, slope, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("B", [1, 7, 8, 37])
def test_gathered_columns_are_the_examples_and_the_others_are_left_alone(B):
    draws = np.random.default_rng(0)
    examples, rows = draws.standard_normal((50, 23)).astype(np.float32), draws.integers(50, size=B)
    live, x = np.array([0, 3, 22], np.uint32), np.full((23, B), -1, np.float32)
    mlp_kernels.gather(rows.view(np.uint64), examples, live, x)
    assert np.array_equal(x[live], examples[rows].T[live])
    assert (np.delete(x, live, 0) == -1).all()


def test_masks_and_gates():
    values, keep = np.arange(1, 20, dtype=np.float32), np.arange(19) % 3 != 0
    cleared = values.copy()
    mlp_kernels.clear(keep, cleared)
    assert np.array_equal(cleared, values * keep)
    mlp_kernels.clear(np.empty(0, np.bool_), cleared)
    assert np.array_equal(cleared, values * keep)
    g, h = np.ones(4, np.float32), np.array([-1, 0, 2, np.nan], np.float32)
    mlp_kernels.close(h, g)
    assert g.tolist() == [0, 0, 1, 1]


def test_what_is_not_a_number_stays_one():
    """A diverging run is known by it."""
    layer = Drawn(6, 8, 5)
    layer.val[:] = np.nan
    y, g = np.empty((6, 5), np.float32), np.empty((6, 5), np.float32)
    mlp_kernels.spread(layer.ptr, layer.col, layer.val, layer.bias, layer.x + 1, y, True)
    assert np.isnan(y[-1]).all()
    assert np.isnan(mlp_kernels.cross_entropy(y, np.zeros(5, np.int64), g))


def test_whole_steps():
    """Three steps of two layers, with a masked bias and a masked weight, by dense products in float64."""
    n, B, draws = 3, 11, np.random.default_rng(3)
    layers = [Drawn(12, 9, B, seed=1), Drawn(4, 12, B, seed=2)]
    examples = draws.standard_normal((40, 9)).astype(np.float32)
    rows, labels = draws.integers(40, size=(n, B)), draws.integers(4, size=(n, B))
    rates = np.array([(0.9, 0.5), (0.8, 0.25), (1.0, 0.125)], np.float32)
    keep = [
        (np.empty(0, np.bool_), np.arange(12) != 2),
        (np.arange(len(layers[1].val)) != 1, np.empty(0, np.bool_)),
    ]
    weights = [layer.weight.astype(np.float64) for layer in layers]
    biases = [layer.bias.astype(np.float64) for layer in layers]
    expected = []
    for batch, classes, (shrinkage, rate) in zip(rows, labels, rates, strict=True):
        x = examples[batch].T
        h = np.maximum(weights[0] @ x + biases[0][:, None], 0)
        loss, g1 = reference_loss(weights[1] @ h + biases[1][:, None], classes)
        expected.append(loss)
        g0 = (weights[1].T @ g1) * (h > 0)
        for number, (g, inputs) in enumerate(((g0, x), (g1, h))):
            weights[number] = (shrinkage * weights[number] - rate * g @ inputs.T) * layers[number].mask
            biases[number] = shrinkage * biases[number] - rate * g.sum(1)
        biases[0][2] = 0
        weights[1][layers[1].out[1], layers[1].col[1]] = 0
    losses = np.empty(n, np.float32)
    mlp_kernels.steps(
        *(rows.view(np.uint64), labels, rates, examples, np.arange(9, dtype=np.uint32)),
        (tuple(layer.ptr for layer in layers), tuple(layer.col for layer in layers)),
        tuple(tuple(getattr(layer, part) for layer in layers) for part in ("back_ptr", "back_col", "order")),
        *(tuple(layer.val for layer in layers), tuple(layer.bias for layer in layers)),
        tuple(zip(*keep, strict=True)),
        tuple(np.empty((width, B), np.float32) for width in (9, 12, 4)),
        tuple(np.empty((width, B), np.float32) for width in (12, 4)),
        losses,
    )
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for layer, weight, bias in zip(layers, weights, biases, strict=True):
        np.testing.assert_allclose(layer.val, weight[layer.mask], **CLOSE)
        np.testing.assert_allclose(layer.bias, bias, **CLOSE)


TWO_LOOPS = """
import numba, numpy as np
from prunescope.tasks.kernels import mlp_kernels
numba.njit(abs_of := lambda x: abs(x))(3)
mlp_kernels.close(np.ones(4, np.float32), np.ones(4, np.float32))
mlp_kernels.clear(np.ones(4, np.bool_), np.ones(4, np.float32))
"""


@pytest.mark.slow
def test_compiling_is_told_once_a_machine(tmp_path):
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    first, again = (
        subprocess.run([sys.executable, "-c", TWO_LOOPS], env=env, capture_output=True, text=True, check=True).stderr
        for _ in range(2)
    )
    assert first.count("compiling") == 1 and "compiling" not in again
