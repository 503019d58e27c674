"""The gradients of one step in a working set, by the network's own code or as torch compiled it."""

import math
from contextlib import nullcontext

import torch
from torch import Tensor

from prunescope.base.state import TrainState
from prunescope.base.tree import Tree
from prunescope.tasks.functional import capturing, drawing, reseed
from prunescope.tasks.kernels.compiling import Pass
from prunescope.tasks.kernels.specialized import Specialized
from prunescope.training.engines.working_set import WorkingSet
from prunescope.training.loop import Stepper

Found = tuple[Tensor, tuple[Tensor | None, ...], Tree]
"""Mean loss (0-D, nats), its gradients in the order of the working set, and captured outputs."""

TOLERANCE = 1e-3
"""Of a loss, and of all gradients and buffers as vectors."""
NUDGE = 1e-6
"""By how much inputs are changed to see what rounding does: some units in the last place of a float32 number."""
ROUNDING = 10.0
"""How many times what that changes another pass may differ: other code is wrong by much more."""


def gradients(stepper: Stepper, work: WorkingSet, x: Tensor, y: Tensor, names: frozenset[str]) -> Found:
    """names: modules whose outputs are captured, which only the network's own code lets one see."""
    program = stepper.program
    uncompiled = program.precision == "bfloat16" or names or len(y) != program.batch
    return _taken(stepper, work, x, y, names, None if uncompiled else work.network.compiled)


def _taken(
    stepper: Stepper, work: WorkingSet, x: Tensor, y: Tensor, names: frozenset[str], compiled: Pass | None
) -> Found:
    low = stepper.program.precision == "bfloat16"
    with (
        capturing(work.network.module, names) as captured,
        torch.autocast(x.device.type, torch.bfloat16) if low else nullcontext(),
    ):
        logits = compiled(work.tensors, x) if compiled else work.network.module(x)
        loss = stepper.program.problem.loss(logits.float() if low else logits, y).mean()
    return loss.detach(), torch.autograd.grad(loss, work.leaves, allow_unused=True), captured


def confirmed(stepper: Stepper, network: Specialized, state: TrainState) -> bool:
    """Whether the compiled pass does on the first batch of the epoch what the network's own code does, to rounding.

    Deep networks with normalization magnify rounding, each in its own measure: what a change of the inputs by 1e-6 does
    to their own code tells how much. A network that draws does not; where torch cannot compile the code, the answer is
    no, too.
    """
    x, y = stepper.batch(state.step - state.step % stepper.batches.epoch_steps)
    if len(y) != stepper.program.batch:  # no batch is as large: it would never be used
        return False

    def outcome(inputs: Tensor, compiled: Pass | None = None) -> list[list[Tensor]]:
        work = WorkingSet(network, stepper.program.optimizer, state, stepper.keep(state))
        with drawing(x.device, 0):
            reseed(x.device, stepper.draw(state.step))
            loss, grads, _ = _taken(stepper, work, network.laid(inputs), y, frozenset(), compiled)
        return [[loss], [grad for grad in grads if grad is not None], list(work.buffers().values())]

    try:
        other = outcome(x, network.compiled)
    except Exception:  # whatever the compiler meets: the network's own code goes on
        return False
    # In every place by another factor: normalization takes a common one out again.
    factors = 1.0 + NUDGE * torch.randn(x.shape, generator=torch.Generator().manual_seed(0)).to(x.device)
    plain, nudged = outcome(x), outcome(x * factors)
    return all(_close(*leaves) for leaves in zip(plain, other, nudged, strict=True))


def _close(plain: list[Tensor], other: list[Tensor], nudged: list[Tensor]) -> bool:
    if [leaf.shape for leaf in plain] != [leaf.shape for leaf in other]:
        return False
    size, off, rounding = _norm(plain), _norm(_minus(plain, other)), _norm(_minus(plain, nudged))
    return off <= max(TOLERANCE * size, ROUNDING * rounding)


def _minus(left: list[Tensor], right: list[Tensor]) -> list[Tensor]:
    return [a.double() - b for a, b in zip(left, right, strict=True)]


def _norm(leaves: list[Tensor]) -> float:
    """Of all entries as one vector."""
    return math.sqrt(sum(float(leaf.double().norm() ** 2) for leaf in leaves))
