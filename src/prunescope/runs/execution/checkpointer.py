"""Checkpoints of a run that is under way: everything that a bitwise resume needs, and when it is stored.

Belongs here: what a checkpoint holds, its file in a store, the moments at which one is made. Does not belong here: what
is done with a run that resumes (`workbench.py`).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from prunescope.base.errors import StoreError
from prunescope.base.state import TrainState, Weights
from prunescope.runs.machine.engines import LOOP, EngineSetting
from prunescope.runs.store.codec import Nested, from_bytes, to_bytes
from prunescope.runs.store.store import Store
from prunescope.training.progress import Progress


@dataclass(frozen=True)
class Checkpoint:
    """An unfinished run.

    progress: where it is.
    watched: ids of the probes and moments that it has looked for since its start.
    seconds: of work so far.
    setting: how it is trained, which a resume keeps.
    """

    progress: Progress
    watched: frozenset[str]
    seconds: float
    setting: EngineSetting = LOOP


class Checkpointer:
    """Counts the work on a run, stores a checkpoint from time to time, and asks whether to go on."""

    def __init__(
        self,
        store: Store,
        run: str,
        watched: frozenset[str],
        every: float,
        beat: Callable[[int], bool],
        *,
        setting: EngineSetting = LOOP,
    ) -> None:
        """Starts to count.

        watched: ids of the probes and moments that the run looks for.
        every: seconds between checkpoints.
        beat: gets the steps done so far; False stops the run.
        setting: how the run is trained.
        """
        self.store, self.run, self.watched, self.every, self.beat = store, run, watched, every, beat
        self.setting = setting
        self.began = self.saved = self._counted = time.monotonic()
        self.spent = 0.0  # seconds of work: before a resume, and counted by `share`
        self.stopped = False
        self.latest: Progress | None = None

    def share(self, among: int) -> None:
        """Counts the time since the last call as work on so many runs alike."""
        now = time.monotonic()
        self.spent += (now - self._counted) / among
        self._counted = now

    def __call__(self, progress: Progress) -> bool:
        """Whether to go on; stores a checkpoint if the last one is old."""
        self.latest = progress
        if not self.beat(progress.local):
            self.stopped = True
            return False
        if time.monotonic() - self.saved >= self.every:
            self.save()
        return True

    def seconds(self) -> float:
        """Seconds of work on the run, those before a resume included; of a pack, its share."""
        return self.spent + time.monotonic() - self._counted

    def elapsed(self) -> float:
        """Seconds since the run was taken up, whatever else was done in them."""
        return time.monotonic() - self.began

    def save(self) -> None:
        """Stores a checkpoint, if the run has moved."""
        if self.latest is not None:
            checkpoint = Checkpoint(self.latest, self.watched, self.seconds(), self.setting)
            save_checkpoint(self.store, self.run, checkpoint)
            self.saved = time.monotonic()


def save_checkpoint(store: Store, run: str, checkpoint: Checkpoint) -> None:
    """Replaces the checkpoint of an unfinished run."""
    store.storage.put(store.partial_key(run), checkpoint_to_bytes(checkpoint, run))


def load_checkpoint(store: Store, run: str) -> Checkpoint | None:
    """The checkpoint of an unfinished run; None if there is none that can be read."""
    key = store.partial_key(run)
    if (content := store.storage.get(key)) is None:
        return None
    try:
        return checkpoint_from_bytes(content, store.where(key), run)
    except StoreError:
        store.storage.delete(key)  # only time is lost: the run starts again
        return None


def checkpoint_to_bytes(checkpoint: Checkpoint, run: str = "") -> bytes:
    """A checkpoint of a run as the content of a file."""
    progress = checkpoint.progress
    state = progress.state
    nested = {
        **_nested(state.weights),
        "opt": state.opt,
        "memory": state.memory,
        "held": state.held,
        "running": {"loss": progress.running},
        "kept": {moment: _nested(weights) for moment, weights in progress.kept.items()},
    }
    facts = {
        "start": progress.start,
        "step": state.step,
        "schedule_step": state.schedule_step,
        "finished": progress.finished,
        "members": progress.members,
        "traces": progress.traces,
        "memories": sorted(state.memory),
        "opts": sorted(state.opt),
        "watched": sorted(checkpoint.watched),
        "seconds": checkpoint.seconds,
        "setting": checkpoint.setting.model_dump(),
    }
    return to_bytes(nested, facts, run)


def checkpoint_from_bytes(content: bytes, name: str, run: str = "") -> Checkpoint:
    """The inverse of `checkpoint_to_bytes`. Raises StoreError as `from_bytes` does, and for another layout."""
    nested, facts = from_bytes(content, name, run)
    try:
        progress = _progress(nested, facts)
        setting = EngineSetting.model_validate(facts["setting"])
        return Checkpoint(progress, frozenset(facts["watched"]), facts["seconds"], setting)
    except (KeyError, ValidationError) as problem:
        raise StoreError(f"{name} is no checkpoint of this version: it has no {problem}") from problem


def _progress(nested: Nested, facts: dict[str, Any]) -> Progress:
    state = TrainState(
        step=facts["step"],
        schedule_step=facts["schedule_step"],
        weights=_weights(nested),
        opt={name: nested.get("opt", {}).get(name, {}) for name in facts["opts"]},
        memory={name: nested.get("memory", {}).get(name, {}) for name in facts["memories"]},
        held=nested.get("held", {}),
    )
    return Progress(
        start=facts["start"],
        state=state,
        running=nested["running"]["loss"],
        kept={moment: _weights(part) for moment, part in nested.get("kept", {}).items()},
        traces=facts["traces"],
        finished=facts["finished"],
        members=tuple(facts.get("members", ())),
    )


def _nested(weights: Weights) -> Nested:
    """Weights as they are; a checkpoint is short-lived and has to be fast, so no mask is packed."""
    return {"params": weights.params, "buffers": weights.buffers, "masks": weights.masks}


def _weights(nested: Nested) -> Weights:
    return Weights(nested["params"], nested.get("buffers", {}), nested.get("masks", {}))
