"""Weights that are at zero for a while."""

from prunescope.base.state import TrainState
from prunescope.base.tree import Tree

REMOVED = "removed/held/"
"""The beginning of the names in a memory for parameters that are held because their unit is removed."""


def with_memory(state: TrainState, key: str, memory: Tree) -> TrainState:
    """The state with a new memory of intervention `key`, and `held` computed from all memories.

    A memory holds a parameter by a bool tensor called ".../held/<parameter>", True = held.
    """
    return _with_memories(state, {**state.memory, key: memory})


def without_removed(state: TrainState) -> TrainState:
    """The state in which no parameter is held because its unit is removed; temporary holds stay."""
    memories = {
        key: {name: leaf for name, leaf in memory.items() if not name.startswith(REMOVED)}
        for key, memory in state.memory.items()
    }
    return _with_memories(state, memories)


def _with_memories(state: TrainState, memories: dict[str, Tree]) -> TrainState:
    held: Tree = {}
    for memory in memories.values():
        for name, where in memory.items():
            _, mark, param = name.partition("/held/")
            if mark:
                held[param] = held[param] | where if param in held else where
    return state.replace(memory=memories, held=held)
