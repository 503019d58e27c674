"""Inputs that are more than one floating tensor, as one float32 tensor that every engine can carry."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from prunescope.base.value import Value

Kind = Literal["float", "int", "bool"]


class Part(Value):
    """A tensor of every example.

    name: the argument of the network's forward; a number for one that is given by place.
    numbers: what the network gets: floats in the precision of the weights, int64, or bool.
    shape: the shape for one example.
    """

    name: str
    numbers: Kind
    shape: tuple[int, ...]


class Layout(Value):
    """Which part of a packed example, float32 [F], is what: the parts, one behind the other."""

    parts: tuple[Part, ...]

    @property
    def described(self) -> str:
        """Name, kind of number and shape of each part."""
        return ", ".join(f"{part.name}: {part.numbers} {list(part.shape)}" for part in self.parts)

    def unpacked(self, x: Tensor) -> dict[str, Tensor]:
        """The parts of packed examples [B, F] by name, each [B, *shape]."""
        pieces = torch.split(x, [math.prod(part.shape) for part in self.parts], dim=1)
        return {
            part.name: _as(piece.reshape(x.shape[0], *part.shape), part.numbers)
            for part, piece in zip(self.parts, pieces, strict=True)
        }

    def __call__(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The hook: the parts in the place of the packed examples."""
        parts = self.unpacked(args[0])
        places = tuple(part for name, part in parts.items() if name.isdigit())
        return places, {**kwargs, **{name: part for name, part in parts.items() if not name.isdigit()}}


def packed(parts: Mapping[str, Tensor]) -> tuple[Tensor, Layout]:
    """Parts [N, *shape] by name as one tensor, float32 [N, F], and its layout; floating parts are float32."""
    x = torch.cat([leaf.reshape(len(leaf), -1).to(torch.float32) for leaf in parts.values()], dim=1)
    rows = [Part(name=name, numbers=_kind(leaf), shape=tuple(leaf.shape[1:])) for name, leaf in parts.items()]
    return x, Layout(parts=tuple(rows))


def _kind(leaf: Tensor) -> Kind:
    return "float" if leaf.is_floating_point() else "bool" if leaf.dtype == torch.bool else "int"


def _as(piece: Tensor, numbers: Kind) -> Tensor:
    if numbers == "float":
        return piece
    # Rounded: whoever nudges inputs to see what rounding does must not turn a 5 into a 4.
    return piece.round().to(torch.int64) if numbers == "int" else piece > 0.5
