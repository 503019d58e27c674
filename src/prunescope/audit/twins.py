"""Twins that are trained here: the recipe of the dense network under other seeds.

Belongs here: which recipe that is, its seeds, and what training costs. Does not belong here: training (`ensure`).
"""

from collections.abc import Iterable
from itertools import count, islice
from typing import Any

from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.runs.execution.display import default_display, duration
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.preparation import prepare, workers_for
from prunescope.runs.execution.status import Display
from prunescope.runs.given.stored import recipe_of
from prunescope.runs.graph.families import final
from prunescope.runs.graph.recipe import Fresh, Recipe
from prunescope.runs.machine.pricing import cost
from prunescope.runs.store.plan import plan
from prunescope.runs.store.store import Store

NEEDS = "twins={} are trained by a recipe: give recipe=, or --recipe my_recipe.py, or a dense network that is a run"


def twins_of(number: int, dense: Any, recipe: Recipe | None, store: Store) -> dict[str, StateRef]:
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
        raise UsageError("the recipe goes on from a state, which its twins would share; give that of a fresh start")
    seeds = (recipe.seeds.replace(init=k, order=k, mask=k) for k in count(1))
    others = islice((other for other in seeds if other != recipe.seeds), number)
    return {f"twin-{k}": final(recipe.replace(seeds=other)) for k, other in enumerate(others, 1)}


def train(states: Iterable[StateRef], store: Store, device: str, display: Display | None) -> None:
    """Trains the runs among the states that the store lacks, and says beforehand how long that takes."""
    runs = [state.run for state in states if isinstance(state.run, Recipe)]
    todo = plan(runs, store).feasible()
    if not todo.jobs:
        return
    display, workers = display or default_display(), workers_for(todo, None, device)
    prepared = prepare(todo, store, workers=workers, device=device)
    price = cost(todo, prepared.prices, prepared.seconds, workers=workers)
    display.note(
        f"{len(todo.jobs)} runs are trained first, in about {duration(price.clock)}; Ctrl-C loses nothing, the same "
        "audit goes on from there"
    )
    ensure(runs, store=store, device=device, display=display)
