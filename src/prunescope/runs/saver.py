"""Checkpoints of a run that is under way.

Belongs here: when a checkpoint is made. Does not belong here: its bytes (`codec.py`), where it lies (`store.py`).
"""

import time
from collections.abc import Callable
from functools import partial

from prunescope.runs.codec import Checkpoint
from prunescope.runs.engines import LOOP
from prunescope.runs.store import Store
from prunescope.training.background import Background
from prunescope.training.progress import Progress


class Saver:
    """Checkpoints from time to time, and passes the beat on."""

    def __init__(
        self,
        store: Store,
        run: str,
        watched: frozenset[str],
        every: float,
        beat: Callable[[int], bool],
        aside: Background | None = None,
    ) -> None:
        """aside: where checkpoints are stored while training goes on."""
        self.aside = aside
        self.store, self.run, self.watched, self.every, self.beat = store, run, watched, every, beat
        self.began = self.saved = time.monotonic()
        self.spent, self.stopped = 0.0, False
        self._counted, self._worked = self.began, 0.0
        self.setting = LOOP
        self.latest: Progress | None = None

    def share(self, among: int) -> None:
        """Counts the time since the last call as work on so many runs alike."""
        now = time.monotonic()
        self._worked += (now - self._counted) / among
        self._counted = now

    def __call__(self, progress: Progress) -> bool:
        """Whether to go on; checkpoints if the last one is old."""
        self.latest = progress
        if not self.beat(progress.local):
            self.stopped = True
            return False
        if time.monotonic() - self.saved >= self.every:
            self.save()
        return True

    def seconds(self) -> float:
        """Seconds of work on the run, those before a resume included; of a stack, its share."""
        return self.spent + self._worked + time.monotonic() - self._counted

    def elapsed(self) -> float:
        """Seconds since the run was taken up, whatever else was done in them."""
        return time.monotonic() - self.began

    def save(self) -> None:
        """Stores where the run is, if it has moved. Raises Lost where something failed beside training."""
        if self.latest is not None:
            found = Checkpoint(self.latest, self.watched, self.seconds(), self.setting)
            store = partial(self.store.save_partial, self.run, found)
            if self.aside is None:
                store()
            else:
                self.aside.do(store)
            self.saved = time.monotonic()

    def save_now(self) -> None:
        """The same, and it is stored when this returns."""
        self.save()
        self.settle()

    def settle(self) -> None:
        """Until everything is stored and seen that was left to be done beside training. Raises Lost."""
        if self.aside is not None:
            self.aside.wait()
