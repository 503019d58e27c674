"""The interface of interventions: frozen values that change weights at scheduled steps; what they hold at zero."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol

from prunescope.base.reference import StateRef
from prunescope.base.state import TrainState, Weights
from prunescope.base.steps import Clock
from prunescope.base.tree import Tree, masked
from prunescope.base.value import Value
from prunescope.sparsity import scores
from prunescope.sparsity.structure import Structure
from prunescope.training.interventions.when import At, When

REMOVED = "removed/held/"
"""The beginning of the names in a memory for parameters that are held because their unit is removed."""


class Context(scores.Context, Protocol):
    """The things that an intervention may ask for at an event, in addition to those that a score may; of one replica.

    Draws are named, and are keyed by seeds.mask, this intervention and this step.
    """

    @property
    def key(self) -> str:
        """The key of this intervention's memory in `TrainState.memory`."""

    @property
    def clock(self) -> Clock:
        """The clock of the run; its total is the length of the run."""

    @property
    def local(self) -> int:
        """Steps since the run's start."""

    @property
    def event(self) -> int:
        """The number of this event among those of the intervention, from 0."""

    @property
    def events(self) -> int:
        """The number of events of the intervention in this run."""

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of the optimizer's states that are shaped like parameters."""

    @property
    def structure(self) -> Structure:
        """The units of the network. Raises UsageError when its forward pass cannot be traced."""

    def reference(self, reference: StateRef) -> Weights:
        """The weights of a referenced state of another run."""

    def fresh(self) -> Weights:
        """Newly drawn weights of the network, keyed by seeds.init and this step, with all weights kept."""


class Intervention(Value):
    """A weight change at scheduled steps; several act in declaration order.

    Only interventions change masks. They are pure: states and memories are replaced, never mutated.
    """

    shortcuts: ClassVar[Mapping[str, str]] = {"observes": "needs"}

    @property
    def observes(self) -> bool:
        """Whether `observe` is called in training: whether the class names modules in `needs`."""
        return type(self).needs is not Intervention.needs

    @abstractmethod
    def events(self, clock: Clock) -> tuple[int, ...]:
        """Steps, counted from the run's start, before which `apply` is called; clock.total is the run's length."""

    def onsets(self, clock: Clock) -> tuple[int, ...]:
        """The events at which something new is done to the network; at the others, something continues or ends."""
        return self.events(clock)

    @abstractmethod
    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state after the event."""

    def check(self, clock: Clock, structure: Callable[[], Structure]) -> None:
        """Raises UsageError for an intervention that is impossible in this run; called before its first step.

        structure: returns the units of the network; called only if they are needed.
        """

    def init(self, weights: Weights) -> Tree:
        """The memory at the start of the run, tensors that are stored in its checkpoints."""
        return {}

    def needs(self, step: int) -> frozenset[str]:
        """Names of the modules whose outputs `observe` receives from the training pass of this step of the run."""
        return frozenset()

    def observe(self, memory: Tree, captured: Tree) -> Tree:
        """The memory after a training pass; captured: outputs by module. Called only where `needs` has names."""
        return memory


class ScheduledIntervention(Intervention):
    """An intervention at the steps of a rule.

    when: the rule.
    """

    when: When = At()

    def events(self, clock: Clock) -> tuple[int, ...]:
        """The steps of `when`."""
        return self.when.steps(clock)

    def onsets(self, clock: Clock) -> tuple[int, ...]:
        """The steps of `when`."""
        return self.when.steps(clock)


def memory_key(index: int, intervention: Intervention) -> str:
    """The key of an intervention's memory: its place in the recipe and its class."""
    return f"{index}:{type(intervention).__name__}"


def with_memory(state: TrainState, key: str, memory: Tree) -> TrainState:
    """The state with a new memory of intervention `key`, and `held` computed from all memories; what is held is 0.

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
    params = masked(state.weights.params, {name: ~where for name, where in held.items()})
    return state.replace(memory=memories, held=held, weights=state.weights.replace(params=params))
