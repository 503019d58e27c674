"""Which engine and products are chosen, and which runs they concern."""

import pytest
from specimens import manifest, replicas
from torch import nn

from prunescope.base.errors import UsageError
from prunescope.runs.execution import preparation
from prunescope.runs.execution.ensure import Interrupted, ensure
from prunescope.runs.execution.preparation import prepare
from prunescope.runs.machine.engines import EngineSetting
from prunescope.runs.store.plan import plan
from prunescope.tasks.kernels import jit
from prunescope.tasks.kernels.kernel_config import PLAIN, Kernels, fastest
from prunescope.tasks.model import network_of

FASTEST = Kernels(fused=True, least=1)


class Convolution(nn.Sequential):
    """Of images with one row."""

    def __init__(self) -> None:
        super().__init__(nn.Unflatten(-1, (1, 1, -1)), nn.Conv2d(1, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())


@pytest.fixture
def chosen(monkeypatch):
    """Chooses the kernels given for any work."""
    monkeypatch.setattr(preparation, "WORTH_SECONDS", 0.0)
    return lambda kernels: monkeypatch.setattr(preparation, "fastest", lambda: kernels)


def test_products_are_torchs_own_for_little_work_and_for_the_loop(store, recipe, chosen, monkeypatch):
    left = plan([recipe], store)
    chosen(FASTEST)
    assert prepare(left, store, workers=1).bench.setting.kernels == FASTEST
    assert prepare(left, store, workers=1, engine="loop").bench.setting.kernels == PLAIN
    monkeypatch.setattr(preparation, "WORTH_SECONDS", 1e9)
    assert prepare(left, store, workers=1).bench.setting.kernels == PLAIN


def test_the_fastest_products_are_such_as_this_machine_has(monkeypatch):
    assert EngineSetting(engine="lean", kernels=fastest()).available("cpu")
    monkeypatch.setattr(jit, "available", lambda: False)
    without = EngineSetting(engine="lean", kernels=fastest())
    assert without.available("cpu") and without.kernels.sparse == "none" and not without.kernels.merged


def test_a_run_under_way_keeps_what_it_began_with_and_new_ones_get_what_is_fastest_now(
    store, recipe, chosen, interrupted
):
    chosen(FASTEST)
    with pytest.raises(Interrupted):
        interrupted(recipe, store, after=5)
    chosen(FASTEST.replace(least=7))
    other = recipe.replace(batch=16)
    ensure([recipe, other], store=store, workers=1)
    least = [manifest(store.root, run)["exec"]["kernels"]["least"] for run in (recipe, other)]
    assert least == [1, 7]


def test_a_named_engine_trains_one_run_at_a_time_unless_told_otherwise(store):
    runs = replicas(9)
    left = plan(runs, store)
    packed = [prepare(left, store, workers=1, engine="loop", stack=n).packing.size(runs[0]) for n in (None, 1, 4)]
    assert packed == [1, 1, 4]
    with pytest.raises(UsageError, match=r"there is no engine 'compiled' on this machine; it has loop, lean$"):
        prepare(left, store, workers=1, engine="compiled")


@pytest.mark.parametrize("faster", ["last", "first"])
def test_where_images_lie_is_chosen_by_the_price_of_the_work_and_only_where_there_are_any(
    store, recipe, chosen, monkeypatch, faster
):
    known, asked = Kernels(channels_last=True, least=1), []

    def price(left, bench):
        asked.append(bench.setting.kernels.channels_last)
        return 1.0 if asked[-1] == (faster == "last") else 2.0

    chosen(known)
    monkeypatch.setattr(preparation, "_work", price)
    assert prepare(plan([recipe], store), store, workers=1).bench.setting.kernels == known and len(asked) == 1
    asked.clear()
    images = recipe.replace(task=recipe.task.replace(network=network_of(Convolution)))
    setting = prepare(plan([images], store), store, workers=1).bench.setting
    assert setting.kernels == known.replace(channels_last=faster == "last") and asked == [False, True, False]
