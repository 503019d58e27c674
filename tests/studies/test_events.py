"""The table of epochs against numbers worked out by hand."""

import numpy as np
import pytest

from prunescope.base.errors import UsageError
from prunescope.studies import events
from prunescope.studies.events import epochs


def trace(before, after):
    """A trace as EpochAccuracy writes it: percent before each epoch's events, and after those that there are."""
    rows = []
    for i, accuracy in enumerate(before, start=1):
        rows.append(("step", 10 * i, float(i), 1 - accuracy / 100))
        if i in after:
            rows.append(("after", 10 * i, float(i), 1 - after[i] / 100))
    phase, local, epoch, error = (np.array(column) for column in zip(*rows, strict=True))
    return {"phase": phase, "local": local, "epoch": epoch, "error": error}


TEST = trace([50.0, 60.0, 80.0, 75.0, 82.0, 90.0, 84.0, 84.0], {2: 30.0, 4: 78.0, 5: 41.0})
TRAIN = trace([55.0, 65.0, 85.0, 90.0, 95.0, 100.0, 100.0, 100.0], {2: 35.0, 4: 88.0, 5: 50.0})


def test_two_definitions_of_one_event():
    seen = epochs(TEST)
    assert seen.event.tolist() == [False, True, False, True, True, False, False, False]
    assert seen.instability() == pytest.approx([0.5, -0.04, 0.5])
    assert seen.stability() == pytest.approx([50.0, 104.0, 50.0])
    assert seen.drops() == pytest.approx([30.0, -3.0, 41.0])
    assert seen.mean_stability() == pytest.approx(68.0)
    assert seen.mean_drop() == pytest.approx(68 / 3) and seen.mean_drop(positive=True) == pytest.approx(35.5)


def test_the_last_drop_compares_with_the_epoch_before():
    assert epochs(TEST).last_drop() == pytest.approx(78.0 - 41.0)
    assert epochs(trace([50.0, 60.0], {1: 20.0})).last_drop() == pytest.approx(30.0)
    assert epochs(trace([50.0, 60.0], {})).last_drop() == 0.0


def test_the_best_epoch_is_looked_for_from_the_last_event_on():
    found = events.summary([TEST, TRAIN])
    assert (found["best"], found["best_epoch"], found["final"]) == (90.0, 6.0, 84.0)
    assert (found["gap"], found["final_gap"], found["train_at_best"]) == pytest.approx((10.0, 16.0, 100.0))
    early = trace([99.0, 60.0, 70.0], {2: 65.0})
    assert events.summary([early, early])["best"] == 70.0
    assert events.summary([trace([99.0, 60.0, 70.0], {})] * 2)["best"] == 99.0


def test_recovery_counts_epochs_until_accuracy_is_back():
    # 30 of 60: back at 80 one epoch later; the second event costs nothing; 41 of 82: back at 90 one epoch later.
    assert epochs(TEST).recovery().tolist() == [1.0, 0.0, 1.0]
    slow = epochs(trace([60.0, 50.0, 55.0, 61.0, 60.0], {1: 10.0, 4: 5.0}))
    assert slow.recovery()[0] == 3.0 and np.isnan(slow.recovery()[1])
    found = events.summary([trace([60.0, 50.0, 55.0, 61.0, 60.0], {1: 10.0, 4: 5.0})] * 2)
    assert (found["recovery"], found["recovered"], found["recovered_soon"]) == (3.0, 50.0, 50.0)
    late = [trace([60.0, *[50.0] * 6, 60.0], {1: 10.0})] * 2
    assert epochs(late[0]).recovery().tolist() == [7.0] and events.summary(late)["recovered_soon"] == 0.0


def test_accuracy_at_a_step_is_that_before_its_events():
    assert events.accuracy_at([TEST], step=20)["accuracy"] == pytest.approx(60.0)
    with pytest.raises(UsageError, match="no look at step 25"):
        events.accuracy_at([TEST], step=25)


def test_no_pruning_is_perfectly_stable():
    found = events.summary([trace([50.0, 60.0], {})] * 2)
    assert (found["mean_stability"], found["mean_drop"], found["worst_drop"], found["events"]) == (
        100.0,
        0,
        0,
        0,
    )
    assert found["recovered"] == 100.0 and np.isnan(found["recovery"])


def test_a_trace_of_events_alone_is_a_table_of_epochs_with_events():
    rows = {
        "phase": np.array(["before", "after"]),
        "local": np.array([9, 9]),
        "epoch": np.array([1.0, 1.0]),
        "error": np.array([0.2, 0.6]),
    }
    assert events.stability([rows])["mean_stability"] == pytest.approx(50.0)
    assert events.stability([{}])["mean_stability"] == 100.0
    at_the_start = {name: np.concatenate([column, column]) for name, column in rows.items()}
    at_the_start["local"] = np.array([0, 0, 9, 9])
    assert events.stability([at_the_start])["mean_stability"] == pytest.approx(50.0)
    broken = {**rows, "local": np.array([9, 8])}
    with pytest.raises(UsageError, match="not looked at before"):
        epochs(broken)


def test_accuracy_of_zero_before_an_event_has_no_stability():
    seen = epochs(trace([0.0, 50.0], {1: 0.0, 2: 25.0}))
    assert np.isnan(seen.stability()[0]) and seen.mean_stability() == 50.0
    assert np.isnan(epochs(trace([0.0, 50.0], {1: 0.0})).mean_stability())


def test_an_onset_inside_of_an_epoch_has_its_own_row():
    rows = {
        "phase": np.array(["step", "before", "after", "step", "after"]),
        "local": np.array([10, 14, 14, 20, 20]),
        "epoch": np.array([1.0, 1.4, 1.4, 2.0, 2.0]),
        "error": np.array([0.5, 0.4, 0.7, 0.2, 0.4]),
    }
    seen = epochs(rows)
    assert seen.epoch.tolist() == [1.0, 1.4, 2.0] and seen.event.tolist() == [False, True, True]
    assert seen.stability() == pytest.approx([50.0, 75.0])
    assert seen.recovery()[0] == pytest.approx(0.6) and np.isnan(seen.recovery()[1])
