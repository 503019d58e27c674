"""Which network a state is of: the first of some that it fits, a narrower one of them, or the module that it came in.

Belongs here: trying. Does not belong here: reading states, putting them in (`tasks/fitting.py`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from prunescope.base.blame import blaming
from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.streams import stream
from prunescope.runs.given.modules import load as load_module
from prunescope.runs.given.tensors import Loaded
from prunescope.tasks.compact import resize
from prunescope.tasks.data.source import Inputs
from prunescope.tasks.fitting import misfits, require_fit, same_outputs, weights_from
from prunescope.tasks.functional import close
from prunescope.tasks.model import Model, Network, network_of

EXAMPLES = 8
"""Examples on which what a network reads is looked at."""
_close = partial(close, tolerance=1e-4)
"""Two networks are one if their outputs differ by no more than this, relative to the largest."""


@dataclass(frozen=True)
class Fitted:
    """A state, the network that it is of, and what was done to make it fit, for people."""

    network: Network
    weights: Weights
    notes: tuple[str, ...] = ()


class Networks:
    """The networks that the states of one audit may be of; what one state was of is tried first for the next."""

    def __init__(self, named: Network | None, inputs: Inputs, dress: Callable[[Network], Network]) -> None:
        """named: the network that the user named.

        inputs: those of all examples, on which networks are compared.
        dress: gives a network what the user said of all of them: prunable tensors, output, layout of inputs.
        """
        self._inputs, self.dress = inputs, dress
        self.models = [] if named is None else [Model(dress(named), self.example)]
        self.classes: dict[type[nn.Module], Model | None] = {}

    @property
    def example(self) -> Tensor:
        """Inputs of the first examples, a copy each time: a pass of one network may change them in place."""
        return self._inputs.take(torch.arange(min(EXAMPLES, len(self._inputs)))).clone()

    def fit(self, loaded: Loaded, *, exact: bool) -> Fitted:
        """The state in a network. Raises UsageError where it fits none that is known, with every tensor's name.

        exact: whether narrower layers are a misfit, as for the dense network, whose own class is to be named.
        """
        with blaming(loaded.name):
            return self._fit(self._folded(loaded), exact)

    def _fit(self, loaded: Loaded, exact: bool) -> Fitted:
        own = None if loaded.module is None else Model(self.dress(network_of(loaded.module)), self.example)
        for narrow in (False,) if exact else (False, True):
            for candidate, tensors in self._candidates(loaded):
                model = self._narrower(candidate, tensors) if narrow else candidate
                if model is None or misfits(model, tensors):
                    continue
                weights = weights_from(model, tensors, name=loaded.name)
                if own is None or same_outputs((own, own.fresh(0)), (model, weights), self._inputs):
                    if narrow and own is None and (read := self._numbers_read(model)):
                        raise UsageError(
                            f"{loaded.name} has narrower layers than {candidate.network.path}, whose forward pass "
                            f"computes with {', '.join(read)}; what these are in the narrower network no state dict "
                            "says: give the narrower module itself"
                        )
                    return self._found(model, weights, loaded.notes, loaded.name)
        if own is not None:
            return self._found(own, weights_from(own, loaded.tensors, name=loaded.name), loaded.notes, loaded.name)
        raise self._misfit(loaded)

    def _candidates(self, loaded: Loaded) -> Iterator[tuple[Model, Mapping[str, Tensor]]]:
        """Models to try, each with the tensors by the names that they may have there."""
        for model in self.models:
            for tensors in _without_prefixes(loaded.tensors):
                yield model, tensors
        if loaded.own is not None:
            yield Model(self.dress(loaded.own[0]), self.example), loaded.own[1]
        if loaded.module is not None and (of_class := self._of_class(type(loaded.module))) is not None:
            yield of_class, loaded.tensors

    def _folded(self, loaded: Loaded) -> Loaded:
        """A state dict of parametrized layers as the module of a known network that has these, which computes weights.

        Raises UsageError where no network has them: only their code says what weights they make.
        """
        parts = sorted({key.split(".parametrizations.")[0] for key in loaded.tensors if ".parametrizations." in key})
        if loaded.module is not None or not parts:
            return loaded
        for model in self.models:
            for tensors in _without_prefixes(loaded.tensors):
                if not misfits(model, tensors):
                    module = model.network.bare()
                    module.load_state_dict(tensors)
                    made = load_module(module, loaded.name)
                    return replace(made, notes=(*loaded.notes, *made.notes)) if made and made.notes else loaded
        raise UsageError(
            f"{loaded.name} has parametrizations of {', '.join(parts)}, and only their code says what they make; "
            "give the module itself, name the function that builds it with them, or make them permanent before saving: "
            "torch.nn.utils.parametrize.remove_parametrizations, or squash_mask() of torch.ao.pruning"
        )

    def _numbers_read(self, model: Model) -> list[str]:
        """Numbers that layers of the user's own keep as attributes, and that change the outputs, such as heads."""
        outputs, read = self._outputs(model), []
        for path, part in model.network.bare().named_modules():
            for key, value in vars(part).items() if not type(part).__module__.startswith("torch.nn") else ():
                if (other := _other(value)) is None:
                    continue
                module = model.network.bare()
                setattr(module.get_submodule(path), key, other)
                try:
                    same = _close(self._outputs(Model(self.dress(network_of(module)), self.example)), outputs)
                except Exception:  # the user's forward pass may fail with another number
                    same = False
                read += [] if same else [f"{path}.{key}".removeprefix(".")]
        return read

    def _of_class(self, cls: type[nn.Module]) -> Model | None:
        """The model of a class that needs no arguments; None for others."""
        if cls not in self.classes:
            try:
                self.classes[cls] = Model(self.dress(network_of(cls)), self.example)
            except Exception:  # the user's class; the module itself is there
                self.classes[cls] = None
        return self.classes[cls]

    def _outputs(self, model: Model) -> Tensor:
        state = model.fresh(0)
        with torch.no_grad():
            return model.apply(state.params, state.buffers, self.example, train=False)[0]

    def _narrower(self, model: Model, tensors: Mapping[str, Tensor]) -> Model | None:
        """The model with layers as narrow as the tensors say; None where that is not possible, or changes outputs."""
        module = model.network.bare()
        try:
            resize(module, tensors)
            module.load_state_dict(tensors)
            narrow = Model(self.dress(network_of(module)), self.example)
            same = self._outputs(narrow).shape == self._outputs(model).shape
        except Exception:  # the user's forward pass may need the widths that are gone
            return None
        return narrow if same else None

    def _found(self, model: Model, weights: Weights, notes: tuple[str, ...], name: str) -> Fitted:
        if model not in self.models:
            self.models.append(model)
        weights = self._with_masks_of_layers(model, weights)
        if removed := sum(int((~mask).sum()) for mask in weights.masks.values()):
            share = 100 * weights.sparsity
            notes = (*notes, f"{name}: {removed:,} weights ({share:.1f} %) are exactly 0 and count as removed")
        return Fitted(model.network, weights, notes)

    def _with_masks_of_layers(self, model: Model, weights: Weights) -> Weights:
        """Weights without those that a tensor of zeros and ones multiplies away, wherever the network keeps it."""
        before = self._probed(model, weights)
        others = {key: leaf for key, leaf in weights.params.items() if key not in weights.masks} | weights.buffers
        for path, part in model.template(train=False).named_modules():
            others |= {f"{path}.{key}": leaf for key, leaf in vars(part).items() if isinstance(leaf, Tensor)}
        # Of other layers no vectors of one number: a fresh network is full of biases of 0 and scales of 1.
        mixed = {key for key, leaf in others.items() if leaf.ndim > 1 or bool((leaf != leaf.flatten()[:1]).any())}
        for name in weights.masks:
            layer = name.rpartition(".")[0]
            own = {key: leaf for key, leaf in others.items() if key.rpartition(".")[0] == layer}
            own_first = own | {key: leaf for key, leaf in others.items() if key in mixed}
            for kept in (kept for leaf in own_first.values() for kept in _kept_by(leaf, weights.masks[name])):
                params = {**weights.params, name: weights.params[name].masked_fill(~kept, 0.0)}
                changed = weights.replace(params=params, masks={**weights.masks, name: kept})
                if all(map(_close, self._probed(model, changed), before)):
                    weights = changed
                    break
        return weights

    def _probed(self, model: Model, weights: Weights) -> list[Tensor]:
        """Outputs for the examples and, where inputs are numbers, for random ones: examples may have zeros."""
        generator = stream(0, "audit", "masks of layers")
        noise = torch.randn(self.example.shape, generator=generator)
        inputs = [self.example] if model.network.layout is not None else [self.example, noise]
        with torch.no_grad():
            return [model.apply(weights.params, weights.buffers, x, train=False)[0] for x in inputs]

    def _misfit(self, loaded: Loaded) -> UsageError:
        """The error that names what keeps a state from being one of the network that it fits best."""
        pairs = list(self._candidates(loaded))
        if not pairs:
            return UsageError(
                f"{loaded.name} has tensors and no network; name the class or function that builds it: network=, or "
                "--network my_module:Net"
            )
        model, tensors = min(pairs, key=lambda pair: len("".join(misfits(*pair))))
        try:
            require_fit(misfits(model, tensors), name=loaded.name, network=model.network.path)
        except UsageError as problem:
            return problem
        return UsageError(f"{loaded.name} fits {model.network.path} and has other outputs than it; name its network")


