"""`ps.audit`: from whatever a user has, modules, state dicts, files, runs and examples, to an audit.

Belongs here: names, examples, and passing on. Does not belong here: reading states (`states.py`), the audit itself
(`report.py`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from prunescope.audit import report
from prunescope.audit.states import Examples, states
from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.measures.measure import SplitName
from prunescope.runs.execution.status import Display
from prunescope.runs.graph.given import Given, task_of
from prunescope.runs.store.store import Store
from prunescope.tasks.data.layout import Layout
from prunescope.tasks.data.source import Source
from prunescope.tasks.data.tensors import Names, own
from prunescope.tasks.network import Prunable
from prunescope.tasks.targets import Target
from prunescope.tasks.task import CLASSES, Data

STORE = "prunescope-store"
NO_TRAINING_DATA = (
    "No training examples were given: where statistics of normalization are estimated anew, the inputs of the test "
    "examples are used, without their labels."
)


def audit(
    dense: Any,
    pruned: Any,
    *,
    test: Any = None,
    train: Any = None,
    network: Any = None,
    twins: Any = (),
    groups: Mapping[str, ArrayLike] | None = None,
    gate: Mapping[str, float] | None = None,
    delta: float = 1.0,
    split: SplitName = "test",
    why: int = 0,
    target: Target = CLASSES,
    classes: int | None = None,
    class_names: Names | None = None,
    prunable: Prunable | None = None,
    output: int | str | None = None,
    layout: Layout | None = None,
    store: Store | Path | str = STORE,
    device: str = "cpu",
    display: Display | None = None,
) -> report.AuditReport:
    """What pruning did to a network, to whom, and whether it is more than another seed changes; trains nothing.

    A state is a module, a state dict, the path of a file (.pt, .pth, .safetensors) or of a folder of OpenLTH, the first
    digits of a run of the store, a recipe, or a state of one. Exact zeros of weights count as removed.

    dense: the network before.
    pruned: what was made of it: one state, several (a series of sparsities, replicates), or several by name. Narrower
        layers, as torch-pruning leaves them, and other architectures are permitted.
    test: (x, y), a Dataset, a DataLoader, or a source such as ps.cifar10(), which has training examples as well; by
        default what runs among the states were trained for.
    train: training examples, likewise; needed for split="train" only.
    network: the class, function, instance or import path that state dicts are of.
    twins: networks trained like the dense one with other seeds; without them no claim blames pruning.
    groups: columns by name, each a text or a whole number for every example of the split, in its order.
    gate: bounds by name, percentage points: max-loss, max-class-loss, max-group-loss, max-disagreement.
    delta: points of error that a class or group may lose at what is called a safe sparsity.
    split: whose examples are looked at.
    why: on how many examples flatness, barriers and layers are looked at; 0 leaves them out, 512 is usual.
    target, classes, class_names, prunable, output: as of `Task.from_module`.
    layout: how networks get the examples of a source of several parts.
    store: the folder where states and what is read of them are kept.

    Raises UsageError for a state that cannot be read or fits no network, with every name, for networks that do not
    answer the same examples, for a twin that is the dense network itself, for groups that do not fit, and for unknown
    bounds.
    """
    if test is not None and train is None and split != "test" and not isinstance(test, Source):
        raise UsageError(f"split={split!r} needs training examples; give train=(x, y)")
    examples = _examples(test, train, target, classes, class_names, layout)
    kinds = {"pruned": labelled("pruned", pruned), "twin": labelled("twin", twins)}
    things = {"dense": dense, **kinds["pruned"], **kinds["twin"]}
    if twice := [name for name, count in Counter(["dense", *kinds["pruned"], *kinds["twin"]]).items() if count > 1]:
        raise UsageError(f"two networks are called {twice[0]!r}; give pruned= and twins= as dictionaries with names")
    store = store if isinstance(store, Store) else Store(store)
    found = states(things, examples, store, network=network, prunable=prunable, output=output)
    known = {name: found.states[name] for name in kinds["pruned"]}
    lacks_training = train is None and test is not None and not isinstance(test, Source)
    return report.audit(
        found.states["dense"],
        known,
        twins={name: found.states[name] for name in kinds["twin"]},
        store=store,
        groups=groups,
        gate=gate,
        delta=delta,
        split=split,
        why=why,
        notes=(
            *found.notes,
            *_unpruned(found.states["dense"], known),
            *((NO_TRAINING_DATA,) if lacks_training else ()),
        ),
        device=device,
        display=display,
    )


def _unpruned(dense: StateRef, pruned: Mapping[str, StateRef]) -> list[str]:
    """A sentence for every given state of the dense one's network in which nothing is 0: it may be meant as a twin."""
    given = {name: state.run for name, state in pruned.items() if isinstance(state.run, Given)}
    whole = [
        name
        for name, run in given.items()
        if run.weights is not None and run.weights.sparsity == 0 and run.task.network.id == task_of(dense).network.id
    ]
    says = "no weight is 0, and it is audited as pruned; another seed of the dense one is a twin"
    return [f"{name}: {says}" for name in whole]


def labelled(kind: str, things: Any) -> dict[str, Any]:
    """States by the names that a report gives them: their own, those of their files, or numbers."""
    if isinstance(things, Mapping) and not all(hasattr(leaf, "shape") for leaf in things.values()):
        return dict(things)
    listed = list(things) if isinstance(things, Sequence) and not isinstance(things, str) else [things]
    stems = [Path(thing).stem if isinstance(thing, str | Path) else "" for thing in listed]
    if all(stems) and len(set(stems)) == len(stems) and "dense" not in stems:
        return dict(zip(stems, listed, strict=True))
    names = [kind] if len(listed) == 1 and kind == "pruned" else [f"{kind}-{n}" for n in range(1, len(listed) + 1)]
    return dict(zip(names, listed, strict=True))


def _examples(
    test: Any, train: Any, target: Target, classes: int | None, class_names: Names | None, layout: Layout | None
) -> Examples | None:
    if test is None and train is None:
        return None
    if test is None:
        raise UsageError("there are training examples and no test examples; give test=(x, y)")
    if isinstance(test, Source):
        return Examples(Data(source=test), target, layout)
    source, layout, target = own(
        test if train is None else train, test, target=target, classes=classes, class_names=class_names
    )
    return Examples(Data(source=source), target, layout)
