"""Question: how long until the plan of a large study is there?"""

import tempfile
import time

import numpy as np

from benchmarks.laboratory import Laboratory
from benchmarks.result import Numbers, Result
from prunescope.base.reference import FINAL
from prunescope.base.streams import replicate
from prunescope.measures import Risk
from prunescope.runs.graph.families import final, imp
from prunescope.runs.graph.nodes import Reading
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store.plan import plan
from prunescope.runs.store.store import Store

CHAIN = 20
"""Recipes a chain: dense and 19 levels."""
STORED = 10
"""One chain in so many is in the store."""


def planning(lab: Laboratory) -> list[Result]:
    """`plan` of IMP chains of 20 recipes, one chain in ten stored: ids, graph, store lookups, order of work.

    The recipes are new in every round, so that no id is known yet.
    """
    few, many = lab.scale.recipes, 10 * lab.scale.recipes
    with tempfile.TemporaryDirectory(prefix="prunescope-plan-") as folder:
        store = Store(folder)
        for recipe in chains(lab.recipe, many)[:: CHAIN * STORED]:
            _pretend(store, [recipe, *_rest(recipe)])
        rounds = np.array([_seconds(lab.recipe, few, store) for _ in range(lab.scale.rounds)])
        large = np.array([_seconds(lab.recipe, many, store)])
        readings = np.array([_with_readings(lab.recipe, few, store) for _ in range(lab.scale.rounds)])
    growth: Numbers = large[:, 1] / np.median(rounds[:, 1]) / (many / few)
    return [
        Result(f"planning {few:,} recipes", rounds[:, 1], "s", high=1),
        Result(f"planning {many:,} recipes", large[:, 1], "s"),
        Result("cost a recipe, large plan : small plan", growth, "times"),
        Result(f"building {few:,} recipes", rounds[:, 0], "s"),
        Result(f"planning {few:,} recipes with two readings each", readings, "s"),
    ]


def chains(base: Recipe, count: int) -> list[Recipe]:
    """So many recipes, in chains of `CHAIN`, each chain a replicate."""
    found: list[Recipe] = []
    for number in range(-(-count // CHAIN)):
        found += imp(base.replace(seeds=replicate(number)), levels=CHAIN - 1)
    return found[:count]


def _rest(dense: Recipe) -> list[Recipe]:
    return imp(dense, levels=CHAIN - 1)[1:]


def _pretend(store: Store, recipes: list[Recipe]) -> None:
    """Makes the folders that a lookup finds, without training and without waiting for the disk."""
    for recipe in recipes:
        (store.root / store.run_folder(recipe.id)).mkdir(parents=True, exist_ok=True)
        ((store.root / store.run_folder(recipe.id)) / "manifest.json").touch()
        (store.root / store.state_key(recipe.id, FINAL.id)).touch()


def _seconds(base: Recipe, count: int, store: Store) -> tuple[float, float]:
    """Seconds to build so many recipes, and to plan them."""
    began = time.perf_counter()
    recipes = chains(base, count)
    built = time.perf_counter()
    plan(recipes, store)
    return built - began, time.perf_counter() - built


def _with_readings(base: Recipe, count: int, store: Store) -> float:
    """Seconds to plan so many recipes of which test and training risk are wanted."""
    measures = (Risk(split="test"), Risk(split="train"))
    nodes = [Reading(measure=m, state=final(recipe)) for recipe in chains(base, count) for m in measures]
    began = time.perf_counter()
    plan(nodes, store)
    return time.perf_counter() - began
