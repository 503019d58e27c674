"""`ps.audit`: from whatever a user has, modules, state dicts, files, runs and examples, to an audit.

Belongs here: names, examples, and passing on. Does not belong here: reading states (`states.py`), the audit
itself (`study.py`), its report (`report.py`).
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, get_args

import torch
from numpy.typing import ArrayLike
from torch import nn

from prunescope.audit.evidence import check_inputs
from prunescope.audit.gate import checked
from prunescope.audit.report import AuditReport
from prunescope.audit.study import Audit
from prunescope.audit.twins import train as train_missing
from prunescope.audit.twins import twins_of
from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.base.reference import StateRef
from prunescope.base.state import Weights
from prunescope.measures.measure import SplitName
from prunescope.measures.robustness import CORRUPTIONS, SEVERITIES, Condition, OtherData
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.status import Display
from prunescope.runs.given.states import Examples, states
from prunescope.runs.graph.given import Given, task_of
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store.store import Store
from prunescope.studies.claim import judge_all
from prunescope.studies.groups import column
from prunescope.tasks.data.layout import Layout
from prunescope.tasks.data.source import Source
from prunescope.tasks.data.tensors import Names, own
from prunescope.tasks.network import Prunable
from prunescope.tasks.targets import Target
from prunescope.tasks.task import CLASSES, Data

STORE = "prunescope-store"
RELATED = 0.5
"""The cosine of two networks' weights from which it is asked whether they are two; of two starts it is about 0."""
States = Mapping[str, StateRef]
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
    controls: Any = (),
    recipe: Recipe | None = None,
    groups: Mapping[str, ArrayLike] | None = None,
    gate: Mapping[str, float] | None = None,
    delta: float = 1.0,
    split: SplitName = "test",
    why: int = 0,
    corruptions: bool | Sequence[str] = (),
    shifted: Any = None,
    target: Target = CLASSES,
    classes: int | None = None,
    class_names: Names | None = None,
    prunable: Prunable | None = None,
    output: int | str | None = None,
    layout: Layout | None = None,
    store: Store | Path | str = STORE,
    device: str = "cpu",
    display: Display | None = None,
) -> AuditReport:
    """What pruning did to a network, to whom, and whether it is more than another seed changes.

    Nothing is trained but what is given as a recipe, and twins where they are a number.

    A state is a module, a state dict, the path of a file (.pt, .pth, .safetensors) or of a folder of OpenLTH, the first
    digits of a run of the store, a recipe, or a state of one. Exact zeros of weights count as removed.

    dense: the network before.
    pruned: what was made of it: one state, several (a series of sparsities, replicates), or several by name. Narrower
        layers, as torch-pruning leaves them, and other architectures are permitted.
    test: (x, y), a Dataset, a DataLoader, or a source such as ps.cifar10(), which has training examples as well; by
        default what runs among the states were trained for.
    train: training examples, likewise; needed for split="train" only.
    network: the class, function, instance or import path that state dicts are of.
    twins: networks trained like the dense one with other seeds, or how many to train by its recipe; without them no
        claim blames pruning.
    controls: networks that got everything but pruning, such as more training or fewer channels: shown beside it.
    recipe: how the dense network was trained, where twins are a number and it is no run of the store.
    groups: columns by name, each a text or a whole number for every example of the split, in its order.
    gate: bounds by name, percentage points: max-loss, max-class-loss, max-group-loss, max-disagreement.
    delta: points of error that a class or group may lose at what is called a safe sparsity.
    split: whose examples are looked at.
    why: on how many examples flatness, barriers and layers are looked at; 0 leaves them out, 512 is usual.
    corruptions: names in CORRUPTIONS, such as "blur", or True for all: the same tables under their five severities.
    shifted: another data set with the same classes, as test is: the same tables on its test examples.
    target, classes, class_names, prunable, output: as of `Task.from_module`.
    layout: how networks get the examples of a source of several parts.
    store: the folder where states and what is read of them are kept.

    Raises UsageError for a state that cannot be read or fits no network, with every name, for networks that do not
    answer the same examples, for a twin that is the dense network itself, for groups that do not fit, and for unknown
    bounds.
    """
    for name, given in (("groups", groups), ("gate", gate)):
        if not isinstance(given, Mapping | None):
            raise UsageError(f"{name} is a {type(given).__name__}; give a dictionary of names")
    if not (isinstance(delta, Real) and delta >= 0):
        raise UsageError(f"delta={delta!r} is no number of points that may be lost; give 0 or more")
    if not (isinstance(why, int) and why >= 0):
        raise UsageError(f"why={why!r} is no number of examples; give 0 or more, 512 is usual")
    if split not in get_args(SplitName):
        raise UsageError(f"split={split!r} is none of {', '.join(get_args(SplitName))}")
    examples = _examples(test, train, target, classes, class_names, layout)
    lacks_training = examples is not None and _twice(examples.data.source)
    if lacks_training and split != "test":
        raise UsageError(f"split={split!r} needs training examples; give train=(x, y), or data that have some")
    if recipe is not None and examples is None:
        examples, network = Examples.of(recipe.task, recipe.seeds), network or recipe.task.network
    store = store if isinstance(store, Store) else Store(store)
    if isinstance(twins, int):
        twins = twins_of(twins, dense, recipe, store)
    elif recipe is not None:
        raise UsageError("recipe= is for twins that are trained; say how many by twins=3, or leave it out")
    kinds = {"pruned": labelled("pruned", pruned), "controls": labelled("control", controls)}
    kinds |= {"twins": labelled("twin", twins)}
    if not kinds["pruned"]:
        raise UsageError("there is no pruned network to audit; give at least one")
    names = Counter(["dense", *(name for kind in kinds.values() for name in kind)])
    if odd := [name for name in names if not isinstance(name, str) or not name.strip()]:
        raise UsageError(f"a network is called {odd[0]!r}; give a text that is not empty")
    if twice := [name for name, count in names.items() if count > 1]:
        raise UsageError(f"two networks are called {twice[0]!r}; rename a file, or give dictionaries with names")
    things = {"dense": dense} | kinds["pruned"] | kinds["controls"] | kinds["twins"]
    found = states(things, examples, store, network=network, prunable=prunable, output=output)
    known = {kind: {name: found.states[name] for name in named} for kind, named in kinds.items()}
    before = found.states["dense"]
    for name, state in known["twins"].items():
        if state.id == before.id:
            raise UsageError(f"{name!r} is the dense network itself; a twin is trained with another seed")
        if same := [other for other, one in known["pruned"].items() if one.id == state.id]:
            raise UsageError(f"{name!r} is the pruned network {same[0]!r}; a twin is dense, trained with another seed")
    data = task_of(before).data
    names = data.source.class_names
    other = _examples(shifted, None, target, classes, class_names or names or None, layout)
    if other and names and other.data.source.class_names not in ((), names):
        raise UsageError(
            f"the shifted examples are of the classes {', '.join(other.data.source.class_names[:12])}, and the others "
            f"of {', '.join(names[:12])}; name them alike, by class_names"
        )
    counts = {"test": data.source.test, "validation": data.validation, "train": data.train_examples}
    columns = {name: column(name, values, counts.get(split, 0)) for name, values in (groups or {}).items()}
    plan = Audit(
        before,
        **known,
        groups=columns,
        gate=checked(gate or {}, groups=bool(groups)),
        delta=delta,
        split=split,
        why=why,
        conditions=_conditions(corruptions, other),
        notes=(*found.notes, *_doubts(before, **known), *((NO_TRAINING_DATA,) if lacks_training else ())),
    )
    check_inputs(plan.states, split)
    train_missing(plan.states.values(), store, device, display)
    try:
        results = ensure(plan.all_nodes, store=store, workers=1, device=device, display=display)
    except PrunescopeError as problem:
        ids = {state.run.id[:8]: name for name, state in reversed(plan.states.items())}
        problem.args = (re.sub("|".join(ids), lambda found: repr(ids[found[0]]), str(problem)),)
        raise
    study = plan.study()
    return AuditReport(plan, study, results, judge_all(study.claims, results))


