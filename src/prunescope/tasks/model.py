"""Any `nn.Module` as pure functions of its tensors.

Belongs here: naming a network, building it, applying it, knowing which of its weights are maskable. Does not
belong here: the networks themselves (`nets/`), training.
"""

import copy
import importlib
import inspect
import json
import operator
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar, Self, cast

import torch
from pydantic import Field, JsonValue, PrivateAttr, field_validator
from torch import Tensor, nn

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.tree import Tree
from prunescope.base.value import Value, array_digest, text_digest
from prunescope.tasks.data.layout import Layout
from prunescope.tasks.functional import capturing, drawing, fill, places_of
from prunescope.tasks.kernels.compiling import Pass, compiled_pass

MASKABLE_MODULES = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def resolve(path: str) -> Any:
    """The object that an import path "module:qualified.name" names.

    Raises UsageError when the module or the name does not exist.
    """
    module_name, _, name = path.partition(":")
    try:
        return operator.attrgetter(name)(importlib.import_module(module_name))
    except (ImportError, AttributeError, ValueError) as problem:
        raise UsageError(f"{path!r} cannot be imported ({problem}); write 'package.module:Name'") from problem


class Network(Value):
    """A network by import path and arguments: `path(**args)` returns a fresh `nn.Module`.

    path: import path "module:name" of a class or function that returns the module.
    args: keyword arguments, defaults included.
    revision: a number that is raised when the code behind `path` computes something else.
    given: digest of the weights of an instance that is used as given; None for a class or function.
    layout: how inputs are unpacked in front of the network; None if they are one floating tensor.
    """

    added: ClassVar[frozenset[str]] = frozenset({"layout"})
    path: str = Field(pattern=r"^[\w.]+:[\w.<>]+$")
    args: dict[str, JsonValue] = {}
    revision: int = Field(default=1, ge=1)
    given: str | None = None
    layout: Layout | None = None
    _live: Any = PrivateAttr(default=None)

    @field_validator("args", mode="before")
    @classmethod
    def _plain(cls, args: dict[str, Any]) -> dict[str, Any]:
        return {name: _lists(args[name]) for name in sorted(args)}

    def build(self) -> nn.Module:
        """A module with fresh weights; an instance used as given is copied instead.

        Raises UsageError when the factory refuses its arguments.
        """
        if isinstance(self._live, nn.Module):
            return self._unpacking(copy.deepcopy(self._live))
        if self.given is not None:
            raise UsageError(f"network {self.path} was an instance of another session; build the task again")
        factory = self._live or resolve(self.path)
        try:
            module = factory(**{name: _tuples(value) for name, value in self.args.items()})
        except TypeError as problem:
            raise UsageError(f"{self.path} refuses its arguments {self.args}: {problem}") from problem
        if not isinstance(module, nn.Module):
            raise UsageError(
                f"{self.path} returned {type(module).__name__}; it must return a fresh torch.nn.Module"
            )
        return self._unpacking(module)

    def _unpacking(self, module: nn.Module) -> nn.Module:
        return module if self.layout is None else self.layout.attached(module)

    def replace(self, **changes: Any) -> Self:
        """See `Value.replace`; an object that cannot be imported is carried over."""
        copied = super().replace(**changes)
        copied._live = self._live
        return copied

    def with_args(self, **args: Any) -> "Network":
        """The same network with some arguments changed.

        Raises UsageError for an argument that it does not take, and for an instance, whose arguments are fixed.
        """
        if self.given is not None:
            raise UsageError(
                f"network {self.path} was given as an instance, so its arguments {sorted(args)} are fixed; "
                "give its class or a function that builds it"
            )
        return self.replace(
            args=_with_defaults(self._live or resolve(self.path), self.path, self.args | args)
        )

    @property
    def local(self) -> bool:
        """Whether only this process can build it: defined in a notebook, a script or a function, or given."""
        return self.path.startswith("__main__:") or "<" in self.path or self.given is not None


def network(path: str, *, revision: int = 1, **args: Any) -> Network:
    """A `Network` with the factory's default arguments written out, so that they enter the id.

    Raises UsageError for an argument that the factory does not take.
    """
    return Network(path=path, args=_with_defaults(resolve(path), path, args), revision=revision)


def network_of(factory: Callable[[], nn.Module] | nn.Module) -> Network:
    """The `Network` of a user's own factory, or of an instance, whose weights then start every replicate."""
    code = type(factory) if isinstance(factory, nn.Module) else factory
    while hasattr(code, "func"):
        code = code.func
    path = f"{getattr(code, '__module__', '__main__')}:{getattr(code, '__qualname__', type(code).__name__)}"
    if isinstance(factory, nn.Module):
        instance = Network(path=path, given=array_digest(*factory.state_dict().values()))
        instance._live = copy.deepcopy(factory)
        return instance
    positional, keywords = getattr(factory, "args", ()), getattr(factory, "keywords", {})
    network = Network(path=path, args=_with_defaults(code, path, keywords, positional))
    network._live = code
    # All lambdas of a file have the same name, so the module that each builds tells them apart.
    return network.replace(path=f"{path}.{_module_digest(network)}") if "<" in path else network


