"""Timing several things against each other."""

import time
from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.result import Numbers


def interleaved(contestants: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, Numbers]:
    """Seconds of every contestant in every round, [rounds], after one round that does not count.

    Every round runs all of them, forth in one round and back in the next, so that a machine that slows down slows
    all of them and ratios inside a round stay right.
    """
    seconds = {name: np.empty(rounds + 1) for name in contestants}
    for turn in range(rounds + 1):
        names = list(contestants)
        for name in reversed(names) if turn % 2 else names:
            began = time.perf_counter()
            contestants[name]()
            seconds[name][turn] = time.perf_counter() - began
    return {name: values[1:] for name, values in seconds.items()}


def in_turns(contestants: Mapping[str, Callable[[], float]], *, turns: int) -> dict[str, Numbers]:
    """What every contestant says that it took, [turns], in turns as above; none of them is left out.

    For what takes long and begins anew each time, so that there is nothing to warm up.
    """
    seconds = {name: np.empty(turns) for name in contestants}
    for turn in range(turns):
        names = list(contestants)
        for name in reversed(names) if turn % 2 else names:
            seconds[name][turn] = contestants[name]()
    return seconds
