"""When networks, losses and data are looked at: once before any work, and their code whenever results are asked for.

Belongs here: which recipes need a look. Does not belong here: the look itself (`tasks/inspection.py`), the comparison
with what the store knows of a network (`loader.py`).
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from math import isfinite

from prunescope.base.blame import blaming
from prunescope.base.errors import CodeChanged, DataError, UsageError
from prunescope.base.importing import Importing
from prunescope.base.installed import is_shipped
from prunescope.base.steps import Clock
from prunescope.base.value import Value, kind, text_digest
from prunescope.runs.graph.given import Run
from prunescope.runs.graph.recipe import Everything, Recipe, Subset
from prunescope.runs.machine.loader import LRU, Loader, check_code, facts_key
from prunescope.runs.store.plan import Plan
from prunescope.runs.store.store import Store
from prunescope.tasks.data.repeats import leaked
from prunescope.tasks.inspection import Inspection, check_trains, inspect_problem
from prunescope.tasks.task import Problem
from prunescope.training.interventions import Reinit, Rewind
from prunescope.training.interventions.contract import events_of
from prunescope.training.last_batch import check_last_batch

_INSPECTED: LRU[Inspection] = LRU(256)
"""What this process has looked at, of instances and installed code; a user's factory may read a file that changes."""
_LEAKED: LRU[str] = LRU(256)
"""Which test examples of a source are training examples, as of `leaked`."""
SAME = "the test examples are the training examples, so no number is of new ones"


def inspect(recipe: Recipe) -> Inspection:
    """What a recipe's network, loss and data are together: outputs, prunable and frozen tensors. Needs no store.

    Raises UsageError for what cannot be used as it is, with the fix.
    """
    check_codes([recipe])
    problem = recipe.task.load(recipe.seeds, recipe.task.data.source.load())
    inspection = _inspect(recipe, problem)
    _check_prunable(recipe, inspection)
    _check_events(recipe)
    _check_rates(recipe)
    return inspection


def inspections(plan: Plan, store: Store) -> list[Inspection]:
    """One inspection of every network of a plan with its data, loss and batch size, before any work.

    Networks of this package are looked at only where there is work for them. Data that is not here is not looked at:
    stored results stay readable, and a run says what it lacks.

    Raises UsageError for what cannot be used as it is, CodeChanged where code is another than that of the stored runs.
    """
    check_codes(plan.nodes.values())
    at_work = {run.id for run in plan.at_work}
    loader = Loader(store)
    made: dict[str, Inspection] = {}
    for recipe in plan.runs:
        key = f"{store.url} {_aspects(recipe)}"
        if key in made or (recipe.id not in at_work and is_shipped(recipe.task.network.path)):
            continue
        look = partial(_look, loader, recipe)
        try:
            made[key] = look() if recipe.task.network.code else _INSPECTED.get(key, look)
        except DataError:
            continue
    for recipe in plan.runs:
        if recipe.id in at_work and isinstance(recipe, Recipe):
            _check_rates(recipe)
            _check_prunable(recipe, made.get(f"{store.url} {_aspects(recipe)}"))
            _check_events(recipe)
    return list(made.values())


def stored_notes(recipes: Iterable[Run], store: Store) -> list[str]:
    """What was unusual about the networks of some recipes when they were looked at, a sentence each."""
    facts = (store.read_json(path) for path in {_notes_key(recipe): None for recipe in recipes})
    return list(dict.fromkeys(part["unusual"] for part in facts if part and "unusual" in part))


def slow_notes(recipes: Iterable[Run]) -> list[str]:
    """What makes runs slower than they might be, a sentence for each reason."""
    slow = {
        type(part): type(part).slow_because for recipe in recipes for part in _inside(recipe) if type(part).slow_because
    }
    return [f"{cls.__name__} is slow: it {why}" for cls, why in slow.items()]


def _aspects(recipe: Run) -> str:
    """What an inspection depends on; a given state has no batches."""
    task, batches = recipe.task, f"{getattr(recipe, 'batch', 0)} {getattr(recipe, 'drop_last', False)}"
    examples = f"{recipe.train_examples} {batches} {_drawn(recipe)}"
    return text_digest(
        f"{task.network.id} {task.data.source.id} {task.loss} {task.loss_args} {task.target.id} {task.code} {examples}"
    )


def _drawn(recipe: Run) -> str:
    """How the examples of the source are chosen that a recipe trains on; empty where all are."""
    data = recipe.task.data
    some = [data.validation, data.share, recipe.seeds.data] if data.train_examples < data.source.train else []
    return " ".join(map(str, some + ["subset"] * isinstance(recipe.examples, Subset)))


