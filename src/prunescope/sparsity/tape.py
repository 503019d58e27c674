"""One pass of a network as a list of calls, any part of which can be run again with other values.

Belongs here: recording, replaying. Does not belong here: what a replay says about units (`influence.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from prunescope.base.errors import UsageError
from prunescope.base.passes import Watched
from prunescope.sparsity.structure import gates

ATEN = torch.ops.aten
FORWARD = dict.fromkeys((ATEN.linear, ATEN.conv1d, ATEN.conv2d, ATEN.conv3d), (1, 2, 0, (0, 1)))
BACKWARD = dict.fromkeys((ATEN.conv_transpose1d, ATEN.conv_transpose2d, ATEN.conv_transpose3d), (1, 2, 0, (1, 0)))
NORMS = dict.fromkeys((ATEN.batch_norm, ATEN.instance_norm), (1, 2, 0, (0, 1)))
PRODUCTS = {**dict.fromkeys((ATEN.mm, ATEN.matmul), (1, 9, 0, (1, 0))), ATEN.addmm: (2, 0, 1, (1, 0))}
PLACES = FORWARD | BACKWARD | NORMS | PRODUCTS
"""Places of weight, bias (9 for none) and input among the arguments; axes of units and of columns in the weight."""
CONVOLUTIONS = {packet for packet in FORWARD | BACKWARD if packet != ATEN.linear}
TURNS = {ATEN.t, ATEN.transpose, ATEN.numpy_T}
OUTPUT = -1
"""Stands for the network's output among the calls that read something."""


@dataclass(eq=False)
class Call:
    """One call of a pass.

    kind: "layer" multiplies by a weight; "norm" is a normalization by running statistics with gamma and beta; "gate"
        is a product with a gate's buffer; all else is "".
    weight, bias: names of the parameters, "" where there is none; a gate's weight is its buffer, a norm's its gamma.
    x, out: the input and the output of a call that has a kind.
    axes: the axis of units in out, and that of columns in x.
    weight_axes: the axis of units in the weight, and that of columns.
    groups: of a convolution.
    changed: the tensor that the call changes in place, the first one on the same storage, and that one's copy before.
    """

    func: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    kind: Literal["", "layer", "norm", "gate"] = ""
    weight: str = ""
    bias: str = ""
    axes: tuple[int, int] = (-1, -1)
    weight_axes: tuple[int, int] = (0, 1)
    groups: int = 1
    x: Any = None
    out: Any = None
    changed: tuple[Tensor, Tensor, Tensor] | None = None

    @property
    def layer(self) -> str:
        """Name of the layer: of the module, or of a weight that is not called "weight"."""
        return self.weight.removesuffix(".weight")

    @property
    def count(self) -> int:
        """Number of units."""
        return int(self.out.shape[self.axes[0]])

    def again(self, new: dict[int, Tensor]) -> None:
        """Runs the call on new values of tensors, by id, and adds its outputs to them."""
        if self.changed is not None:
            target, whole, before = self.changed
            if id(target) not in new:
                now = new.setdefault(id(whole), before.clone())
                new[id(target)] = now.as_strided(target.size(), target.stride(), target.storage_offset())
        args, kwargs = tree_map(lambda leaf: new.get(id(leaf), leaf), (self.args, self.kwargs))
        for old, value in zip(tree_leaves(self.out), tree_leaves(self.func(*args, **kwargs)), strict=True):
            if isinstance(old, Tensor):
                new[id(old)] = value


@dataclass
class Tape:
    """The calls of a pass in order.

    calls: all of them.
    outputs: ids of the tensors that the network returned.
    uses: the calls that take a parameter, by its name.
    dimensions: the numbers of axes of the parameters.
    """

    calls: list[Call] = field(default_factory=list)
    outputs: set[int] = field(default_factory=set)
    uses: dict[str, list[Call]] = field(default_factory=dict)
    dimensions: dict[str, int] = field(default_factory=dict)

    def after(self, source: int) -> list[int]:
        """The calls that depend on the output of `source`, up to those that multiply by a weight or a gate."""
        reached, found = {id(self.calls[source].out)}, []
        for i in range(source + 1, len(self.calls)):
            call = self.calls[i]
            if reached.isdisjoint(id(leaf) for leaf in tree_leaves((call.args, call.kwargs))):
                continue
            found.append(i)
            if call.kind in ("", "norm"):
                reached |= {id(leaf) for leaf in tree_leaves(call.out) if isinstance(leaf, Tensor)}
                reached |= {id(leaf) for leaf in (call.changed or ())[:2]}
        return found

    def replay(self, source: int, value: Tensor, following: Sequence[int]) -> dict[int, Tensor]:
        """The inputs of the layers, norms and gates that read the output of `source`, were it `value`.

        following: `after(source)`. The entry OUTPUT is the network's output, where it depends on it directly.
        """
        new, inputs = {id(self.calls[source].out): value}, {}
        for i in following:
            call = self.calls[i]
            if not call.kind:
                call.again(new)
            elif id(call.x) in new:
                inputs[i] = new[id(call.x)].clone()
                if call.kind == "norm":
                    new[id(call.out)] = inputs[i].clone()
        if touched := [new[key] for key in self.outputs if key in new]:
            inputs[OUTPUT] = torch.cat([leaf.flatten().float() for leaf in touched])
        return inputs


