"""The table of epochs against numbers worked out by hand."""

import numpy as np
import pytest

from prunescope.base.errors import UsageError
from prunescope.base.steps import Clock
from prunescope.studies.events import SOON, accuracy_at, epochs
from prunescope.training.interventions import LayerSchedule


def trace(before, after, sparsity=None):
    """A trace as EpochAccuracy writes it: percent before each epoch's events, and after those that there are.

    sparsity: after each of them; 0 throughout if it is not given."""
    rows, now = [], 0.0
    for i, accuracy in enumerate(before, start=1):
        rows.append(("step", 10 * i, float(i), 1 - accuracy / 100, now))
        if i in after:
            now = sparsity[i] if sparsity else now
            rows.append(("after", 10 * i, float(i), 1 - after[i] / 100, now))
    phase, local, epoch, error, zeros = (np.array(column) for column in zip(*rows, strict=True))
    return {"phase": phase, "local": local, "epoch": epoch, "error": error, "sparsity": zeros}


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


def test_the_last_drop_of_events_alone_is_against_just_before_it():
    seen = epochs(TEST)
    assert (seen.worst_drop(), seen.drop_at_last()) == pytest.approx((41.0, 82.0 - 41.0))
    nothing = epochs({})
    assert nothing.mean_drop(positive=True) == nothing.worst_drop() == nothing.drop_at_last() == 0


def test_the_best_epoch_is_looked_for_from_the_last_event_on():
    seen = epochs(TEST)
    assert (seen.best_accuracy(), seen.epoch[seen.best()], seen.final_accuracy()) == (90.0, 6.0, 84.0)
    assert epochs(trace([99.0, 60.0, 70.0], {2: 65.0})).best_accuracy() == 70.0
    assert epochs(trace([99.0, 60.0, 70.0], {})).best_accuracy() == 99.0


def test_recovery_counts_epochs_until_accuracy_is_back():
    # 30 of 60: back at 80 one epoch later; the second event costs nothing; 41 of 82: back at 90 one epoch later.
    assert epochs(TEST).recovery().tolist() == [1.0, 0.0, 1.0]
    slow = epochs(trace([60.0, 50.0, 55.0, 61.0, 60.0], {1: 10.0, 4: 5.0}))
    assert slow.recovery()[0] == 3.0 and np.isnan(slow.recovery()[1])
    assert (slow.mean_recovery(), slow.recovered(), slow.recovered(within=SOON)) == (3.0, 50.0, 50.0)
    late = epochs(trace([60.0, *[50.0] * 6, 60.0], {1: 10.0}))
    assert late.recovery().tolist() == [7.0] and late.recovered(within=SOON) == 0.0


def test_accuracy_at_a_step_is_that_before_its_events():
    assert accuracy_at(TEST, step=20) == pytest.approx(60.0)
    with pytest.raises(UsageError, match="no look at step 25"):
        accuracy_at(TEST, step=25)


def test_no_pruning_is_perfectly_stable():
    seen = epochs(trace([50.0, 60.0], {}))
    assert (seen.mean_stability(), seen.mean_drop(), seen.worst_drop()) == (100.0, 0, 0)
    assert seen.recovered() == 100.0 and np.isnan(seen.mean_recovery())


def test_a_trace_of_events_alone_is_a_table_of_epochs_with_events():
    rows = {
        "phase": np.array(["before", "after"]),
        "local": np.array([9, 9]),
        "epoch": np.array([1.0, 1.0]),
        "error": np.array([0.2, 0.6]),
        "sparsity": np.array([0.1, 0.2]),
    }
    assert epochs(rows).mean_stability() == pytest.approx(50.0)
    assert epochs({}).mean_stability() == 100.0
    at_the_start = {name: np.concatenate([column, column]) for name, column in rows.items()}
    at_the_start["local"] = np.array([0, 0, 9, 9])
    assert epochs(at_the_start).mean_stability() == pytest.approx(50.0)
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
        "sparsity": np.array([0.0, 0.0, 0.1, 0.1, 0.2]),
    }
    seen = epochs(rows)
    assert seen.epoch.tolist() == [1.0, 1.4, 2.0] and seen.event.tolist() == [False, True, True]
    assert seen.stability() == pytest.approx([50.0, 75.0])
    assert seen.recovery()[0] == pytest.approx(0.6) and np.isnan(seen.recovery()[1])


def gentle(fraction):
    """Kept filters of ResNet18's convolutions at each of the 77 onsets of Figure C3, epochs 25 to 101."""
    clock = Clock(10, 165 * 10)
    schedule = LayerSchedule.after_epochs("conv", start=24, end=100, fraction=fraction, period=1)
    assert schedule.steps(clock) == tuple(range(250, 1011, 10))
    kept = zip(*(schedule.kept(width, 77) for width in (64, 128, 256, 512)), strict=True)
    return {25 + i: sum(widths) for i, widths in enumerate(kept)}


@pytest.mark.parametrize(("fraction", "count"), [(0.1, 54), (0.06, 34)])
def test_onsets_that_prune_nothing_are_no_events(fraction, count):
    """Figure C3: every true event costs 10 of 80 points for good, and no idle one takes part in any mean."""
    kept = gentle(fraction)
    went = {i for i in kept if kept[i] < kept.get(i - 1, 960)}
    assert len(went) == count < len(kept)
    after = {i: 72.0 if i in went else 80.0 for i in kept}
    seen = epochs(trace([80.0] * 165, after, {i: 1 - kept[i] / 960 for i in kept}))
    assert set(seen.epoch[seen.event]) == went
    assert seen.mean_stability() == pytest.approx(90.0) and seen.mean_drop() == pytest.approx(8.0)
    assert len(seen.recovery()) == count and (seen.recovery() == 1.0).all()


def test_every_onset_of_temporary_noise_is_an_event():
    """Nothing goes for good, so sparsity says nothing."""
    seen = epochs(trace([80.0] * 165, dict.fromkeys(gentle(0.1), 72.0) | {30: 80.0}))
    assert seen.event.sum() == 77
    assert seen.mean_stability() == pytest.approx((76 * 90 + 100) / 77)