def _module_digest(network: Network) -> str:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        module = network.build()
    return text_digest(f"{module} {array_digest(*module.state_dict().values())}")[:8]


def _with_defaults(
    factory: Any, path: str, args: dict[str, Any], positional: tuple[Any, ...] = ()
) -> dict[str, Any]:
    """All arguments by name, with whole numbers as floats where the default is a float.

    A default that is no plain data (a class, for example) is left out, as a part of the code.
    """
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return args
    try:
        bound = signature.bind(*positional, **args)
    except TypeError as problem:
        permitted = ", ".join(signature.parameters)
        raise UsageError(f"{path}: {problem}; it takes {permitted or 'no arguments'}") from None
    complete = dict(bound.arguments)
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            complete |= complete.pop(name, {})
        elif parameter.default is not parameter.empty and _is_plain(parameter.default):
            complete.setdefault(name, parameter.default)
            if type(complete[name]) is int and isinstance(parameter.default, float):
                complete[name] = float(complete[name])
    if unfit := {name: value for name, value in complete.items() if not _is_plain(value)}:
        raise UsageError(
            f"{path}: arguments {unfit} are no plain data (numbers, texts, lists of them), so they have no id; "
            "write a function that builds the network with them"
        )
    return {name: complete[name] for name in sorted(complete)}


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _lists(value: Any) -> Any:
    return [_lists(item) for item in value] if isinstance(value, tuple | list) else value


def _tuples(value: JsonValue) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


class Model:
    """A network as pure functions over trees.

    It keeps one copy of the module in training mode and one in evaluation mode, whose own tensors are not used after
    construction. A network that draws while it trains (dropout) draws from torch's default generators, which a
    training pass seeds and then restores.
    """

    def __init__(self, network: Network) -> None:
        """Builds the module once, without touching the global random state."""
        self.network = network
        with torch.random.fork_rng(devices=[]):
            self._train = network.build().train()
        self._eval = copy.deepcopy(self._train).eval()
        self._train_places, self._eval_places = places_of(self._train), places_of(self._eval)

    @cached_property
    def maskable(self) -> frozenset[str]:
        """Names of the weights of linear and convolutional modules; biases and normalization never count."""
        return frozenset(
            f"{prefix}.weight" if prefix else "weight"
            for prefix, module in self._train.named_modules()
            if isinstance(module, MASKABLE_MODULES)
        )

    def template(self, *, train: bool) -> nn.Module:
        """The module in training or evaluation mode, to inspect or to copy; its tensors are those of the last pass."""
        return self._train if train else self._eval

    @cached_property
    def compiled(self) -> Pass:
        """A training pass on given tensors, compiled by `torch.compile`; for networks that draw nothing."""
        return compiled_pass(self._train)

    def init(self, seed: int) -> tuple[Tree, Tree]:
        """Fresh (params, buffers) under `seed`, as the constructor of the module draws them.

        The constructor may only draw from torch's default generator, whose state is restored afterwards.
        """
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            module = self.network.build()
        return tree.clone(dict(module.named_parameters())), tree.clone(dict(module.named_buffers()))

    def apply(
        self, params: Tree, buffers: Tree, x: Tensor, *, train: bool, draw: int = 0
    ) -> tuple[Tensor, Tree]:
        """The logits [B, C] of inputs x [B, ...], and the buffers after the pass.

        With `train=True` normalization uses batch statistics, and the returned buffers have updated running
        statistics; `buffers` itself is not changed. With `train=False` the same buffers are returned.

        draw: seed of the draws of the network in training.
        """
        if not train:
            fill(self._eval_places, {**params, **buffers})
            return cast(Tensor, self._eval(x)), buffers
        fill(self._train_places, {**params, **{name: leaf.clone() for name, leaf in buffers.items()}})
        with drawing(x.device, draw):
            logits = cast(Tensor, self._train(x))
        # The module may have put a new tensor in the place of a buffer.
        updated = {name: store[key].detach() for store, key, name in self._train_places if name in buffers}
        return logits, {name: updated[name] for name in buffers}

    def observe(
        self, params: Tree, buffers: Tree, x: Tensor, *, names: frozenset[str], draw: int = 0
    ) -> tuple[Tensor, Tree, Tree]:
        """A training pass that also returns the outputs of the modules called `names`, detached.

        Raises UsageError for a name that is no module; the message lists those that are.
        """
        with capturing(self._train, names) as captured:
            logits, updated = self.apply(params, buffers, x, train=True, draw=draw)
        return logits, updated, captured

    def fingerprint(self, x: Tensor) -> dict[str, Any]:
        """What the code computes now: parameter shapes, and evaluation logits of seed 0 on the inputs x [B, ...].

        It is stored beside the first run of a network and compared on reuse, so that changed code is noticed.
        """
        params, buffers = self.init(0)
        with torch.no_grad():
            logits, _ = self.apply(params, buffers, x, train=False)
        shapes = {name: list(leaf.shape) for name, leaf in params.items()}
        return {"shapes": shapes, "logits": [round(value, 6) for value in logits.flatten()[:20].tolist()]}
