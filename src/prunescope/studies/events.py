"""The table of epochs of a run, and what pruning did to it: stability, best and final accuracy, recovery.

Belongs here: pure functions of traces of `EpochAccuracy` and its like. Does not belong here: taking them
(`training/probes.py`), comparing runs (`correlation.py`).

Two papers, two definitions, never mixed: stability and instability (2020) are relative to the accuracy before an
event; the drop (2019) is in percentage points.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prunescope.base.errors import UsageError
from prunescope.measures.measure import Values
from prunescope.studies.results import Numbers

SOON = 5
"""Epochs that count as few; proposed here, the papers give no number."""


@dataclass(frozen=True)
class Epochs:
    """Accuracy of one run after every epoch, and around onsets inside of epochs, percent.

    epoch: [E], since the start. before: [E], t_pre, before what happens there; after: [E], t_post, the same number
    where nothing happens. event: bool [E], whether something does; an onset at which nothing is pruned is none.
    """

    epoch: Numbers
    before: Numbers
    after: Numbers
    event: NDArray[np.bool_]

    def instability(self) -> Numbers:
        """(t_pre - t_post) / t_pre of every event, a fraction. Source: Bartoldson et al. 2020, Figure 1."""
        pre, post = self.before[self.event], self.after[self.event]
        return np.asarray((pre - post) / np.where(pre > 0, pre, np.nan))

    def stability(self) -> Numbers:
        """1 - instability of every event, percent; above 100 where accuracy rose. Source: the same."""
        return np.asarray(100 * (1 - self.instability()))

    def mean_stability(self) -> float:
        """Mean stability over epochs with events, percent; 100 without any, NaN where accuracy was 0 before all.

        Source: Bartoldson et al. 2020, the authors' code (no pruning, and pruning before training, count as 100).
        """
        if not self.event.any():
            return 100.0
        return _mean_of_finite(self.stability())

    def drops(self) -> Numbers:
        """t_pre - t_post of every event, percentage points. Source: Bartoldson et al. 2019, section 3.1."""
        return np.asarray(self.before[self.event] - self.after[self.event])

    def mean_drop(self, *, positive: bool = False) -> float:
        """Mean drop over events, percentage points; positive: over falls only (2019, Figure 1 left). 0 without any."""
        drops = self.drops()
        chosen = drops[drops > 0] if positive else drops
        return float(chosen.mean()) if len(chosen) else 0.0

    def worst_drop(self) -> float:
        """The largest drop of an event, percentage points; 0 without any."""
        return float(self.drops().max()) if self.event.any() else 0.0

    def drop_at_last(self) -> float:
        """t_pre - t_post of the last event, percentage points; 0 without events.

        A trace that looks at events only knows no epoch before them, which `last_drop` compares with.
        """
        return float(self.drops()[-1]) if self.event.any() else 0.0

    def last_drop(self) -> float:
        """Accuracy of the epoch before the last event's minus accuracy right after that event, percentage points.

        0 without events; the event of the first epoch is compared with its own t_pre.
        Source: Bartoldson et al. 2019, caption of Figure A2.
        """
        if not self.event.any():
            return 0.0
        last = self.last_event
        earlier = self.after[last - 1] if last else self.before[last]
        return float(earlier - self.after[last])

    def best(self) -> int:
        """Index of the highest t_post from the last event on; of the whole run without events; the first of several.

        Source: Bartoldson et al. 2020, the authors' code ("Best Test Accuracy in Run").
        A maximum over many looks at a test set is optimistic, the more so the earlier pruning ends; `after[-1]`, the
        final accuracy, is not.
        """
        return self.last_event + int(self.after[self.last_event :].argmax())

    @property
    def last_event(self) -> int:
        """Index of the epoch of the last event; 0 without any."""
        return int(np.flatnonzero(self.event)[-1]) if self.event.any() else 0

    def best_accuracy(self) -> float:
        """The highest t_post from the last event on, percent."""
        return float(self.after[self.best()])

    def final_accuracy(self) -> float:
        """t_post of the last epoch, percent: nothing is selected on the test set."""
        return float(self.after[-1])

    def recovery(self) -> Numbers:
        """Epochs from every event until accuracy is back at its t_pre; NaN where that never happens.

        An event that costs nothing takes 0. Later events may delay a recovery; they do not end the wait.
        """
        found = []
        for place in np.flatnonzero(self.event):
            level = self.before[place]
            back = np.flatnonzero(self.before[place + 1 :] >= level)
            later = float(self.epoch[place + 1 + back[0]] - self.epoch[place]) if len(back) else np.nan
            found.append(0.0 if self.after[place] >= level else later)
        return np.array(found, dtype=np.float64)

    def mean_recovery(self) -> float:
        """Mean of `recovery` over the events from which accuracy came back; NaN without one."""
        return _mean_of_finite(self.recovery())

    def recovered(self, *, within: float = np.inf) -> float:
        """Percent of events from which accuracy came back, within so many epochs; 100 without any events."""
        waits = self.recovery()
        recovered = waits[np.isfinite(waits)]
        return 100 * float((recovered <= within).sum()) / len(waits) if len(waits) else 100.0


def _mean_of_finite(values: Numbers) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")


def epochs(trace: Values) -> Epochs:
    """The table of epochs of one trace.

    trace: columns phase, local, epoch, error, sparsity, as `EpochAccuracy` writes them. A probe that looks at events
    only gives a table of the events. What happens before the first step of a run is no event: nothing was learned
    that it could disturb. In a run that prunes for good, an onset that leaves sparsity as it is took nothing, as in
    layers with fewer units than onsets, and is no event; temporary noise leaves sparsity alone, and all of its onsets
    are events. Raises UsageError for an event that was seen after but not before.

    Source: Bartoldson et al. 2020, the authors' code: means over epochs in which a layer was pruned, and a network
    pruned before training, which is 100 % stable.
    """
    if not trace:  # nothing to see: a run without events under a probe that looks at events only
        nothing = np.empty(0, dtype=np.float64)
        return Epochs(nothing, nothing, nothing, np.empty(0, dtype=np.bool_))
    started = np.asarray(trace["local"]) > 0
    phase, local, epoch, error, sparsity = (
        np.asarray(trace[name])[started] for name in ("phase", "local", "epoch", "error", "sparsity")
    )
    phase = phase.astype(str)
    step = phase != "after"
    accuracy = 100 * (1 - error.astype(np.float64))
    before, after = accuracy[step], accuracy[step].copy()
    onset, pruned = np.zeros((2, len(before)), dtype=bool)
    for row in np.flatnonzero(phase == "after"):
        place = np.flatnonzero(local[step] == local[row])
        if len(place) != 1:
            raise UsageError(f"the events at step {local[row]} were not looked at before; use the probe EpochAccuracy")
        after[place[0]], onset[place[0]] = accuracy[row], True
        pruned[place[0]] = sparsity[row] != sparsity[step][place[0]]
    return Epochs(epoch.astype(np.float64)[step], before, after, pruned if pruned.any() else onset)


def accuracy_at(trace: Values, *, step: int) -> float:
    """Accuracy at a step of a run, before what happens there, percent.

    Raises UsageError for a step at which the probe did not look.
    """
    at_step = (np.asarray(trace["local"]) == step) & (np.asarray(trace["phase"]).astype(str) != "after")
    if not at_step.any():
        raise UsageError(f"the trace has no look at step {step}; take a moment at the end of an epoch")
    return 100 * (1 - float(np.asarray(trace["error"])[at_step][0]))
