"""`ps.audit`: from whatever a user has, modules, state dicts, files, runs and examples, to an audit.

Belongs here: names, examples, twins that are trained first, and passing on. Does not belong here: reading states
(`runs/given/`), the audit itself (`study.py`), its report (`report.py`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count, islice
from numbers import Integral, Real
from pathlib import Path
from typing import Any, get_args

from numpy.typing import ArrayLike

from prunescope.audit.evidence import check_inputs, check_twins, doubts, reparametrized
from prunescope.audit.gate import checked
from prunescope.audit.report import AuditReport
from prunescope.audit.study import Audit, require_enough
from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.base.reference import StateRef
from prunescope.base.value import Value
from prunescope.measures.measure import SplitName
from prunescope.measures.robustness import Condition, OtherData, corruptions_named
from prunescope.runs.execution.display import default_display, duration
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.preparation import prepare
from prunescope.runs.execution.status import Display
from prunescope.runs.given.states import Examples, named, states
from prunescope.runs.given.stored import recipe_of
from prunescope.runs.graph.families import ensemble, final, in_iterations
from prunescope.runs.graph.given import Run, task_of
from prunescope.runs.graph.recipe import Fresh, Recipe
from prunescope.runs.store.opening import open_store
from prunescope.runs.store.plan import plan as plan_of
from prunescope.runs.store.store import Store
from prunescope.studies.groups import column
from prunescope.studies.judging import judge_all
from prunescope.tasks.data.conversion import same_rows
from prunescope.tasks.data.layout import Layout
from prunescope.tasks.data.reading import called
from prunescope.tasks.data.repeats import copied, leaked
from prunescope.tasks.data.source import are_images
from prunescope.tasks.data.tensors import Names, columns_of, require_alike, require_columns
from prunescope.tasks.network import Network, Prunable
from prunescope.tasks.recalibration import STATISTICS
from prunescope.tasks.targets import Target
from prunescope.tasks.task import CLASSES, Task

STORE = "prunescope-store"
NEEDS = """twins={} are trained by a recipe: give recipe=, or --recipe my_recipe.py, or a dense network that is a run
A file my_recipe.py may say, after `import prunescope as ps`:
  task = ps.Task.from_module(Net, train=(x, y), test=(test_x, test_y))
  recipe = ps.Recipe(task=task, optimizer=ps.SGD(), schedule=ps.Constant(lr=0.1), batch=128, length="40ep")"""
SHARED = "the recipe goes on from a state, which whatever it trains would share; give that of a fresh start"
NO_TRAINING_DATA = (
    "No training examples were given: statistics of normalization are estimated anew, for the barrier, from the inputs "
    "of the test examples, without their labels."
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
    corruptions: bool | str | Sequence[str] = (),
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
        Those called "longer of 1", "longer of 2" are replicates of one control.
    recipe: how the dense network was trained, where twins are a number and it is no run of the store. Without twins
        three networks get a tenth of that training, and say which examples are difficult.
    groups: columns by name, each a text or a whole number for every example of the split, in its order.
    gate: bounds by name, percentage points: max-loss, max-class-loss, max-group-loss, max-disagreement.
    delta: points of error that a class or group may lose at what is called a safe sparsity.
    split: whose examples are looked at.
    why: on how many examples flatness, barriers and layers are looked at; 0 leaves them out, 512 is usual.
    corruptions: names in CORRUPTIONS, such as "blur", or True or "all": the same tables under their five severities.
    shifted: another data set with the same classes, as test is: the same tables on its test examples.
    target, classes, class_names, prunable, output: as of `Task.from_module`.
    layout: how networks get the examples of a source of several parts.
    store: the folder where states and what is read of them are kept.

    Raises UsageError for a state that cannot be read or fits no network, with every name, for networks that do not
    answer the same examples, for a twin that is the dense network itself, for groups that do not fit, and for unknown
    bounds.
    """
    _check(groups=groups, gate=gate, delta=delta, why=why, split=split)
    read = partial(Examples.read, target=target, classes=classes, layout=layout)
    examples = read(test, train, class_names=class_names)
    lacks_training = examples is not None and examples.data.source.lacks_training
    if lacks_training and split != "test":
        raise UsageError(f"split={split!r} needs training examples; give train=(x, y), or data that have some")
    if examples is not None and split == "test":
        require_enough(examples.data.source.test)
    if recipe is not None and examples is None:
        examples, network = Examples.of(recipe.task, recipe.seeds), network or recipe.task.network
    store = open_store(store, new=True)
    if isinstance(twins, Integral):
        twins, recipe = _twins_of(int(twins), dense, recipe, store), None
    elif recipe is not None and twins:
        raise UsageError("recipe= is for networks that are trained, and twins= gives some; leave one of the two out")
    kinds = named(pruned=pruned, controls=controls, twins=twins, judges=_judges(recipe) if recipe else ())
    if not kinds["pruned"]:
        raise UsageError("there is no pruned network to audit; give at least one")
    things = {"dense": dense} | {name: thing for things in kinds.values() for name, thing in things.items()}
    found = states(things, examples, store, network=network, prunable=prunable, output=output)
    known = {kind: {name: found.states[name] for name in things} for kind, things in kinds.items()}
    before = found.states["dense"]
    check_twins(before, known["pruned"], known["twins"])
    for name, values in (groups or {}).items():
        shown = test if split == "test" else train
        same_rows(values, shown if isinstance(shown, tuple | list) else (), name=f"groups[{name!r}]")
    task, conditions = task_of(before), corruptions_named(corruptions)
    data = task.data
    _check_task(task, corruptions if conditions else None)
    other = read(shifted, class_names=class_names or data.source.class_names or None)
    plan = Audit(
        before,
        **known,
        groups={name: column(name, values, data.sizes[split]) for name, values in (groups or {}).items()},
        gate=checked(gate or {}, groups=bool(groups)),
        delta=delta,
        split=split,
        why=why,
        conditions={**conditions, **_shifted(other, task, () if class_names else called(shifted))},
        notes=(
            *found.notes,
            *_order(data.source.class_names, class_names),
            *((NO_TRAINING_DATA,) if lacks_training and why and _normalizes(task.network) else ()),
        ),
        doubts=(
            *filter(None, _repeated(before.run, split, lacks_training, other)),
            *doubts(before, known["pruned"], known["twins"], known["controls"]),
            *(reparametrized(before, known["pruned"] | known["twins"] | known["controls"]) if why else ()),
        ),
    )
    check_inputs(plan.states, split)
    _train(plan.states.values(), store, device, display)
    try:
        results = ensure(plan.all_nodes, store=store, workers=1, device=device, display=display)
    except PrunescopeError as problem:
        ids = {state.run.id[:8]: name for name, state in reversed(plan.states.items())}
        short = rf"\b({'|'.join(ids)})\b"  # whole ids are of paths
        problem.args = (re.sub(short, lambda found: repr(ids[found[0]]), str(problem)),)
        raise
    study = plan.study()
    return AuditReport(plan, study, results, judge_all(study.claims, results))


