"""From whatever a user has, and the examples that it is looked at with, to states.

Belongs here: putting origins, networks and data together. Does not belong here: each of them.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import JsonValue
from torch import nn

from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.base.streams import Seeds
from prunescope.runs.given import files, modules, open_lth, stored, tensors
from prunescope.runs.given.networks import EXAMPLES, Networks
from prunescope.runs.given.tensors import FIRST, Loaded
from prunescope.runs.graph.families import final
from prunescope.runs.graph.given import Run, given
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store.store import Store
from prunescope.tasks.data.layout import Layout
from prunescope.tasks.data.source import Source
from prunescope.tasks.data.tensors import Names, own
from prunescope.tasks.model import Network, network_of
from prunescope.tasks.network import Prunable, with_prunable
from prunescope.tasks.targets import Target, require_target
from prunescope.tasks.task import CLASSES, Data, Task

ORIGINS: tuple[Callable[[Any, str, Store], Loaded | None], ...] = (
    modules.load,
    tensors.load,
    open_lth.load,
    files.load,
    stored.load,
)
"""Asked in this order; one that does not know what was given returns None."""


@dataclass(frozen=True)
class Examples:
    """What networks are compared on.

    data: the examples and their labels. seeds: of the labels, and of what is held out.
    target: what the labels are. loss, loss_args: as of a task; by default the target's.
    layout: how networks get the examples, where they are not one floating tensor.
    """

    data: Data
    target: Target = CLASSES
    layout: Layout | None = None
    loss: str | None = None
    loss_args: Mapping[str, JsonValue] = field(default_factory=dict)
    seeds: Seeds = FIRST

    @classmethod
    def of(cls, task: Task, seeds: Seeds) -> Self:
        """Those of a task."""
        return cls(task.data, task.target, task.network.layout, task.loss, task.loss_args, seeds)

    @classmethod
    def read(
        cls,
        test: Any,
        train: Any = None,
        *,
        target: Target = CLASSES,
        classes: int | None = None,
        class_names: Names | None = None,
        layout: Layout | None = None,
    ) -> Self | None:
        """Those that a user has, a source or what `tensors.own` takes; None where nothing is given.

        Raises UsageError for training examples without test examples, and for what is no examples.
        """
        require_target(target)
        if test is None and train is None:
            return None
        if test is None:
            raise UsageError("there are training examples and no test examples; give test=(x, y)")
        if isinstance(test, Examples):
            return cls(test.data, target, test.layout)
        if isinstance(test, Source):
            return cls(Data(source=test), target, layout)
        source, layout, target = own(train, test, target=target, classes=classes, class_names=class_names)
        return cls(Data(source=source), target, layout)

    def task(self, network: Network) -> Task:
        """The task of a network on them."""
        loss = self.loss or self.target.loss
        return Task(network=network, data=self.data, loss=loss, loss_args=dict(self.loss_args), target=self.target)


@dataclass(frozen=True)
class States:
    """States by name, in the order in which they were given, and what was done to make them states."""

    states: Mapping[str, StateRef]
    notes: tuple[str, ...]


def states(
    things: Mapping[str, Any],
    examples: Examples | None,
    store: Store,
    *,
    network: Any = None,
    prunable: Prunable | None = None,
    output: int | str | None = None,
) -> States:
    """The states of modules, state dicts, files, ids of runs; a recipe or a state of one stands for itself.

    things: by the names that messages and reports call them.
    examples: what they are compared on; by default what runs of the store were trained for.
    network: the class, function, import path or instance that state dicts are of.
    prunable, output: as of `Task.from_module`.

    Raises UsageError for what cannot be read, fits no network, or is not finite.
    """
    made: dict[str, StateRef] = {}
    notes: list[str] = []
    networks: Networks | None = None
    place = examples
    for name, thing in things.items():
        if isinstance(thing, StateRef | Recipe):
            made[name] = final(thing) if isinstance(thing, Recipe) else thing
            if isinstance(run := made[name].run, Run):
                if examples is not None and run.task.data.source.id != examples.data.source.id:
                    raise UsageError(
                        f"{name!r} is of a run, which has its own data, and test= gives others; leave test= out, or "
                        "give the run's module: ps.load_module(run, store=...)"
                    )
                place, network = place or Examples.of(run.task, run.seeds), network or run.task.network
            continue
        loaded = _load(thing, str(thing) if isinstance(thing, str | Path) else name, store)
        if examples is None and loaded.task is not None:
            place = Examples.of(loaded.task, loaded.seeds)
        if place is None:
            raise UsageError(f"{loaded.name} comes without examples; give test=(x, y), or --data")
        networks = networks or _networks(place, network, prunable, output)
        fitted = networks.fit(loaded, exact=not made)
        made[name] = given(fitted.weights, place.task(fitted.network), seeds=place.seeds)
        notes += fitted.notes
    return States(made, (*notes, *_equal(made)))


def named(**kinds: Any) -> dict[str, dict[str, Any]]:
    """States of several kinds by the names of a report. Raises UsageError for no name, and for one twice."""
    singular = {"controls": "control", "twins": "twin"}
    found = {kind: labelled(singular.get(kind, kind), things) for kind, things in kinds.items()}
    names = Counter(["dense", *(name for kind in found.values() for name in kind)])
    if odd := [name for name in names if not isinstance(name, str) or not name.isprintable() or not name.strip()]:
        raise UsageError(f"a network is called {odd[0]!r}; give a text that is not empty and can be printed")
    if twice := [name for name, count in names.items() if count > 1]:
        raise UsageError(f"two networks are called {twice[0]!r}; rename a file, or give dictionaries with names")
    return found


def labelled(kind: str, things: Any) -> dict[str, Any]:
    """States by the names that a report gives them: their own, those of their files, or numbers."""
    states: Any = Mapping | nn.Module | StateRef | Recipe | str | Path
    saved = isinstance(things, Mapping) and any(isinstance(things.get(key), Mapping) for key in tensors.WRAPPED)
    if isinstance(things, Mapping) and things and not saved and all(isinstance(t, states) for t in things.values()):
        return dict(things)
    listed = list(things) if isinstance(things, Sequence) and not isinstance(things, str) else [things]
    stems = [Path(thing).stem if isinstance(thing, str | Path) else "" for thing in listed]
    if all(stems) and len(set(stems)) == len(stems) and "dense" not in stems:
        return dict(zip(stems, listed, strict=True))
    names = [kind] if len(listed) == 1 and kind == "pruned" else [f"{kind}-{n}" for n in range(1, len(listed) + 1)]
    return dict(zip(names, listed, strict=True))


def _load(thing: Any, name: str, store: Store) -> Loaded:
    """The tensors of whatever a user gave. Raises UsageError for what cannot be read, and for what is no origin."""
    for origin in ORIGINS:
        if (loaded := origin(thing, name, store)) is not None:
            return loaded
    raise UsageError(
        f"{name} is neither a file that is here nor the beginning of a run's id in {store.url}"
        if isinstance(thing, str)
        else f"{name} is a {type(thing).__name__}; give a module, a state dict, the path of a file, or the id of a run"
    )


def _networks(examples: Examples, like: Any, prunable: Prunable | None, output: int | str | None) -> Networks:
    inputs = examples.data.source.load().test_x
    example = inputs.take(torch.arange(min(EXAMPLES, len(inputs))))
    if like is not None and not isinstance(like, Network):
        like = network_of(like)

    def dress(net: Network) -> Network:
        net = net.replace(layout=examples.layout) if examples.layout is not None else net
        net = net.replace(output=output) if output is not None else net
        return with_prunable(net, prunable, example)

    return Networks(like, inputs, dress)


def _equal(states: Mapping[str, StateRef]) -> list[str]:
    """A sentence for every state that is the same as an earlier one."""
    first: dict[str, str] = {}
    for name, state in states.items():
        first.setdefault(state.id, name)
    return [f"{name} is the very same state as {first[s.id]}" for name, s in states.items() if first[s.id] != name]
