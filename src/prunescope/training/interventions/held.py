"""Weights that are at zero for a while."""

from prunescope.base.state import TrainState
from prunescope.base.tree import Tree

REMOVED = "removed/held/"
"""How a memory's name begins for what is held because its unit is gone for good."""


def with_memory(state: TrainState, key: str, memory: Tree) -> TrainState:
    """The state with the memory of intervention `key` exchanged, and `held` as all memories now say.

    A memory says that a weight is held by a bool tensor called ".../held/<parameter>".
    """
    return _with_memories(state, {**state.memory, key: memory})


def without_removed(state: TrainState) -> TrainState:
    """The state in which nothing is held because its unit is gone; temporary holds stay."""
    memories = {
        key: {name: leaf for name, leaf in memory.items() if not name.startswith(REMOVED)}
        for key, memory in state.memory.items()
    }
    return _with_memories(state, memories)


def _with_memories(state: TrainState, memories: dict[str, Tree]) -> TrainState:
    held: Tree = {}
    for tensors in memories.values():
        for name, where in tensors.items():
            _, mark, param = name.partition("/held/")
            if mark:
                held[param] = held[param] | where if param in held else where
    return state.replace(memory=memories, held=held)
