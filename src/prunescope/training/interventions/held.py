"""Weights that are at zero for a while.

Belongs here: keeping `TrainState.held` equal to what the interventions' memories say. Does not belong here: which
weights are held, and for how long.
"""

from prunescope.base.state import TrainState
from prunescope.base.tree import Tree


def with_memory(state: TrainState, key: str, memory: Tree) -> TrainState:
    """The state with the memory of intervention `key` exchanged, and `held` as all memories now say.

    A memory says that a weight is held by a bool tensor called ".../held/<parameter>".
    """
    memories = {**state.memory, key: memory}
    held: Tree = {}
    for tensors in memories.values():
        for name, where in tensors.items():
            _, mark, param = name.partition("/held/")
            if mark:
                held[param] = held[param] | where if param in held else where
    return state.replace(memory=memories, held=held)
