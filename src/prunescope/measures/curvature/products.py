"""Products with the Hessian and with the Gauss-Newton matrix of a loss surface.

H = d^2 L / d w^2 of the mean loss L over the sample. G = (1/N) sum_i J_i^T H_i J_i, with J_i the derivative of
example i's logits and H_i the Hessian of its loss in the logits. Nats per squared unit of weight.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.tree import Tree, leaves_of, slope
from prunescope.measures.curvature.surface import Surface
from prunescope.tasks.twice import explained, twice_differentiable

Matrix = Literal["hessian", "gauss-newton"]
Operator = Callable[[Tensor], Tensor]
"""Vectors [K, P] to products [K, P]; more vectors at once share the graph of the first derivative."""


def operator(surface: Surface, matrix: Matrix) -> Operator:
    """Products with one of the two matrices over the kept parameters.

    Raises UsageError where the network has an operation that PyTorch cannot differentiate twice, or does so wrongly.
    """
    if matrix == "hessian":
        _require_right(surface)
    return _operator(surface, matrix)


def _operator(surface: Surface, matrix: Matrix) -> Operator:
    product = {"hessian": _hessian, "gauss-newton": _gauss_newton}[matrix]

    @torch.enable_grad()
    def apply(vectors: Tensor) -> Tensor:
        total = torch.zeros_like(vectors)
        for x, y in surface.chunks():
            leaves = leaves_of(surface.params)
            with explained(surface.model), twice_differentiable():
                along = product(surface, leaves, x, y)
                for row, vector in enumerate(vectors):
                    total[row] += surface.vector(along(surface.tree(vector)))
        return total / len(surface.y)

    return apply


def _require_right(surface: Surface) -> None:
    """Raises UsageError where a product is not the change of the gradient: PyTorch does not check what it is told.

    Of the trial surface, along the weights that a gradient reaches; the smallest step crosses no kink. Networks that do
    not compute in float64 are not checked.
    """
    trial = surface.trial
    start = trial.vector(trial.params)
    along = trial.random(start, "second derivative")
    try:
        along = along * (trial.vector(gradient(trial, trial.params)) != 0)
        product = _operator(trial, "hessian")(along.unsqueeze(0))[0]
        for step in (1e-3, 1e-5, 1e-7):
            ahead, behind = (gradient(trial, trial.tree(start + e * along)) for e in (step, -step))
            change = (trial.vector(ahead) - trial.vector(behind)) / (2 * step)
            if not (change - product).norm() > 1e-2 * product.norm():
                return
    except RuntimeError:
        return
    raise UsageError(
        f"the second derivative of {surface.model.network.path} is not the change of its first one: an operation has a "
        "backward pass that cannot be differentiated (an autograd.Function, detach(), rounding); GradientTrace and "
        "AdaptiveSharpness need first derivatives only"
    )


@torch.enable_grad()
def gradient(surface: Surface, params: Tree) -> Tree:
    """The gradient of the mean loss at other parameters, for all of them, nats per unit of weight."""
    total = tree.tree_map(torch.zeros_like, params)
    for x, y in surface.chunks():
        leaves = leaves_of(params)
        loss = surface.loss(surface.logits(leaves, x), y).sum() / len(surface.y)
        total = tree.tree_map(torch.add, total, slope(loss, leaves))
    return total


def _hessian(surface: Surface, leaves: Tree, x: Tensor, y: Tensor) -> Callable[[Tree], Tree]:
    loss = surface.loss(surface.logits(leaves, x), y).sum()
    first = slope(loss, leaves, differentiable=True)
    return lambda along: slope(tree.dot(first, along), leaves, kept=True)


def _gauss_newton(surface: Surface, leaves: Tree, x: Tensor, y: Tensor) -> Callable[[Tree], Tree]:
    logits = surface.logits(leaves, x)
    scores = {"z": logits.detach().requires_grad_()}
    inner = slope(surface.loss(scores["z"], y).sum(), scores, differentiable=True)
    # J^T u is linear in u, so its derivative along a direction in w gives J times that direction.
    dummy = {"u": torch.zeros_like(logits, requires_grad=True)}
    pulled = slope((logits * dummy["u"]).sum(), leaves, differentiable=True)

    def along(direction: Tree) -> Tree:
        pushed = slope(tree.dot(pulled, direction), dummy, kept=True)["u"]
        bent = slope((inner["z"] * pushed).sum(), scores, kept=True)["z"]
        return slope((logits * bent).sum(), leaves, kept=True)

    return along
