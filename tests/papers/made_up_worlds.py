"""Worlds in which nothing was trained: results of every node of the papers' studies, made up and always the same.

Shapes and structure (which layers there are, when a probe looked) are those of real runs at smoke scale, kept in
`specimens.json`; numbers are drawn by node, name and world. `python tests/papers/made_up_worlds.py STORE STUDY...` adds
what is missing for some studies, from a store in which they were run at scale smoke.
"""

import json
import sys
from functools import cache
from hashlib import blake2b
from pathlib import Path

import numpy as np

from prunescope.papers.catalogue import catalogue
from prunescope.runs.graph.nodes import Chosen, Combined, Measured, Trace, closure
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store.results import Missing
from prunescope.studies.load import find
from prunescope.tasks.model import resolve

SPECIMENS = Path(__file__).with_name("specimens.json")
DOWNLOADED = ("jin2022/lenet-preview",)
"""Studies of data sets that the package does not bring."""
MANY = 64
"""Arrays of more numbers are kept as their length and range."""


MODULES = {entry.name: entry.module for entry in catalogue()}


def smoke_names():
    """The names of every study that needs no download."""
    return [name for name in MODULES if name not in DOWNLOADED]


@cache
def smoke_study(name):
    """A study at scale smoke."""
    template = find(name, MODULES)
    benchmark = "benchmark" in type(template.scales["smoke"]).model_fields
    return template.build("smoke", {"benchmark": "digits"} if benchmark else {})


def first_run(node):
    """The recipe that a node is of; of a choice the first that may be chosen."""
    run = node.states[0].run if isinstance(node, Measured) else node.run if isinstance(node, Trace) else node
    while isinstance(run, Chosen):
        run = run.among[0]
    return run


def kind_of(node):
    """What nodes of equal structure have in common."""
    recipe = first_run(node)
    parts = [type(node).__name__, recipe.task.network.canonical, recipe.task.data.canonical]
    if isinstance(node, Measured):
        parts.append(node.of.canonical)
    else:
        parts += [str(recipe.batch), str(recipe.length), *(part.canonical for part in recipe.interventions)]
        parts += [node.probe.canonical] if isinstance(node, Trace) else []
    return digest(*parts)


def digest(*parts):
    return blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()


class World:
    """Results of any node of the smoke studies; world 0 has some of them missing."""

    def __init__(self, number):
        self.number, self.specimens, self.read = number, json.loads(SPECIMENS.read_text()), {}

    def __contains__(self, node):
        try:
            self[node]
        except Missing:
            return False
        return True

    def __getitem__(self, node):
        if node.id not in self.read:
            self.read[node.id] = self.values(node)
        return self.read[node.id]

    def recipe(self, run):
        return run.among[int(self[run]["index"])] if isinstance(run, Chosen) else run

    def values(self, node):
        if isinstance(node, Combined):
            return {
                name: np.asarray(value)
                for name, value in called(node.function)([self[part] for part in node.inputs], **node.args).items()
            }
        if isinstance(node, Chosen):
            return {"index": np.asarray(called(node.rule)([self[part] for part in node.inputs], **node.args))}
        if self.number == 0 and int(node.id, 16) % 50 == 0:
            raise Missing(f"{node.id} is missing from this world")
        examples = first_run(node).train_examples
        return {name: self.drawn(node, name, *kept, examples) for name, kept in self.specimens[kind_of(node)].items()}

    def drawn(self, node, name, dtype, shape, values, examples):
        """Floats are drawn anew around the specimen's; everything else is as it was. All look at the same examples."""
        random = np.random.default_rng(int(digest(node.id, name, str(self.number)), 16))
        shape = [examples if size == "train" else size for size in shape]
        if name == "index" and len(shape) == 1:
            return np.arange(shape[0]).astype(dtype)
        if isinstance(values, dict):
            drawn = random.uniform(values["low"], values["high"], shape)
            return (drawn if dtype.startswith("float") else np.round(drawn)).astype(dtype)
        array = np.array(values, dtype=dtype).reshape(shape)
        if array.dtype.kind != "f" or name in ("epoch", "examples"):
            return array
        moved = array * random.uniform(0.5, 1.5, array.shape)
        return np.asarray(np.minimum(moved, 0.999) if "error" in name or "sparsity" in name else moved).astype(dtype)


def called(function):
    return resolve(function) if isinstance(function, str) else function


def kept(value, examples):
    """An array as JSON: dtype, shape, and all numbers or their range."""
    shape = ["train" if size == examples and size > MANY else size for size in value.shape]
    dtype = "str" if value.dtype.kind == "U" else str(value.dtype)
    if value.size <= MANY or value.dtype.kind not in "fiub":
        return [dtype, shape, value.ravel().tolist()]
    return [str(value.dtype), shape, {"low": float(np.nanmin(value)), "high": float(np.nanmax(value))}]


def add(store, names):
    from prunescope.runs.store.results import StoredResults
    from prunescope.runs.store.store import Store

    results, specimens = StoredResults(Store(store)), json.loads(SPECIMENS.read_text())
    for name in names:
        for node in closure(smoke_study(name).nodes).values():
            if isinstance(node, Measured | Trace | Recipe) and (kind := kind_of(node)) not in specimens:
                examples = first_run(node).train_examples
                specimens[kind] = {name: kept(np.asarray(value), examples) for name, value in results[node].items()}
    SPECIMENS.write_text("{\n" + ",\n".join(f'"{k}": {json.dumps(v)}' for k, v in sorted(specimens.items())) + "\n}\n")


if __name__ == "__main__":
    add(sys.argv[1], sys.argv[2:])
