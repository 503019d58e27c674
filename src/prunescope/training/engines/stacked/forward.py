"""A network applied to a whole stack: [R, B, ...] in, [R, B, C] out.

Belongs here: the methods to do it, and which of them a network admits. Does not belong here: layers (`modules.py`).

`Leading` calls the network itself on [R, B, ...] after its layers were replaced; `Vmapped` calls the untouched network
under `torch.func.vmap`. Whether a method is right for a network is not guessed from its code: two members are compared
with the network alone, outputs, statistics and gradients.
"""

import copy
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.func import vmap

from prunescope.base import tree
from prunescope.base.streams import stream
from prunescope.base.tree import Tree
from prunescope.tasks.functional import fill, places_of, random_state, without_zeros
from prunescope.tasks.model import Model
from prunescope.training.engines.stacked.modules import StackedDropout, StackedLinear, stacked

MOST_EXAMPLES = 32
"""Members are compared on as many examples as a batch has, which code may count, up to so many."""
TOLERANCE = 1e-4
"""Largest relative difference from the network alone, in units of the largest entry; float32 alone makes about 1e-6."""


class Leading:
    """A training pass of R members: the network's own code on tensors with a leading axis of members.

    draws: whether the network draws while it trains.
    """

    def __init__(self, model: Model) -> None:
        self.module = copy.deepcopy(model.template(train=True))
        if (whole := stacked(self.module)) is not None:
            self.module = whole.train()
        self._replace(self.module)
        self.places = places_of(self.module)
        self.drops = [module for module in self.module.modules() if isinstance(module, StackedDropout)]
        self.draws = bool(self.drops)

    def _replace(self, module: nn.Module) -> None:
        for name, child in module.named_children():
            if (new := stacked(child)) is not None:
                setattr(module, name, new.train())
            else:
                self._replace(child)

    def linear(self) -> dict[str, StackedLinear]:
        """The layers that may be given a pattern, by the name of their weight, which nobody else uses."""
        uses = [name for _, _, name in self.places]
        modules = [(n, m) for n, m in self.module.named_modules() if isinstance(m, StackedLinear)]
        named = {f"{name}.weight".removeprefix("."): module for name, module in modules}
        return {name: module for name, module in named.items() if uses.count(name) == 1}

    def apply(self, params: Tree, buffers: Tree, x: Tensor, draws: Sequence[int]) -> tuple[Tensor, Tree]:
        """Logits [R, B, C] of x [R, B, ...], and moved buffers. draws: seed of what each member's network draws."""
        fill(self.places, {**params, **tree.clone(buffers)})
        if self.drops:
            generators = [torch.Generator(x.device).manual_seed(draw) for draw in draws]
            for drop in self.drops:
                drop.generators = generators
        logits = cast(Tensor, self.module(x))
        moved = {name: place[key].detach() for place, key, name in self.places if name in buffers}
        return logits, {name: moved[name] for name in buffers}


class Vmapped:
    """The untouched network under vmap: right for most, and slower by its overhead at every operation."""

    def __init__(self, model: Model) -> None:
        self.draws = False  # one that draws does not pass the comparison
        self.module = copy.deepcopy(model.template(train=True))
        self.places = places_of(self.module)

    def linear(self) -> dict[str, StackedLinear]:
        """None: its layers are plain."""
        return {}

    def apply(self, params: Tree, buffers: Tree, x: Tensor, draws: Sequence[int]) -> tuple[Tensor, Tree]:
        """See `Leading.apply`."""

        def apply_one(params: Tree, buffers: Tree, x: Tensor) -> tuple[Tensor, Tree]:
            fill(self.places, {**params, **buffers})
            logits = self.module(x)
            return logits, {name: place[key] for place, key, name in self.places if name in buffers}

        logits, moved = vmap(apply_one)(params, tree.clone(buffers), x)
        return logits, {name: moved[name].detach() for name in buffers}


