"""A stored state as a plain module, to go on with outside: save, export, deploy."""

import copy
from pathlib import Path

from torch import nn

from prunescope.base import tree
from prunescope.base.reference import StateRef
from prunescope.runs.graph.families import final
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.machine.loader import Loader
from prunescope.runs.store.results import Missing, StoredResults
from prunescope.runs.store.store import Store


def load_module(state: StateRef | Recipe, *, store: Store | Path | str) -> nn.Module:
    """The network of a stored state, in evaluation mode, with removed weights exactly 0.

    It takes examples normalized as the recipe's data set is. Save its `state_dict()`, or
    give it to `torch.export` or `torch.onnx`.

    state: a run, for its end, or one of its kept states.

    Raises Missing when the state is not stored.
    """
    state = final(state) if isinstance(state, Recipe) else state
    loader = Loader(store if isinstance(store, Store) else Store(store))
    recipe, moment = StoredResults(loader.store).state_key(state)
    if not loader.store.storage.exists(loader.store.state_key(recipe.id, moment)):
        raise Missing(f"the state {state.moment.when} of run {recipe.id[:8]} is not in {loader.store.url}; ensure it")
    module = copy.deepcopy(loader.model(recipe).template(train=False))
    weights = loader.weights(state)
    leaves = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    for name, leaf in tree.clone({**weights.params, **weights.buffers}).items():
        leaves[name].data = leaf
    return module
