"""Spectrum, epsilon, adaptive sharpness and TIC against Hessians and losses written out."""

import numpy as np
import pytest
import torch

from prunescope.base import tree
from prunescope.base.state import Weights
from prunescope.measures import (
    AdaptiveSharpness,
    GradientTrace,
    HessianSpectrum,
    HessianTrace,
    LossAlongEigenvectors,
    Sample,
)
from prunescope.papers.bartoldson.v2020_app_e import tic

SAMPLE = Sample(examples=12, precision="float64")
ALL = Sample(examples="all", precision="float64")
LENET = {"path": "prunescope.tasks.nets:LeNet", "hidden": (5, 4), "inputs": 48}


@pytest.fixture(scope="module")
def small(state):
    return state(**LENET)


def test_the_spectrum_is_the_hessians(small, dense):
    values = torch.linalg.eigvalsh(dense(*small, 12).hessian())
    values = values[values.abs().argsort(descending=True)]
    found = HessianSpectrum(sample=SAMPLE, count=60, tolerance=1e-10).measure(*small)
    assert torch.allclose(found["eigenvalues"], values[:60], rtol=1e-6)
    assert float(found["sum"]) == pytest.approx(float(values[:60].sum()), rel=1e-8)
    assert float(values.min()) < 0  # signs matter
    large = values[:60][values[:60].abs() > 0.006 * float(values[0])]
    assert len(large) < 60 and float(found["sum_above"]) == pytest.approx(float(large.sum()), rel=1e-8)
    assert float(found["residuals"].max()) < 1e-8


def test_the_authors_power_iteration_is_close_and_says_how_close(small, dense):
    exact = HessianSpectrum(sample=SAMPLE, count=5, tolerance=1e-10).measure(*small)
    rough = HessianSpectrum(sample=SAMPLE, count=5, method="power").measure(*small)
    assert float(rough["sum"]) == pytest.approx(float(exact["sum"]), rel=0.1)
    assert float(rough["residuals"].max()) > 100 * float(exact["residuals"].max())


def test_removed_weights_take_no_part(small):
    problem, weights = small
    count = tree.size(weights.params) - tree.size(weights.masks) + tree.kept(weights.masks)
    found = HessianSpectrum(sample=SAMPLE, count=count + 2).measure(problem, weights)
    assert found["eigenvalues"].shape == (count + 2,) and found["eigenvalues"][count:].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("activation", "counted"), [(torch.nn.ReLU, False), (torch.nn.Tanh, True), (torch.nn.GELU, True)]
)
def test_the_bias_of_a_removed_unit_counts_where_the_activation_is_not_flat_at_0(state, activation, counted):
    layers = (torch.nn.Flatten(), torch.nn.Linear(48, 6), activation(), torch.nn.Linear(6, 3))
    problem, weights = state(torch.nn.Sequential(*layers), prune=False)
    gone = torch.arange(6) < 3
    masks = {**weights.masks, "1.weight": (~gone)[:, None].expand(6, 48).clone()}
    params = tree.masked({**weights.params, "1.bias": weights.params["1.bias"] * ~gone}, masks)
    found = GradientTrace(sample=SAMPLE).measure(problem, Weights(params, weights.buffers, masks))["trace.1.bias"]
    params["1.bias"].requires_grad_()
    net, (x, y) = problem.model.template(train=False), problem.test.batch(torch.arange(12))
    of_kept = []
    for one, label in zip(x, y, strict=True):
        loss = torch.nn.functional.cross_entropy(torch.func.functional_call(net, params, (one[None],)), label[None])
        (slope,) = torch.autograd.grad(loss, params["1.bias"])
        of_kept.append(float(slope[~gone].square().sum()))
    kept = sum(of_kept) / len(of_kept)
    assert float(found) > 1.01 * kept if counted else float(found) == pytest.approx(kept, rel=1e-5)