def _check(*, groups: object, gate: object, delta: float, why: int, split: str) -> None:
    """Raises UsageError for what means nothing, before anything is read."""
    for name, given in (("groups", groups), ("gate", gate)):
        if not isinstance(given, Mapping | None):
            raise UsageError(f"{name} is a {type(given).__name__}; give a dictionary of names")
    if not (isinstance(delta, Real) and delta >= 0):
        raise UsageError(f"delta={delta!r} is no number of points that may be lost; give 0 or more")
    if not (isinstance(why, int) and why >= 0):
        raise UsageError(f"why={why!r} is no number of examples; give 0 or more, 512 is usual")
    if split not in get_args(SplitName):
        raise UsageError(f"split={split!r} is none of {', '.join(get_args(SplitName))}")


def _check_task(task: Task, corruptions: object) -> None:
    """Raises UsageError for a task without answers, and for corruptions (None for none) of what is no picture."""
    if not task.target.classifies:
        raise UsageError(
            f"an audit counts answers, of which there are none for the target {task.target!r}; audit a network with "
            "target=ps.Classes() or ps.Binary(), and compare the losses of others in a study of your own"
        )
    if corruptions is not None and not are_images(shape := task.data.source.load().test_x.shape):
        raise UsageError(
            f"corruptions={corruptions!r} are of pictures [1 or 3, H, W], and these examples have shape {list(shape)}; "
            "leave corruptions out, and give other examples as shifted="
        )