def _notes_key(recipe: Run) -> str:
    """Where the store keeps what was unusual: beside what the network computed, for a run on all examples."""
    drawn = _drawn(recipe)
    return f"networks/{text_digest(f'{facts_key(recipe)} {drawn}')}.json" if drawn else facts_key(recipe)


def _look(loader: Loader, recipe: Run) -> Inspection:
    """Compares the network with what the store knows of it only where two examples show no fault."""
    arrays = loader.arrays.get(recipe.task.data.source.id, recipe.task.data.source.load)
    problem = recipe.task.load(recipe.seeds, arrays, model=loader.model(recipe))
    inspection = _inspect(recipe, problem)
    check_code(loader.store, recipe, problem)
    path = _notes_key(recipe)
    facts = loader.store.read_json(path) or {}
    if not inspection.is_usual and facts.get("unusual") != inspection.sentence:
        loader.store.write_json(path, facts | {"unusual": inspection.sentence})
    return inspection


def _inspect(run: Run, problem: Problem) -> Inspection:
    inspection = inspect_problem(problem)
    try:
        check_codes([run])
    except CodeChanged:
        raise UsageError(
            f"passes of {inspection.network}, or its loss, change a global, an attribute of a class, or what a "
            "function such as a hook holds, so no run could be made again; keep what changes in a buffer "
            "(register_buffer), or behind functools.cache, and remove() hooks that collect features"
        ) from None
    if isinstance(run, Recipe):
        source, drawn, train = run.task.data.source, _drawn(run), problem.train
        name = "training examples" if isinstance(run.examples, Everything) else "examples that a subset is taken of"
        look = partial(leaked, problem.test.inputs, train.inputs, train.index, name)
        shared = SAME if source.lacks_training and not drawn else _LEAKED.get(f"{source.id} {drawn}", look)
        inspection = replace(inspection, leaked=shared)
        check_trains(problem, inspection)
    # The last batch of a subset is not known before the subset is, and a given state is not trained.
    if isinstance(run, Recipe) and isinstance(run.examples, Everything):
        check_last_batch(problem, batch=run.batch, drop_last=run.drop_last)
    return inspection


def _check_prunable(recipe: Recipe, inspection: Inspection | None) -> None:
    """Raises UsageError where something is to be removed from a network that has nothing prunable."""
    kinds = [type(value).__name__ for value in recipe.interventions if not isinstance(value, Rewind | Reinit)]
    if inspection is not None and kinds and not inspection.tensors.prunable:
        raise UsageError(
            f"{', '.join(kinds)} would remove nothing: {inspection.network} has no prunable weights "
            f"({inspection.tensors.sentence}); name some with prunable="
        )


def _check_events(recipe: Recipe) -> None:
    """Raises UsageError for an event outside the run; how long a run on a subset is, is not known yet."""
    if isinstance(recipe.examples, Everything):
        for value in recipe.interventions:
            events_of(value, Clock(recipe.clock().epoch_steps, recipe.steps))


def _check_rates(recipe: Recipe) -> None:
    """Raises UsageError where a schedule that a user wrote gives no rate at the first step or at the last."""
    schedule, last = recipe.schedule, max(0, recipe.steps - 1)
    for step in () if is_shipped(schedule) else (0, last):
        with blaming(f"{type(schedule).__name__}.at({step}, clock)", always=True):
            rate = schedule.at(step, recipe.clock())
            fits = isfinite(rate) and rate >= 0
        name = type(schedule).__name__
        if not fits:
            raise UsageError(f"{name}.at({step}, clock) returned {rate!r}; a rate is a number from 0")


def check_codes(nodes: Iterable[Value]) -> None:
    """Raises CodeChanged where the code behind a node, or a global that it reads, is another than in the node's id."""
    checked: set[str] = set()
    kinds: dict[type, str] = {}
    for value in (inner for node in nodes for inner in _inside(node)):
        cls = type(value)
        if cls not in kinds:
            kinds[cls] = json.dumps(kind(cls))
        if kinds[cls] not in value.canonical:
            raise CodeChanged(
                f"the code of {cls.__name__}, or what it reads, changed since this {cls.__name__} was made; make it "
                "again, and it has an id, and results, of its own"
            )
        if isinstance(value, Importing):
            path = getattr(value, value.path_field)
            key = f"{path} {value.code} {getattr(value, 'given', None)}"
            if key not in checked and not is_shipped(path):
                value.check_code()
                checked.add(key)


def _inside(value: Value) -> Iterator[Value]:
    """The value, and those that are a part of its own text."""
    yield value
    for name in type(value).model_fields:
        field = getattr(value, name)
        for part in field if isinstance(field, tuple) else (field,):
            if isinstance(part, Value) and not part.by_id:
                yield from _inside(part)
