"""A given state: one that nobody trained here, as a node like a run."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pydantic import PrivateAttr
from torch import Tensor, nn

from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.base.state import Weights
from prunescope.base.streams import Seeds
from prunescope.base.value import Value
from prunescope.runs.graph.recipe import Everything, Recipe
from prunescope.tasks.building import copied, made_permanent
from prunescope.tasks.data.source import Digest, Inputs
from prunescope.tasks.fitting import same_outputs, weights_from
from prunescope.tasks.model import Model, network_of
from prunescope.tasks.task import Task


class Given(Value):
    """A run of no steps: its only state is the one that was given. It stands wherever a recipe may stand.

    task: network, data and loss.
    tensors: digest of its parameters, buffers and masks; see `Weights.digest`.
    seeds: of the labels, and of which examples are held out.
    """

    by_id: ClassVar[bool] = True
    task: Task
    tensors: Digest
    seeds: Seeds = Seeds()
    _weights: Any = PrivateAttr(default=None)

    @property
    def weights(self) -> Weights | None:
        """The state itself, where it was given in this process; the store keeps it for all others."""
        return self._weights if isinstance(self._weights, Weights) else None

    @property
    def examples(self) -> Everything:
        """It sees the whole training split."""
        return Everything()

    @property
    def train_examples(self) -> int:
        """Number of training examples."""
        return self.task.data.train_examples


Run = Recipe | Given
"""What has states: made here, or given."""


def given(state: Weights | nn.Module | Mapping[str, Tensor], task: Task, *, seeds: Seeds | None = None) -> StateRef:
    """A state that was trained elsewhere, to be measured like that of a run; exact zeros of weights become masks.

    state: tensors by name, or a module that holds them; masks of torch.nn.utils.prune are multiplied in.
    task: its network, data and loss.
    seeds: of the labels, and of which examples are held out.

    Raises UsageError, with every name, for tensors that do not fit the network, and for a module with other outputs.
    """
    if isinstance(state, Weights):
        weights = state
    else:
        inputs = task.data.source.load().test_x
        model = Model(task.network, inputs.take(torch.arange(min(2, len(inputs)))))
        weights = weights_from(model, _tensors(state))
        if isinstance(state, nn.Module):
            _require_outputs(model, weights, state, inputs)
    labels = (seeds or Seeds()).replace(init=0, order=0, mask=0)  # nothing of it is drawn
    node = Given(task=task, tensors=weights.digest, seeds=labels)
    node._weights = weights
    return StateRef(run=node)


def _tensors(state: nn.Module | Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    tensors: Any = state
    if isinstance(state, nn.Module):
        made_permanent(module := copied(state))
        tensors = module.state_dict() | dict(module.named_buffers())
    if not isinstance(tensors, Mapping) or not all(isinstance(leaf, Tensor) for leaf in tensors.values()):
        raise UsageError(
            f"{type(state).__name__} is no state; give a module, or tensors by name as state_dict() returns"
        )
    return tensors


def _require_outputs(model: Model, weights: Weights, module: nn.Module, inputs: Inputs) -> None:
    """Raises UsageError where a module's forward pass is another than that of the network its tensors are put into."""
    network = model.network
    own = Model(network_of(copied(module).float(), output=network.output).replace(layout=network.layout), model.example)
    if not same_outputs((own, own.fresh(0)), (model, weights), inputs):
        raise UsageError(
            f"the {type(module).__name__} computes other outputs than {network.path} with its tensors; make the task "
            "of the module itself, Task.from_module(module, ...)"
        )


def task_of(state: StateRef) -> Task:
    """The task of a state's run. Raises UsageError where which run that is is chosen among several."""
    if not isinstance(state.run, Run):
        raise UsageError(f"which run this state is of is chosen ({type(state.run).__name__}); name the run itself")
    return state.run.task
