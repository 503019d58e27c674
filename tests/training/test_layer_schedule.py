"""Event sets and filter counts, against the tables of the papers' configurations."""

from itertools import pairwise

import pytest

from prunescope.base.errors import UsageError
from prunescope.base.steps import Clock
from prunescope.training.interventions import LayerSchedule

CLOCK = Clock(epoch_steps=391, total=325 * 391)
VGG = ((3, 150, 0.3), (4, 150, 0.3), (5, 150, 0.3), (6, 275, 0.9))
RESNET = ((7, 150, 0.25), (8, 150, 0.4), (9, 170, 0.25), (10, 275, 0.95))
RESNET_B2 = ((3, 150, 0.25), (4, 150, 0.4), (5, 170, 0.25), (6, 275, 0.95))


def schedules(rows, period):
    return [LayerSchedule.after_epochs("conv", start=s, end=e, fraction=p, period=period) for s, e, p in rows]


@pytest.mark.parametrize(
    ("rows", "period", "events"),
    [
        (VGG, 4, (37, 37, 37, 68)),
        (VGG, 20, (8, 8, 8, 14)),
        (VGG, 40, (4, 4, 4, 7)),
        (VGG, 60, (3, 3, 3, 5)),
        (VGG, 100, (2, 2, 2, 3)),
        (VGG, 200, (1, 1, 1, 2)),
        (VGG, 300, (1, 1, 1, 1)),
        (RESNET, 4, (36, 36, 41, 67)),
        (RESNET, 40, (4, 4, 5, 7)),
        (RESNET_B2, 4, (37, 37, 42, 68)),
        (RESNET_B2, 40, (4, 4, 5, 7)),
        (((40, 100, 0.1),), 30, (3,)),
        (((40, 100, 0.1),), 60, (2,)),
        (((24, 100, 0.06),), 1, (77,)),
        (((3, 50, 0.3), (3, 120, 0.9)), 40, (2, 3)),
        *((((3, 120, 0.9),), 4 * k, (n,)) for k, n in enumerate((30, 15, 10, 8, 6, 5, 5, 4, 4, 3), start=1)),
        (((3, 18, 0.9),), 1, (16,)),
    ],
)
def test_numbers_of_events(rows, period, events):
    assert tuple(len(schedule.steps(CLOCK)) for schedule in schedules(rows, period)) == events


def test_events_are_at_the_ends_of_the_epochs_of_the_authors_code():
    (schedule,) = schedules(((3, 150, 0.3),), 40)
    assert schedule.steps(CLOCK) == tuple((epoch + 1) * 391 for epoch in range(3, 151, 40))
    long = LayerSchedule.after_epochs("conv", start=2500, end=3500, fraction=0.7, period=750)
    assert long.steps(Clock(391, 4000 * 391)) == (2501 * 391, 3251 * 391)
    scratch = LayerSchedule(layer="conv", start="0ep", end="0ep", fraction=0.9, period="1ep")
    assert scratch.steps(CLOCK) == (0,) and scratch.kept(512, 1) == (52,)


@pytest.mark.parametrize(
    ("fraction", "units", "left"),
    [
        *((p, 512, left) for p, left in ((0.3, 359), (0.9, 52), (0.25, 384), (0.4, 308), (0.95, 26), (0.8, 103))),
        (0.1, 16, 15),
        (0.7, 10, 3),
        (0.9, 10, 1),
        (0.99, 5, 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("events", [1, 3, 7])
def test_the_last_event_leaves_the_final_number(fraction, units, left, events):
    kept = LayerSchedule(layer="c", start="1ep", end="9ep", fraction=fraction, period="1ep").kept(units, events)
    assert kept[-1] == left and sorted(kept, reverse=True) == list(kept) and len(kept) == events


def test_counts_follow_the_authors_formula():
    for units, fraction, events in ((512, 0.3, 37), (512, 0.9, 7), (64, 0.1, 3), (512, 0.95, 67)):
        final = -(-round(1000 * units * (1 - fraction)) // 1000)
        slow = [
            final + -(-((units - final) * (events - i)) // events) if i < events else final
            for i in range(1, events + 1)
        ]
        schedule = LayerSchedule(layer="c", start="1ep", end="9ep", fraction=fraction, period="1ep")
        assert list(schedule.kept(units, events)) == slow


@pytest.mark.parametrize(
    ("units", "events", "gone"),
    [(16, 3, [0, 0, 1]), (16, 2, [0, 1]), (32, 3, [1, 1, 1]), (32, 2, [1, 2])],
)
def test_small_layers_have_events_that_take_nothing(units, events, gone):
    schedule = LayerSchedule.after_epochs("c", start=40, end=100, fraction=0.1, period=30)
    kept = (units, *schedule.kept(units, events))
    assert [before - after for before, after in pairwise(kept)] == gone


@pytest.mark.parametrize(("period", "share"), [(4, 1.3), (40, 12.9), (60, 18.0), (200, 45.0), (300, 90.0)])
def test_the_iterative_rate_of_the_last_layer(period, share):
    schedule = schedules(VGG, period)[-1]
    assert 100 * schedule.fraction / len(schedule.steps(CLOCK)) == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("fraction", [1.0, 1.5, 0.0, -0.1])
def test_a_fraction_that_leaves_nothing_or_takes_nothing(fraction):
    with pytest.raises(UsageError, match="must lie between 0 and 1; 1 would leave no unit"):
        LayerSchedule(layer="c", start="1ep", end="9ep", fraction=fraction, period="1ep")


def test_a_schedule_that_the_run_or_the_layer_cannot_have():
    late = LayerSchedule(layer="c", start="1ep", end="400ep", fraction=0.5, period="1ep")
    with pytest.raises(UsageError, match="325 epochs"):
        late.steps(CLOCK)
    many = LayerSchedule.after_epochs("layer1.0.conv1", start=24, end=100, fraction=0.1, period=1)
    assert many.kept(64, 77)[-1] == 58
