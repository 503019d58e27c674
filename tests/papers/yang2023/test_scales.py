"""The model of the theory as recipes: what is paired, what is nested, what is refused."""

import pytest
import torch

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.reference import Moment
from prunescope.papers.yang2023.quantities import PRUNED
from prunescope.papers.yang2023.scales import Setting, pruned
from prunescope.runs.execution.executors.worker import do
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.store.plan import Job
from prunescope.runs.store.store import Store

TINY = Setting(dimension=30, examples=10, tests=20, width=6, noise=0.4, deviation=0.1, most_steps=5)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Workbench(Store(tmp_path_factory.mktemp("store")))


def weights_of(bench, recipe, moment=PRUNED):
    do(bench, Job(recipe, (moment,)), lambda *_: True, lambda _: None)
    return bench.store.weights(recipe.id, moment.id)


def test_masks_of_a_replicate_are_nested(bench):
    dense = TINY.dense(0)
    wide, narrow = (weights_of(bench, pruned(dense, keep)).masks["fc1.weight"] for keep in (0.6, 0.2))
    assert 0 < int(narrow.sum()) < int(wide.sum())
    assert not bool((narrow & ~wide).any())


def test_keeping_everything_is_the_dense_run_bit_by_bit(bench):
    dense, final = TINY.dense(0), Moment()
    kept = weights_of(bench, pruned(dense, 1.0), final)
    assert tree.equal(kept.params, weights_of(bench, dense, final).params)


def test_removed_weights_stay_at_zero(bench):
    weights = weights_of(bench, pruned(TINY.dense(0), 0.3), Moment())
    assert bool((weights.params["fc1.weight"][~weights.masks["fc1.weight"]] == 0).all())


def test_replicates_differ_in_data_weights_and_mask(bench):
    first, second = (weights_of(bench, pruned(TINY.dense(number), 0.5)) for number in (0, 1))
    assert not torch.equal(first.params["fc1.weight"], second.params["fc1.weight"])
    assert not torch.equal(first.masks["fc1.weight"], second.masks["fc1.weight"])
    assert TINY.dense(0).task.data != TINY.dense(1).task.data


@pytest.mark.parametrize("power", [1.0, 3.0])
def test_a_factor_on_the_logits_is_larger_weights_and_larger_steps(bench, power):
    setting = TINY.replace(output_scale=0.2, power=power, target=None, lr=0.3)
    begun, ended = (weights_of(bench, setting.dense(0), moment) for moment in (Moment(when="step"), Moment()))
    arrays = setting.dense(0).task.data.source.load()
    x, y = arrays.train_x.take(torch.arange(10)).double(), arrays.train_y
    factor = 0.2 ** (1 / power)
    weights = (begun.params["fc1.weight"].double() / factor).requires_grad_()
    for _ in range(setting.most_steps):
        logits = 0.2 * (x @ weights.T).clamp(min=0).pow(power).sum(dim=1).view(10, 2, -1).sum(dim=2)
        (gradient,) = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, y), weights)
        weights = (weights - 0.3 * gradient).detach().requires_grad_()
    torch.testing.assert_close(ended.params["fc1.weight"].double(), factor * weights.detach(), atol=1e-6, rtol=1e-5)
    assert float((ended.params["fc1.weight"] - begun.params["fc1.weight"]).abs().max()) > 1e-3


def test_predictors_are_those_of_the_setting():
    reference = Setting()
    assert reference.race(0.5) == pytest.approx(50 * (1 / (0.25 * 200**0.5)) ** 3)
    assert reference.death(0.02) == pytest.approx(0.99**50)
    assert Setting(classes=4).chance == 0.75


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": 31}, "classes=31 orthogonal signals do not fit in dimension=30"),
        ({"power": 0.5}, "greater than or equal to 1"),
        ({"lr": 0.0}, "greater than 0"),
    ],
)
def test_impossible_settings_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        TINY.replace(**changes)


@pytest.mark.parametrize("keep", [0.0, 1.5])
def test_impossible_keep_probabilities_are_refused(keep):
    with pytest.raises(UsageError, match="keep"):
        pruned(TINY.dense(0), keep)