Forward = Leading | Vmapped
Method = Literal["layers", "vmap", "streams"]
METHODS: dict[Method, type[Forward]] = {"layers": Leading, "vmap": Vmapped, "streams": Leading}
"""The methods by name, as they are recorded. streams: each member in a program of its own, side by side on a GPU."""


@dataclass(frozen=True)
class Admitted:
    """How a network is applied to a stack.

    name: the method; None if the network admits none.
    linear: names of the weights that may be sparse.
    """

    name: Method | None
    linear: frozenset[str] = frozenset()

    @property
    def method(self) -> type[Forward] | None:
        """What applies it."""
        return METHODS[self.name] if self.name else None


@lru_cache(32)
def admitted(model: Model, shape: tuple[int, ...], device: str, first: Method) -> Admitted:
    """The first method, or else another, that equals the network alone on two members; shape: of their inputs."""
    x = torch.randn(shape, generator=stream(0, "comparison of a stack")).to(device)
    for name in sorted(METHODS, key=lambda name: name != first):
        if _equal(METHODS[name], model, x):
            return Admitted(name, frozenset(METHODS[name](model).linear()))
    return Admitted(None)


def _equal(method: type[Forward], model: Model, x: Tensor) -> bool:
    """Whether two members give in a stack what each gives alone.

    In float64, as normalization over few numbers magnifies rounding; in float32 for a network that takes nothing else.
    """
    for dtype in (torch.float64, torch.float32):
        with suppress(Exception):  # whatever a user's network says to tensors that it was not written for
            return _agrees(method, model, x.to(dtype))
    return False


def _agrees(method: type[Forward], model: Model, x: Tensor) -> bool:
    drawn = [(without_zeros(params, seed), buffers) for seed in (0, 1) for params, buffers in [model.init(seed)]]
    members = [tuple(tree.to(_cast(part, x.dtype), x.device) for part in parts) for parts in drawn]
    draws, xs = (3, 4), torch.stack([x, x.flip(0)])
    params, buffers = (tree.stack(parts) for parts in zip(*members, strict=True))
    before = random_state(x.device)
    got = _outcome(params, lambda p: method(model).apply(p, buffers, xs, draws))
    if not torch.equal(before, random_state(x.device)):
        return False  # it draws for all members at once, seldom seen in outputs where it draws with a small probability
    for r, (alone, statistics) in enumerate(members):

        def by_itself(leaves: Tree, r: int = r, statistics: Tree = statistics) -> tuple[Tensor, Tree]:
            return model.apply(leaves, statistics, xs[r], train=True, draw=draws[r])

        if not _close(got, _outcome(alone, by_itself), r):
            return False
    return True


def _cast(part: Tree, dtype: torch.dtype) -> Tree:
    return {name: leaf.to(dtype) if leaf.is_floating_point() else leaf for name, leaf in part.items()}


def _outcome(params: Tree, apply: Callable[[Tree], tuple[Tensor, Tree]]) -> Tree:
    """Logits, moved buffers and gradients of the summed squares of the logits, by name."""
    leaves = tree.leaves_of(params)
    logits, buffers = apply(leaves)
    slopes = {f"gradient {name}": leaf for name, leaf in tree.slope(logits.square().sum(), leaves).items()}
    return {"logits": logits.detach(), **{f"buffer {name}": leaf for name, leaf in buffers.items()}, **slopes}


def _close(got: Tree, want: Tree, row: int) -> bool:
    """Whether everything agrees. A gradient that is 0 up to rounding is measured by the others."""
    steepest = max((float(leaf.abs().max()) for name, leaf in want.items() if name.startswith("gradient")), default=0.0)
    for name, leaf in want.items():
        mine = got[name][row]
        if mine.shape != leaf.shape:
            return False
        scale = float(leaf.double().abs().max()) + (0.01 * steepest if name.startswith("gradient") else 0.0)
        if not float((mine.double() - leaf.double()).abs().max()) <= TOLERANCE * scale + 1e-12:
            return False
    return True