def _order(names: Sequence[str], given: Names | None) -> list[str]:
    """Which output stands for which class, where that was not said in this call."""
    if given is not None or not names:
        return []
    shown = ", ".join(names[:12]) + ", ..." * (len(names) > 12)
    return [
        f"Outputs 0, 1, ... are taken for {shown}: the order of the data, of the labels as texts, or of the names "
        "that these examples were given last. If the networks have another order, give class_names."
    ]


def _repeated(dense: Value, split: str, lacks_training: bool, other: Examples | None) -> Iterator[str]:
    """What is said of examples that are there twice, where the dense network trained on its task's training split."""
    assert isinstance(dense, Run)
    data, name = dense.task.data, "training" if split == "train" else split
    arrays, rows = data.source.load(), dict(zip(("train", "validation"), data.rows(dense.seeds), strict=True))
    yield leaked(arrays.test_x, arrays.train_x, rows["train"]) if split == "test" and not lacks_training else ""
    yield copied(arrays.train_x if split in rows else arrays.test_x, name, rows.get(split))
    yield copied(other.data.source.load().test_x, "shifted") if other else ""


def _normalizes(network: Network) -> bool:
    """Whether a network has statistics that are estimated anew."""
    return any(name.rpartition(".")[2] in STATISTICS for name, _ in network.bare().named_buffers())


def _shifted(other: Examples | None, task: Task, said: Sequence[str]) -> dict[str, Condition]:
    """The second data set as a condition. Raises UsageError for other classes, parts of an example, or columns."""
    if other is None:
        return {}
    source, names = task.data.source, task.data.source.class_names
    require_alike(task.network.layout, other.layout, "test", "shifted")
    require_columns(columns_of(source), columns_of(other.data.source), "test", "shifted")
    known = other.data.source.class_names
    if said and set(said).isdisjoint(names):
        known = tuple(said)  # and not what the classes of the others are called, by which they were read
    if names and known not in ((), names):
        raise UsageError(
            f"the shifted examples are of the classes {', '.join(known[:12])}, and the others "
            f"of {', '.join(names[:12])}; name them alike, by class_names"
        )
    return {"shifted": OtherData(source=other.data.source)}


def _twins_of(number: int, dense: Any, recipe: Recipe | None, store: Store) -> dict[str, StateRef]:
    """So many twins by name: the recipe from other initial weights, in another order, with the same labels.

    dense: the dense network as it was given. recipe: how it was trained; by default that of the run that it is.

    Raises UsageError for no recipe, no twins, and a recipe that starts from a state.
    """
    if number < 1:
        raise UsageError(f"twins={number} are none; give 1 or more, 3 is useful, or leave it out")
    run = dense.run if isinstance(dense, StateRef) else dense
    recipe = recipe or (run if isinstance(run, Recipe) else recipe_of(run, store))
    if recipe is None:
        raise UsageError(NEEDS.format(number))
    if not isinstance(recipe.start, Fresh):
        raise UsageError(SHARED)
    seeds = (recipe.seeds.replace(init=k, order=k, mask=k) for k in count(1))
    others = islice((other for other in seeds if other != recipe.seeds), number)
    return {f"twin-{k}": final(recipe.replace(seeds=other)) for k, other in enumerate(others, 1)}


def _judges(recipe: Recipe) -> dict[str, Recipe]:
    """Three networks of a tenth of a recipe's training, by name, with other seeds. Raises as `_twins_of` does."""
    if not isinstance(recipe.start, Fresh):
        raise UsageError(SHARED)
    first = max(1000, recipe.seeds.init + 1, recipe.seeds.order + 1)
    steps = max(1, recipe.clock().total // 10)
    short = ensemble(in_iterations(recipe, steps), 3, early=f"{steps}it", first_seed=first)
    return {f"short training {k}": run for k, run in enumerate(short, 1)}


def _train(states: Iterable[StateRef], store: Store, device: str, display: Display | None) -> None:
    """Trains the runs among the states that the store lacks, and says beforehand how long that takes."""
    runs = [state.run for state in states if isinstance(state.run, Recipe)]
    todo = plan_of(runs, store).feasible()
    if not todo.jobs:
        return
    display, price = display or default_display(), prepare(todo, store, device=device).cost
    display.note(
        f"{len(todo.jobs)} runs are trained first, in about {duration(price.clock)}; Ctrl-C loses nothing, the same "
        "audit goes on from there"
    )
    ensure(runs, store=store, device=device, display=display)
