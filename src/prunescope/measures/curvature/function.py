"""Whether a loss is a function of weights and examples, and its gradient that function's.

PyTorch believes what a backward pass is told: hooks, `detach()` and functions of the user's own may tell it anything.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from prunescope.base import tree
from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.base.tree import Tree
from prunescope.tasks.functional import drawing, random_state

if TYPE_CHECKING:
    from prunescope.measures.curvature.surface import Surface


def require_function(made: "Surface", what: str) -> None:
    """Raises UsageError where one pass shows that there is no loss of every example as a function of the weights."""
    x, y = (made.x, made.y) if made.train else (made.x[:2], made.y[:2])
    if unfit := [name for name, leaf in made.params.items() if leaf.is_complex()]:
        raise UsageError(f"{unfit[0]} is complex; curvature is defined for real parameters only")
    with torch.no_grad(), drawing(x.device, 0):
        before = random_state(x.device)
        try:
            logits = made.logits(made.params, x)
            losses = made.loss(logits, y)
        except (PrunescopeError, MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as problem:
            text = str(problem).partition("\n")[0]
            raise UsageError(f"{what}, fails on {len(x)} examples: {type(problem).__name__}: {text}") from problem
        drawn = not torch.equal(before, random_state(x.device))
    if drawn and not made.train:
        raise UsageError(
            f"{what}, draws random numbers, so it has no one loss; let it draw only while `self.training` is true"
        )
    if len(logits) != len(x) or losses.shape != y.shape[:1]:
        raise UsageError(
            f"{what}: {len(x)} examples have logits of shape {tuple(logits.shape)} and losses of shape "
            f"{tuple(losses.shape)}; both need one row an example"
        )


def require_gradient(made: "Surface", what: str) -> None:
    """Raises UsageError where a loss rises otherwise than its gradient says.

    Weights that no gradient reaches in training mode either are constants. Networks that do not compute in float64, and
    those whose outputs are steps, are not checked; the smallest step here crosses no kink.
    """
    try:
        trial = made.trial
        reached = _gradient(trial)
        trained = reached if made.train else _gradient(replace(trial, train=True))
        zeros = tree.tree_map(torch.zeros_like, trial.params)
        along = trial.tree(trial.random(trial.vector(trial.params), "along"))
        along = {name: along[name] if name in reached.keys() | trained.keys() else zeros[name] for name in zeros}
        slopes = torch.stack([(along[name] * leaf).sum() for name, leaf in (zeros | reached).items()])
        changes = [_change(trial, along, step) for step in (1e-3, 1e-5, 1e-7)]
    except RuntimeError:
        return
    off = min(abs(change - float(slopes.sum())) for change in changes)
    if changes[1] and off > 1e-5 * float(slopes.abs().sum()) + 10 * abs(changes[2] - changes[1]):
        raise UsageError(
            f"{what}: the gradient is not how the loss changes; something cuts it off or turns it (torch.no_grad() or "
            "detach(), a backward hook, an autograd.Function, scale_grad_by_freq, rounding): leave that out, or this "
            "measure; parameters that are not to count are frozen by requires_grad=False"
        )


@torch.enable_grad()
def _gradient(made: "Surface") -> Tree:
    """The gradient of the mean loss, of the parameters that it reaches."""
    leaves = tree.leaves_of(made.params)
    loss = made.loss(made.logits(leaves, made.x), made.y).mean()
    slopes = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True) if loss.requires_grad else ()
    found = zip(leaves, slopes, strict=False)
    return {name: slope.to_dense() for name, slope in found if slope is not None}


def _change(made: "Surface", along: Tree, step: float) -> float:
    """The change of the mean loss with a small step both ways, per unit of the step."""
    ahead, behind = (
        made.mean_loss({name: leaf + e * along[name] for name, leaf in made.params.items()}) for e in (step, -step)
    )
    return float(ahead - behind) / (2 * step)