class _Recorder(Watched):  # type: ignore[no-untyped-call]
    """Records calls. Layers and gates put out random numbers, norms their input, so that no value is 0 by chance."""

    def __init__(self, names: Mapping[int, str], gates: Mapping[int, str], numbers: "_Numbers") -> None:
        super().__init__()
        self.tape, self.names, self.gates, self.numbers = Tape(), dict(names), dict(gates), numbers
        self.turned: set[int] = set()
        self._wholes: dict[int, Tensor] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        call = self._recognized(func, args, kwargs or {})
        for leaf in tree_leaves((args, kwargs)):
            if isinstance(leaf, Tensor):
                self._wholes.setdefault(_storage(leaf), leaf)
                if id(leaf) in self.names:
                    self.tape.uses.setdefault(self.names[id(leaf)], []).append(call)
        if func._schema.is_mutable:
            place = next(i for i, a in enumerate(func._schema.arguments) if a.alias_info and a.alias_info.is_write)
            target = args[place] if place < len(args) else call.kwargs[func._schema.arguments[place].name]
            whole = self._wholes[_storage(target)]
            call.changed = (target, whole, whole.clone())
        out = func(*args, **call.kwargs)
        if call.kind == "norm":
            out = call.x.clone()
        elif call.kind:
            out = self.numbers.like(out)
        call.out = out
        if func.overloadpacket in TURNS and isinstance(out, Tensor) and out.ndim == 2 and id(args[0]) in self.names:
            self.names[id(out)] = self.names[id(args[0])]
            self.turned ^= {id(out)}
            self.tape.uses[self.names[id(out)]].pop()
        self.tape.calls.append(call)
        return out

    def _recognized(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Call:
        call, packet = Call(func, args, kwargs), func.overloadpacket
        if packet in PLACES:
            weight, bias, x, axes = PLACES[packet]
            call.weight, call.bias = (self.names.get(id(args[i]), "") if i < len(args) else "" for i in (weight, bias))
            call.x, call.weight_axes = args[x], axes[::-1] if id(args[weight]) in self.turned else axes
            if packet in CONVOLUTIONS:
                call.groups, call.axes = args[6] if len(args) > 6 else 1, (1 - args[weight].ndim,) * 2
            if packet in NORMS:
                call.kind, call.axes = "norm" if call.weight and call.bias else "", (1, 1)
            elif call.weight and args[weight].ndim > 1 and (call.groups == 1 or axes == (0, 1)):
                call.kind = "layer"
        elif packet == ATEN.mul and isinstance(args[1], Tensor) and (gate := self.gates.get(_storage(args[1]))):
            call.kind, call.weight, call.x, call.axes = "gate", gate, args[0], (1, 1)
        return call


class _Numbers:
    """Random numbers that are not small, and too small to saturate an activation: 0.25 to 0.75 in size."""

    def __init__(self, sign: int) -> None:
        self.generator, self.sign = torch.Generator().manual_seed(0), sign

    def positive(self, like: Tensor) -> Tensor:
        return (torch.rand(like.shape, generator=self.generator) / 2 + 0.25).to(like.dtype)

    def like(self, like: Tensor) -> Tensor:
        signs = torch.rand(like.shape, generator=self.generator) < 0.5
        return self.sign * self.positive(like) * torch.where(signs, -1, 1)


def record(module: nn.Module, example: Tensor, *, keep_values: bool = False) -> tuple[Tape, Tape]:
    """Two tapes of a pass of the module, in the mode that it is in, on inputs like `example` [B, ...].

    Their values do not matter: parameters, constant buffers and inputs (unless keep_values) become random numbers.
    Those of the second tape are the negative of the first one's, so that no activation is 0 in both.

    Raises UsageError when the pass fails, and when it takes another way for other values.
    """
    name = type(module).__name__
    try:
        tapes = _record(module, example, 1, keep_values), _record(module, example, -1, keep_values)
    except Exception as problem:  # whatever the user's forward raises
        raise UsageError(
            f"the units of {name} cannot be found, because its pass on examples of shape "
            f"{list(example.shape[1:])} fails: {problem}"
        ) from problem
    if len({tuple(call.func for call in tape.calls) for tape in tapes}) > 1:
        raise UsageError(
            f"the units of {name} cannot be found, because its forward pass cannot be followed: it takes different "
            "ways for different values; write it without branches on data"
        )
    return tapes


def _record(module: nn.Module, example: Tensor, sign: int, keep_values: bool) -> Tape:
    numbers = _Numbers(sign)
    fastpath = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.inference_mode():
            leaves = dict(_random_leaves(module, numbers))
            switches = {_storage(leaf): key for key, leaf in gates(leaves).items()}
            x = example[:2].detach().cpu().clone()
            if x.is_floating_point() and not keep_values:
                x = sign * numbers.positive(x)
            names = {id(leaves[key]): key for key, _ in module.named_parameters()}
            with _Recorder(names, switches, numbers) as recorder:
                outputs = torch.func.functional_call(module, leaves, (x,))
    finally:
        torch.backends.mha.set_fastpath_enabled(fastpath)
    outputs = outputs if isinstance(outputs, Tensor) else list(getattr(outputs, "values", lambda: outputs)())
    tape: Tape = recorder.tape
    tape.dimensions = {key: leaf.ndim for key, leaf in leaves.items()}
    tape.outputs = {id(leaf) for leaf in tree_leaves(outputs) if isinstance(leaf, Tensor)}
    return tape


def _random_leaves(module: nn.Module, numbers: _Numbers) -> Iterator[tuple[str, Tensor]]:
    for name, weight in module.named_parameters():
        yield name, numbers.like(weight)
    for name, leaf in module.named_buffers():
        constant = leaf.is_floating_point() and leaf.numel() > 0 and bool((leaf == leaf.flatten()[0]).all())
        if name.endswith("running_mean"):  # above 0 in one pass, below in the other
            yield name, numbers.sign * numbers.positive(leaf)
        else:
            yield name, numbers.positive(leaf) if constant else leaf.detach().cpu().clone()


def _storage(leaf: Tensor) -> int:
    return leaf.untyped_storage().data_ptr()
