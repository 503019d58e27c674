"""A look at a network, a loss and data before any work: whether they fit each other, and what is unusual.

Belongs here: what two examples in both modes show. Does not belong here: building the module (`building.py`), what is
prunable (`prunable.py`), when it is looked at (`runs/machine/inspections.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from prunescope.base.blame import blaming
from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.streams import stream
from prunescope.base.tree import equal, leaves_of
from prunescope.tasks import examined, examined_losses
from prunescope.tasks.examined import some
from prunescope.tasks.examined_losses import LOSSES, loss_name
from prunescope.tasks.functional import without_zeros
from prunescope.tasks.prunable import Tensors
from prunescope.tasks.targets import Sequence
from prunescope.tasks.task import Problem


@dataclass(frozen=True)
class Inspection:
    """What a network is, for a task that it fits.

    network: its name.
    outputs: number of outputs of an example, C.
    classes: number of classes of the data, at most C.
    tensors: the trainable parameters, sorted into prunable ones and others.
    frozen: names of the parameters that do not train.
    evaluating: names of the layers that stay in evaluation mode during training.
    masked: number of entries that are removed before the first step, by name of the tensor.
    unused: names of the trainable parameters that no gradient reaches.
    seeded: whether initial weights depend on the seed; those of an instance do not, as is to be expected.
    copied: whether labels are the tokens themselves.
    leaked: which test examples are training examples, in words; empty where none is.
    """

    network: str
    outputs: int
    classes: int
    tensors: Tensors
    frozen: tuple[str, ...]
    evaluating: tuple[str, ...]
    masked: Mapping[str, int]
    unused: tuple[str, ...]
    seeded: bool
    copied: bool = False
    leaked: str = ""

    @property
    def sentence(self) -> str:
        """All of it in a line."""
        unusual = [self._masked] if self.masked else []
        unusual += [f"{some(self.frozen)} frozen"] if self.frozen else []
        unusual += [f"{some(self.evaluating)} in evaluation mode during training"] if self.evaluating else []
        unusual += [f"no gradient reaches {some(self.unused)}"] if self.unused else []
        unusual += [] if self.seeded else ["every seed starts from the same weights"]
        unusual += ["y is x itself: whoever predicts the next token shifts y"] if self.copied else []
        unusual += [self.leaked] if self.leaked else []
        return f"{self.network}: " + "; ".join([self.tensors.sentence, *unusual])

    @property
    def is_usual(self) -> bool:
        """Whether all trains from weights by seed, tests are new, and every matrix is prunable and none pruned yet."""
        others = (self.tensors.other, self.frozen, self.evaluating, self.masked, self.unused)
        return self.seeded and not (self.copied or self.leaked or any(others))

    @property
    def _masked(self) -> str:
        count = sum(self.masked.values())
        return f"{count:,} entries of {some(tuple(self.masked))} are 0 as given and count as pruned from the start"


def inspect_problem(problem: Problem) -> Inspection:
    """The inspection of a problem.

    Raises UsageError for a network, a loss or data that cannot be used as they are, with the fix.
    """
    model, train = problem.model, problem.train
    name = model.network.path.rpartition(":")[2]
    initial, again = model.fresh(0), model.fresh(0)
    _check_built(name, initial, again)
    first, some_rows = torch.tensor([0, len(train) - 1]), torch.randperm(len(train), generator=stream(0, "losses"))
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        x, y = train.batch(first.to(train.y.device))
        outputs = examined.Passes(problem, initial, name)(x, train=False)
        examined.check_outputs(name, outputs, problem)
        problem.target.require_fit(outputs, y, problem.classes)
        weights, before = (state.replace(params=without_zeros(state.params)) for state in (initial, again))
        apply = examined.Passes(problem, weights, name)
        examined_losses.check_loss(problem, _check_passes(name, problem, apply, x, (weights, before)), y)
        x, y = train.batch(some_rows[:LOSSES].to(train.y.device))
        _check_many(name, problem, apply, x, y)
    return Inspection(
        network=name,
        outputs=outputs.shape[-1] if outputs.ndim > 1 else 1,
        classes=problem.classes,
        tensors=model.tensors,
        frozen=tuple(sorted(model.frozen)),
        evaluating=model.evaluating,
        masked={key: int((~mask).sum()) for key, mask in initial.masks.items() if not bool(mask.all())},
        unused=_unused(problem, weights, x, y),
        seeded=model.network.given is not None or not equal(initial.params, model.fresh(1).params),
        copied=_copied(problem, x, y),
    )


def _check_built(name: str, weights: Weights, again: Weights) -> None:
    """Refuses weights that are no numbers, or others each time."""
    examined.check_numbers(name, weights)
    if not (equal(weights.params, again.params) and equal(weights.buffers, again.buffers)):
        raise UsageError(
            f"{name} builds another network each time from the same seed: it draws from another generator than torch's "
            "default one (random, numpy), and no run could be made again; draw by torch"
        )


def _check_passes(
    name: str, problem: Problem, apply: examined.Passes, x: Tensor, states: tuple[Weights, Weights]
) -> Tensor:
    """The outputs of two examples, if a pass in each mode is a function of weights and one example (of the batch).

    states: equal ones, of which `apply` uses the first.
    """
    outputs = apply(x, train=False)
    examined.check_alone(name, apply, x, outputs)
    examined.check_whole(name, problem, states[0], x, outputs)
    training = apply(x, train=True)
    examined.check_pure(name, apply, x, training, states)
    examined.check_forgets(name, apply, x, {False: outputs, True: training})
    examined.check_first(name, problem, states[0], x, {False: outputs, True: training})
    if training.shape != outputs.shape:
        raise UsageError(
            f"{name} returns {list(training.shape)} in training mode and {list(outputs.shape)} in evaluation mode; "
            "it must return the same logits [N, C] in both: name them by output=, or leave the others out"
        )
    examined.check_logits(name, problem, states[0], x)
    return outputs


def _check_many(name: str, problem: Problem, apply: examined.Passes, x: Tensor, y: Tensor) -> None:
    """Looks at what two examples do not show: how many differ from each, padding, the largest tokens of each split."""
    examined_losses.check_single(problem, outputs := apply(x, train=False), y)
    examined.check_alone(name, apply, x, outputs)
    for split in (problem.train, problem.test):
        if len(tokens := examined.largest_tokens(problem, split)):
            apply(tokens, train=False)
    examined.check_named_output(name, problem, apply, x)


def check_trains(problem: Problem, inspection: Inspection) -> None:
    """Raises UsageError where training could change nothing, because the loss is cut off from the parameters."""
    leaves = dict(problem.model.template(train=True).named_parameters()).keys() - problem.model.frozen
    if leaves and leaves <= set(inspection.unused):
        raise UsageError(
            f"no gradient of loss {loss_name(problem)} reaches any parameter of {inspection.network}; the outputs or "
            "the loss were made without a graph: look for detach(), .data, .item(), numpy, argmax or torch.no_grad()"
        )


def _copied(problem: Problem, x: Tensor, y: Tensor) -> bool:
    """Whether the labels of tokens that count are those tokens."""
    layout, target = problem.model.network.layout, problem.target
    if layout is None or not isinstance(target, Sequence):
        return False
    parts = [part for part in layout.unpacked(x).values() if part.shape == y.shape]
    return any(bool((part == y)[y != target.ignored].all()) for part in parts)


def _unused(problem: Problem, weights: Weights, x: Tensor, y: Tensor) -> tuple[str, ...]:
    leaves = leaves_of(weights.params)
    with torch.enable_grad():
        outputs, _ = problem.model.apply(leaves, weights.buffers, x, train=True)
        losses = problem.loss(outputs, y)
        if not losses.requires_grad:
            return tuple(leaves)
        examined.check_registered(problem.model.network.path.rpartition(":")[2], losses, leaves)
        with blaming(f"the backward pass of {problem.model.network.path}", always=True):
            slopes = torch.autograd.grad(losses.sum(), list(leaves.values()), allow_unused=True)
    return tuple(name for name, slope in zip(leaves, slopes, strict=True) if slope is None)
