"""The nodes of a graph besides runs: readings, comparisons, traces, combinations, choices; and what depends on what.

Every node is a value whose id is made from its specification and its inputs' ids, so the graph is complete before
anything runs. A node's inputs are its `references`.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar, Self

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.importing import Importing
from prunescope.base.installed import is_shipped
from prunescope.base.overrides import unchanged
from prunescope.base.reference import StateRef
from prunescope.base.state import TrainState
from prunescope.base.steps import Clock
from prunescope.base.streams import seeded
from prunescope.base.value import Value
from prunescope.measures.measure import Comparison, Measure, State, plain
from prunescope.runs.graph.given import Run
from prunescope.runs.graph.recipe import Recipe
from prunescope.tasks.task import Problem
from prunescope.training.probes import Probe

A_STATE = "give a state, ps.final(run) at the end of a run, ps.given(module, task) of a network trained elsewhere"
"""What to write where a state is wanted."""


class Measured(Value):
    """What is computed of stored states, and stored itself."""

    by_id: ClassVar[bool] = True

    @model_validator(mode="after")
    def _possible(self) -> Self:
        tasks = [state.run.task for state in self.states if isinstance(state.run, Run)]
        if len(tasks) == len(self.states):
            self.of.require(*tasks)
        return self

    @property
    def states(self) -> tuple[StateRef, ...]:
        """The states, in order."""
        fields = (getattr(self, name) for name in type(self).model_fields)
        return tuple(field for field in fields if isinstance(field, StateRef))

    @property
    def title(self) -> str:
        """A short name for people, with the runs that the states are of."""
        name = type(self.of).__name__
        return f"{name} of {' and '.join(state.run.id[:8] for state in self.states)}"

    @property
    def of(self) -> Measure | Comparison:
        """The measure or comparison."""
        raise NotImplementedError

    def take(self, *states: State) -> dict[str, Tensor]:
        """The values by name, of the states in memory."""
        raise NotImplementedError


class Reading(Measured):
    """What `measure` says of one stored state."""

    field_hints: ClassVar[Mapping[str, str]] = {"state": A_STATE}
    measure: Measure
    state: StateRef

    @property
    def of(self) -> Measure:
        """The measure."""
        return self.measure

    def take(self, *states: State) -> dict[str, Tensor]:
        """What the measure says."""
        with _apart(self.measure, states) as (state,):
            return self.measure.measure(*state)


@contextmanager
def _apart(taken: Value, states: tuple[State, ...]) -> Iterator[tuple[State, ...]]:
    """The states; for what a user wrote copies, with seeded generators and with graphs where it asks for gradients."""
    if is_shipped(taken):
        yield states
        return
    with seeded(0), torch.enable_grad(), unchanged(taken):
        yield tuple(State(state.problem.apart(), state.weights.apart()) for state in states)


class Compared(Measured):
    """What `comparison` says of two stored states, whose runs may be of different networks if it permits that."""

    field_hints: ClassVar[Mapping[str, str]] = {"first": A_STATE, "second": A_STATE}
    comparison: Comparison
    first: StateRef
    second: StateRef

    @property
    def of(self) -> Comparison:
        """The comparison."""
        return self.comparison

    def take(self, *states: State) -> dict[str, Tensor]:
        """What the comparison says."""
        with _apart(self.comparison, states) as both:
            return self.comparison.compare(*both)


class Trace(Value):
    """What `probe` saw while `run` trained."""

    by_id: ClassVar[bool] = True
    probe: Probe
    run: Recipe


class Combined(Importing):
    """A function of several readings, traces or combinations.

    function: import path of (list of values, **args) -> dict of arrays.
    inputs: the nodes whose values it gets, in this order.
    args: its other arguments.
    """

    by_id: ClassVar[bool] = True
    path_field: ClassVar[str] = "function"
    function: str
    inputs: tuple[Value, ...]
    args: dict[str, float | int | str | bool] = {}


class Chosen(Importing):
    """One of several runs, chosen by what was measured: "the optimal sparsity".

    among: the runs.
    inputs: the nodes whose values the rule looks at.
    rule: import path of (list of values, **args) -> index into `among`.
    args: its other arguments.
    """

    by_id: ClassVar[bool] = True
    path_field: ClassVar[str] = "rule"
    among: tuple[Recipe, ...]
    inputs: tuple[Value, ...]
    rule: str
    args: dict[str, float | int | str | bool] = {}

    @field_validator("among")
    @classmethod
    def _some(cls, among: tuple[Recipe, ...]) -> tuple[Recipe, ...]:
        if not among:
            raise ValueError("there is nothing to choose among; give at least one recipe")
        return among


def closure(nodes: Iterable[Value]) -> dict[str, Value]:
    """Every node that the given ones need, themselves included, by id, inputs before what needs them.

    Raises UsageError for something that is no node.
    """
    ordered: dict[str, Value] = {}
    pending: list[tuple[Value, bool]] = [(node, False) for node in reversed(list(nodes))]
    while pending:
        node, entered = pending.pop()
        if node.id in ordered:
            continue
        if not node.by_id:
            raise UsageError(f"{type(node).__name__} is no node; give recipes, readings, traces or combinations")
        if entered:
            ordered[node.id] = node
            continue
        pending.append((node, True))
        pending.extend((value, False) for value in node.references if value.id not in ordered)
    return ordered


def runs_of(node: Value) -> list[Run]:
    """The runs that a node looks at: its nearest ones in the graph, itself if it is one."""
    if isinstance(node, Run):
        return [node]
    runs: dict[str, Run] = {}
    for value in node.references:
        runs.update((run.id, run) for run in runs_of(value))
    return list(runs.values())


def describe(value: object) -> object:
    """A value as plain JSON data for people: like its canonical form, with references readable and by id."""
    if isinstance(value, StateRef):
        return {"run": value.run.id, "moment": f"{value.moment.when} {value.moment.at}".removesuffix(" 0it")}
    if isinstance(value, Value):
        fields = {name: _inside(getattr(value, name)) for name in type(value).model_fields}
        return {"kind": type(value).__name__, **fields}
    return _inside(value)


def _inside(value: object) -> object:
    if isinstance(value, Value) and value.by_id and not isinstance(value, StateRef):
        return value.id
    if isinstance(value, tuple | list):
        return [_inside(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _inside(item) for key, item in value.items()}
    return describe(value) if isinstance(value, Value) else value


class Watch(Probe):
    """The numbers of a measure at logarithmically spaced steps: at the start, `per_decade` times a decade, at the end.

    measure: of its values, those that are no single number are left out.
    per_decade: how often between a step and ten times that step.
    """

    measure: Measure
    per_decade: int = Field(default=10, ge=1)

    def steps(self, clock: Clock) -> tuple[int, ...]:
        """0, the distinct rounded powers 10^(k / per_decade), and the end."""
        powers, k = {0, clock.total}, 0
        while (step := round(10 ** (k / self.per_decade))) < clock.total:
            powers.add(step)
            k += 1
        return tuple(sorted(powers))

    def observe(self, problem: Problem, state: TrainState, running_loss: float) -> dict[str, float]:
        """The measure's numbers, by its own names."""
        with _apart(self.measure, (State(problem, state.weights),)) as (own,):
            values = plain(self.measure.measure(*own), type(self.measure).__name__)
        return {name: float(value) for name, value in values.items() if value.ndim == 0}