def _without_prefixes(tensors: Mapping[str, Tensor]) -> Iterator[Mapping[str, Tensor]]:
    """The tensors by their names, then without the first words that all names share ("module", "model")."""
    yield tensors
    words = {key.partition(".")[0] for key in tensors}
    if len(words) == 1 and all("." in key for key in tensors):
        yield from _without_prefixes({key.partition(".")[2]: leaf for key, leaf in tensors.items()})


def _other(value: object) -> object:
    """Another value than a number, or than several; None for what is no number."""
    if isinstance(value, tuple | list) and value:
        others = [_other(item) for item in value]
        return None if None in others else tuple(others) if isinstance(value, tuple) else others
    if isinstance(value, Tensor) and value.is_floating_point():
        return value * 1.5 + 1
    return value + 1 if isinstance(value, int | float) and not isinstance(value, bool) else None


def _kept_by(leaf: Tensor, mask: Tensor) -> Iterator[Tensor]:
    """What is left of a mask where a tensor with an entry a weight, or an output, removes by its 0, or by its 1."""
    rows = leaf.reshape(-1, *[1] * (mask.ndim - 1)) if leaf.shape == mask.shape[:1] else leaf
    fits = rows.ndim == mask.ndim and all(one in (1, other) for one, other in zip(rows.shape, mask.shape, strict=True))
    if fits and rows.numel() > 1 and bool(((rows == 0) | (rows == 1)).all()):
        for removed in (rows == 0, rows == 1):
            if bool((removed & mask).any()):
                yield mask & ~removed
