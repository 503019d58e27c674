"""Squared norms of derivatives of single examples: sums_k s_ik |J_i^T u_ik|^2, by parameter.

u_ik [C] are directions in the logits of example i, s_ik their factors; which ones is up to the measure.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from prunescope.base.tree import Masks, Tree
from prunescope.measures.curvature.formulas import Call, has_formula, squares
from prunescope.measures.curvature.surface import Surface, require_separate
from prunescope.measures.curvature.whole_gradients import Along, Directions, sums_one_by_one, whole_sums

Batches = Iterable[tuple[Tensor, Tensor]]


@torch.enable_grad()
def sums(surface: Surface, along: Along, batches: Batches | None = None) -> Tree:
    """The sums [N] for every example, by parameter, float64, over kept entries: by formula if all modules have one, else derivative by derivative.

    batches: inputs and labels to take instead of the surface's sample.
    Memory: the graph of 64 examples, and for one layer at a time their unfolded inputs or derivatives.
    Raises: UsageError where examples mix.
    """
    require_separate(surface)
    masks = {name: mask for name, mask in surface.masks.items() if not bool(mask.all())}
    formula = _known(surface.module) and _agrees(surface, masks)
    parts: list[Tree] = []
    for x, y in surface.chunks() if batches is None else batches:
        part = _by_formula(surface, masks, x, y, along) if formula else None
        if part is None:  # the first chunk can differ from a later one where a network looks at its data
            part = whole_sums(surface, x, y, along)
        parts.append(part)
    return {name: torch.cat([part[name] for part in parts]) for name in surface.params}


def _agrees(surface: Surface, masks: Masks) -> bool:
    """Whether formulas give what whole derivatives do, for one direction and two examples.

    They do not where a weight acts outside of its module, a module's first dimension is not that of examples, or a
    hook changes what a module gives. In float64 if the network computes in it, so that rounding is no reason.
    """

    def along(logits: Tensor, _: Tensor) -> Directions:
        row = torch.linspace(1, 2, logits[0].numel(), dtype=logits.dtype, device=logits.device)
        return Directions(1, [(row.view_as(logits[0]).expand_as(logits), logits.new_ones(len(logits)))])

    for trial, tolerance in surface.trials:
        try:
            formula = _by_formula(trial, masks, trial.x, trial.y, along)
            whole = sums_one_by_one(trial, trial.x, trial.y, along)
        except RuntimeError:  # it does not compute in float64
            continue
        if formula is None:
            return False
        scale = torch.stack(list(whole.values())).sum()
        return all(
            bool(((formula[name] - square).abs() <= tolerance * (square + 1e-3 * scale)).all())
            for name, square in whole.items()
        )
    return False


def _known(module: nn.Module) -> bool:
    """Whether every parameter belongs to one module, and that module has a formula."""
    owners = [part for part in module.modules() if part._parameters]
    every = list(module.named_parameters(remove_duplicate=False))
    return len(every) == len(list(module.parameters())) and all(map(has_formula, owners))


def _by_formula(surface: Surface, masks: Masks, x: Tensor, y: Tensor, along: Along) -> Tree | None:
    """The sums of a chunk; None where a module ran more than once or on other than a batch, or its input changed."""
    calls, versions = _record(surface, x)
    logits, calls = calls[-1].output, calls[:-1]
    names = [call.name for call in calls]
    if len(set(names)) < len(names) or versions != [call.input._version for call in calls]:
        return None
    if any(len(call.output) != len(x) for call in calls):
        return None
    total = {name: torch.zeros(len(x), dtype=torch.float64, device=x.device) for name in surface.params}
    calls = [call for call in calls if call.output.requires_grad]
    directions, remembered = along(logits.detach(), y), dict[str, Tensor]()
    for direction, factor in directions.pairs if calls and logits.requires_grad else ():
        slopes = torch.autograd.grad(
            logits, [call.output for call in calls], direction, retain_graph=True, allow_unused=True
        )
        for call, slope in zip(calls, slopes, strict=True):
            if slope is not None:
                for name, square in squares(call, slope, masks, remembered, directions.most).items():
                    total[name] += factor.double() * square.double()
    return total


def _record(surface: Surface, x: Tensor) -> tuple[list[Call], list[int]]:
    """What every module with parameters saw in one pass, the whole network last, and the inputs' versions."""
    calls: list[Call] = []

    def record(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], dict[str, Tensor], Tensor], Tensor]:
        def hook(
            part: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Tensor], output: Tensor
        ) -> Tensor:
            calls.append(Call(name, part, (*inputs, *named.values())[0].detach(), output))
            return output.clone()  # what comes next may work in place

        return hook

    module = surface.module
    handles = [
        part.register_forward_hook(record(name), with_kwargs=True)
        for name, part in module.named_modules()
        if part._parameters
    ]
    leaves = {name: leaf.detach().requires_grad_() for name, leaf in surface.params.items()}
    try:
        logits = surface.logits(leaves, x)
    finally:
        for handle in handles:
            handle.remove()
    return [*calls, Call("", module, x, logits)], [call.input._version for call in calls]
