"""A network on its way out: a module with inputs as its own code takes them, and what people have to know of it."""

import copy
import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from prunescope import __version__
from prunescope.base.errors import UsageError
from prunescope.runs.graph.nodes import describe
from prunescope.runs.machine.modules import LoadedModule
from prunescope.tasks.data.layout import Layout
from prunescope.tasks.model import Model


@dataclass(frozen=True)
class PortableNetwork:
    """A module, and some inputs as it takes them.

    module: in evaluation mode, without hooks that unpack inputs.
    args, kwargs: the inputs of some examples, [B, ...] each.
    facts: run, network, normalization, class names, units left out.
    drawn: names of buffers that no state dict has, and that are not those of every network of this code.
    """

    module: nn.Module
    args: tuple[Tensor, ...]
    kwargs: dict[str, Tensor]
    facts: dict[str, Any]
    drawn: frozenset[str] = frozenset()

    @property
    def tensors(self) -> list[Tensor]:
        """All inputs in order."""
        return [leaf for leaf in tree_leaves((self.args, self.kwargs)) if isinstance(leaf, Tensor)]

    def outputs(self, module: Callable[..., Any]) -> Tensor:
        """What a module, or a graph of it, returns for the inputs."""
        result = module(*self.args, **self.kwargs)
        assert isinstance(result, Tensor)
        return result

    @cached_property
    def expected(self) -> Tensor:
        """The module's own outputs."""
        with torch.no_grad():
            return self.outputs(self.module)

    def graph(self) -> torch.export.ExportedProgram:
        """The module as torch.export sees it, for any number of examples. Raises UsageError where it cannot be."""
        size = torch.export.Dim("batch", min=1)
        bound = inspect.signature(self.module.forward).bind(*self.args, **self.kwargs).arguments
        sizes = {name: tree_map(lambda leaf: {0: size}, part) for name, part in bound.items()}
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")  # of torch's own making
                return torch.export.export(self.module, self.args, self.kwargs, dynamic_shapes=sizes)
        except Exception as problem:  # whatever the user's forward does to a tracer
            reason = str(problem).strip().split("\n")[0]
            raise UsageError(
                f"torch.export cannot follow the forward pass of {type(self.module).__name__} for any number of "
                f"examples ({reason}); export to safetensors, or write the pass without branches on data"
            ) from problem


def portable(loaded: LoadedModule) -> PortableNetwork:
    """A loaded network without the hook that unpacks its inputs, and with inputs that are unpacked."""
    module, layout = copy.deepcopy(loaded.module), loaded.task.network.layout
    args, kwargs = (loaded.inputs,), dict[str, Tensor]()
    if layout is not None:
        for key, hook in list(module._forward_pre_hooks.items()):
            if isinstance(hook, Layout):
                del module._forward_pre_hooks[key], module._forward_pre_hooks_with_kwargs[key]
        args, kwargs = layout(module, args, {})
    source = loaded.task.data.source
    normalization = getattr(source, "normalization", None)
    facts = {
        "run": loaded.run,
        "network": loaded.task.network.path,
        "arguments": loaded.task.network.args,
        "normalization": None if normalization is None else describe(normalization),
        "class_names": list(source.class_names),
        "removed": loaded.removed,
        "prunescope": __version__,
    }
    network = loaded.task.network
    unsaved = frozenset(dict(module.named_buffers())) - module.state_dict().keys()
    drawn = unsaved if network.given or not unsaved else Model(network, loaded.inputs).drawn_buffers
    return PortableNetwork(module.eval(), args, kwargs, facts, drawn)
