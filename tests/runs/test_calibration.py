"""What is measured of a machine, when, and which runs it concerns."""

import pytest
from specimens import manifest, replicas
from test_execute import interrupted
from torch import nn

from prunescope.base.errors import UsageError
from prunescope.runs.execution import preparation
from prunescope.runs.execution.ensure import Interrupted, ensure
from prunescope.runs.execution.preparation import prepare
from prunescope.runs.machine import calibration
from prunescope.runs.store.plan import plan
from prunescope.tasks.kernels.kernel_config import PLAIN, Kernels
from prunescope.tasks.model import network_of

FOUND = Kernels(fused=True, least=1)


class Convolution(nn.Sequential):
    """Of images with one row."""

    def __init__(self) -> None:
        super().__init__(
            nn.Unflatten(-1, (1, 1, -1)), nn.Conv2d(1, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )


@pytest.fixture
def measured(monkeypatch):
    """How often products were measured; the answer is `FOUND`."""
    times = []
    monkeypatch.setattr(calibration, "measured", lambda: times.append(1) or FOUND)
    monkeypatch.setattr(preparation, "WORTH_SECONDS", 0.0)
    return times


@pytest.mark.parametrize(
    ("seconds", "below"),
    [
        ([1.0, *[2.0] * 7], 0.0),  # never
        ([1.0, *[0.5] * 7], 0.5),  # from the densest on
        ([1.0, 3.0, 2.0, 1.5, 0.5, 0.3, 0.2, 0.1], 0.25),  # half way between densities 0.3 and 0.2
        ([2.0, 6.0, 4.0, 2.4, 1.8, 1.0, 1.0, 1.0], 0.233),  # 0.2 + 0.1 * 0.1 / 0.3
    ],
)
def test_the_switch_point_lies_where_the_costs_cross(seconds, below, monkeypatch):
    assert calibration.DENSITIES[2:4] == (0.3, 0.2)
    monkeypatch.setattr(calibration, "_seconds", lambda works: seconds)
    assert calibration._switch(int, [int] * 7) == pytest.approx(below, abs=1e-3)


def test_products_are_measured_once_a_store_and_only_for_work_that_is_worth_it(
    store, recipe, measured, monkeypatch
):
    left = plan([recipe], store)
    assert prepare(left, store, workers=1).bench.setting.kernels == FOUND
    assert prepare(left, store, workers=1).bench.setting.kernels == FOUND
    assert len(measured) == 1
    assert prepare(left, store, workers=1, engine="loop").bench.setting.kernels == PLAIN
    monkeypatch.setattr(preparation, "WORTH_SECONDS", 1e9)
    for path in (store.root / "prices").glob("kernels-*"):
        path.unlink()
    assert prepare(left, store, workers=1).bench.setting.kernels == PLAIN and len(measured) == 1


def test_what_a_newer_version_can_choose_is_measured_anew(store, measured, monkeypatch):
    calibration.kernels(store)
    monkeypatch.setattr(Kernels, "model_fields", {**Kernels.model_fields, "another": None})
    assert calibration.known_kernels(store) is None


def test_a_run_under_way_keeps_what_it_began_with_and_new_ones_get_what_is_measured_now(
    store, recipe, measured
):
    with pytest.raises(Interrupted):
        interrupted(recipe, store, after=5)
    [path] = (store.root / "prices").glob("kernels-*")
    store.write_json(path, Kernels(fused=True, least=7).model_dump())
    other = recipe.replace(batch=16)
    ensure([recipe, other], store=store, workers=1)
    least = [manifest(store.root, run)["exec"]["kernels"]["least"] for run in (recipe, other)]
    assert least == [1, 7] and len(measured) == 1


def test_a_named_engine_trains_one_run_at_a_time_unless_told_otherwise(store):
    runs = replicas(9)
    left = plan(runs, store)
    packed = [
        prepare(left, store, workers=1, engine="loop", stack=n).packing.size(runs[0]) for n in (None, 1, 4)
    ]
    assert packed == [1, 1, 4]
    with pytest.raises(UsageError, match="'compiled' trains one run at a time, not stack=4"):
        prepare(left, store, workers=1, engine="compiled", stack=4)


@pytest.mark.parametrize("faster", ["last", "first"])
def test_where_images_lie_is_chosen_by_the_price_of_the_work_and_only_where_there_are_any(
    store, recipe, monkeypatch, faster
):
    known, asked = Kernels(channels_last=True, least=1), []

    def price(left, bench):
        asked.append(bench.setting.kernels.channels_last)
        return 1.0 if asked[-1] == (faster == "last") else 2.0

    monkeypatch.setattr(preparation, "known_kernels", lambda store: known)
    monkeypatch.setattr(preparation, "_work", price)
    assert prepare(plan([recipe], store), store, workers=1).bench.setting.kernels == known and not asked
    images = recipe.replace(task=recipe.task.replace(network=network_of(Convolution)))
    chosen = prepare(plan([images], store), store, workers=1).bench.setting.kernels
    assert chosen == known.replace(channels_last=faster == "last") and asked == [True, False]