def _conditions(corruptions: bool | Sequence[str], shifted: Examples | None) -> dict[str, Condition]:
    """Conditions by name: every severity of the corruptions, and the shifted data set."""
    known = {re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower(): kind for kind in CORRUPTIONS}
    given = tuple(known) if corruptions is True else corruptions or ()
    names = [given] if isinstance(given, str | int) else list(given)
    if odd := [name for name in names if name not in known]:
        raise UsageError(f"{odd[0]!r} is no corruption; there are {', '.join(known)}")
    made: dict[str, Condition] = {f"{name} {k}": known[name](severity=k) for name in names for k in SEVERITIES}
    return made | ({"shifted": OtherData(source=shifted.data.source)} if shifted else {})


def _twice(source: Source) -> bool:
    """Whether the test examples stand in the place of the training examples, too."""
    if source.train != source.test:
        return False
    arrays, some = source.load(), torch.arange(min(100, source.test))
    return torch.equal(arrays.train_y, arrays.test_y) and torch.equal(
        arrays.train_x.take(some), arrays.test_x.take(some)
    )


def _doubts(dense: StateRef, pruned: States, twins: States, controls: States) -> Iterator[str]:
    """A sentence for every given state of the dense one's network that may be meant as another kind."""
    for name, weights in _alike(dense, pruned):
        if weights.sparsity == 0:
            yield f"{name}: no weight is 0, and it is audited as pruned; another seed of the dense one is a twin"
    before = dict(_alike(dense, {"dense": dense}))
    for name, weights in _alike(dense, twins) if before else ():
        pair = (before["dense"], weights)
        one, other = (torch.cat([state.params[key].flatten() for key in weights.masks]) for state in pair)
        if (cosine := float(torch.cosine_similarity(one, other, dim=0))) > RELATED:
            yield (
                f"{name}: its weights are close to the dense network's (cosine {cosine:.2f}). If it is an earlier or "
                "later state of the same training it is no twin; if it only started from the same weights, another "
                "start may change more than is said here"
            )


def _alike(dense: StateRef, states: States) -> Iterator[tuple[str, Weights]]:
    """The weights of given states that are of the dense one's network, by name."""
    for name, state in states.items():
        run = state.run
        if isinstance(run, Given) and run.weights and run.task.network.id == task_of(dense).network.id:
            yield name, run.weights


def labelled(kind: str, things: Any) -> dict[str, Any]:
    """States by the names that a report gives them: their own, those of their files, or numbers."""
    states: Any = Mapping | nn.Module | StateRef | Recipe | str | Path
    if things and isinstance(things, Mapping) and all(isinstance(thing, states) for thing in things.values()):
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
    source, layout, target = own(train, test, target=target, classes=classes, class_names=class_names)
    return Examples(Data(source=source), target, layout)
