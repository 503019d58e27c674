"""What an intervention is: a frozen value that changes weights at scheduled steps."""

from collections.abc import Callable
from typing import ClassVar, Protocol

from prunescope.base.reference import StateRef
from prunescope.base.state import TrainState, Weights
from prunescope.base.steps import Clock
from prunescope.base.tree import Tree
from prunescope.base.value import Value
from prunescope.sparsity import scores
from prunescope.sparsity.structure import Structure


class Context(scores.Context, Protocol):
    """What an intervention may ask for at an event, besides what a score may; it sees one replica.

    Draws are named, and belong to this step and this intervention, under seeds.mask.
    """

    @property
    def key(self) -> str:
        """The name under which `TrainState.memory` holds this intervention's memory."""

    @property
    def clock(self) -> Clock:
        """The clock of the run; its total is the run's own length."""

    @property
    def local(self) -> int:
        """Steps since the run's start."""

    @property
    def event(self) -> int:
        """Which of this intervention's events this is, from 0."""

    @property
    def events(self) -> int:
        """How many events it has in this run."""

    @property
    def moments(self) -> tuple[str, ...]:
        """Names of the optimizer's states that are shaped like parameters."""

    @property
    def structure(self) -> Structure:
        """Where the network's units are. Raises UsageError when its forward pass cannot be followed."""

    def reference(self, reference: StateRef) -> Weights:
        """The weights of a referenced state of another run."""

    def fresh(self) -> Weights:
        """Newly drawn weights of the network, keyed by seeds.init and this step; masks all kept."""


class Intervention(Value):
    """A weight change at scheduled steps; several act in declaration order.

    Only an intervention changes masks. Everything is pure: states and memories are replaced, never mutated.
    """

    observes: ClassVar[bool] = False

    def events(self, clock: Clock) -> tuple[int, ...]:
        """Steps, counted from the run's start, before which `apply` is called; clock.total is the run's length."""
        raise NotImplementedError

    def onsets(self, clock: Clock) -> tuple[int, ...]:
        """The events at which something new is done to the network; at the others it goes on, or ends."""
        return self.events(clock)

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state after the event."""
        raise NotImplementedError

    def check(self, clock: Clock, structure: Callable[[], Structure]) -> None:
        """Raises UsageError for what cannot be done in this run; called before its first step.

        structure: returns where the network's units are; asked only if it is needed.
        """

    def init(self, weights: Weights) -> Tree:
        """The memory at the start of the run: tensors that are checkpointed with the run."""
        return {}

    def needs(self, step: int) -> frozenset[str]:
        """Names of modules whose outputs `observe` wants in the training pass of this step of the run."""
        return frozenset()

    def observe(self, memory: Tree, captured: Tree) -> Tree:
        """The memory after a training pass with the captured outputs; called only where `needs` names some."""
        return memory


def memory_key(index: int, intervention: Intervention) -> str:
    """The name of an intervention's memory: its place in the recipe and its kind."""
    return f"{index}:{type(intervention).__name__}"