def test_losses_along_eigenvectors(small, dense):
    problem, weights = small
    narrow, wide = dense(problem, weights, 12), dense(problem, weights, 24)
    values, vectors = torch.linalg.eigh(narrow.hessian())
    order = values.abs().argsort(descending=True)[:3]
    settings = {
        "sample": SAMPLE,
        "losses": ALL,
        "count": 3,
        "tolerance": 1e-10,
        "reach": 0.4,
        "step": 0.1,
        "rise": 0.06,
    }
    found = LossAlongEigenvectors(**settings).measure(problem, weights)
    steps = torch.arange(-4, 5).double() / 10
    assert torch.allclose(found["steps"], steps)
    level, far = wide.loss(wide.flat), []
    for number, vector in enumerate(vectors[:, order].T):
        curve = torch.stack([wide.loss(wide.flat + e * vector) - level for e in steps])
        ours = found[f"increase.{number}"]
        ours = ours if torch.allclose(ours, curve, rtol=1e-4, atol=1e-8) else ours.flip(0)
        assert torch.allclose(ours, curve, rtol=1e-4, atol=1e-8)
        far += steps.abs()[curve >= 0.06].tolist()
    assert float(found["epsilon"]) == pytest.approx(min(far)) and float(found["reached"]) == 1
    assert 0.1 < min(far) < 0.35


def test_an_epsilon_beyond_reach_says_so(small):
    settings = {"sample": SAMPLE, "losses": SAMPLE, "count": 1, "reach": 0.02, "step": 0.01}
    found = LossAlongEigenvectors(**settings, rise=50.0).measure(*small)
    assert float(found["epsilon"]) == 0.02 and float(found["reached"]) == 0


def moved(reference, u):
    return float(reference.loss(reference.flat + reference.flat.abs() * u) - reference.loss(reference.flat))


def test_adaptive_sharpness_against_the_loss_itself(small, dense):
    reference = dense(*small, 12)
    slope = torch.func.grad(reference.loss)(reference.flat) * reference.flat.abs()
    one = AdaptiveSharpness(sample=SAMPLE, radius=0.01, steps=1).measure(*small)
    assert float(one["first_order"]) == pytest.approx(0.01 * float(slope.norm()), rel=1e-9)
    assert float(one["worst"]) == pytest.approx(moved(reference, 0.01 * slope / slope.norm()), rel=1e-7)
    more = AdaptiveSharpness(sample=SAMPLE, radius=0.5, steps=20).measure(*small)
    assert float(more["worst"]) > moved(reference, 0.5 * slope / slope.norm())
    directions = torch.randn(200, len(slope), generator=torch.Generator().manual_seed(0)).double()
    assert all(moved(reference, 0.5 * u / u.norm()) < float(more["worst"]) for u in directions)


def test_the_average_case_is_half_the_scaled_trace(small, dense):
    """E[L(w + |w| u) - L(w)] = (radius^2 / 2 P) sum_i w_i^2 H_ii for a small radius."""
    reference, radius = dense(*small, 12), 0.1
    found = AdaptiveSharpness(sample=SAMPLE, radius=radius, draws=400, steps=1).measure(*small)
    kept = int(reference.keep.sum())
    expected = radius**2 / 2 / kept * float((reference.hessian().diagonal() * reference.flat**2).sum())
    assert abs(float(found["average"]) - expected) < 4 * float(found["error"])


def rescaled(weights, factor):
    """The same function: one filter's weights times a factor before BatchNorm, its statistics with it."""
    params, buffers = tree.clone(weights.params), tree.clone(weights.buffers)
    params["layer1.0.conv1.weight"] *= factor
    buffers["layer1.0.bn1.running_mean"] *= factor
    buffers["layer1.0.bn1.running_var"] = factor**2 * (buffers["layer1.0.bn1.running_var"] + 1e-5) - 1e-5
    return Weights(params, buffers, weights.masks)


def test_only_adaptive_sharpness_is_blind_to_the_scale_under_batchnorm(state):
    problem, weights = state(depth=8, width=1)
    same = rescaled(weights, 1 / 30)

    def both(measure, name):
        return [float(measure.measure(problem, each)[name]) for each in (weights, same)]

    for name in ("worst", "first_order", "average"):
        one, two = both(AdaptiveSharpness(sample=SAMPLE, steps=5, draws=5), name)
        assert one != 0 and two == pytest.approx(one, rel=1e-3, abs=1e-6)
    for measure in (HessianTrace(sample=SAMPLE), GradientTrace(sample=SAMPLE)):
        one, two = both(measure, "trace.layer1.0.conv1.weight")
        assert two == pytest.approx(900 * one, rel=1e-3)
        one, two = both(measure, "trace")
        assert abs(two / one - 1) > 0.01


def test_tic_is_the_ratio_and_no_number_where_it_means_nothing():
    noise = {"trace": np.array(6.0)}
    assert tic(noise, {"sum": np.array(3.0), "eigenvalues": np.ones(3)}) == 2.0
    assert np.isnan(tic(noise, {"sum": np.array(-1.0)}))
