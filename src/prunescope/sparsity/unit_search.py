"""The search for the units of a network, by what its layers do to each other's inputs.

Belongs here: units from influences (`influence.py`) in a recorded pass (`tape.py`). Does not belong here: what units
are (`structure.py`).
"""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from prunescope.sparsity.influence import Influence, influence_of
from prunescope.sparsity.structure import Part, Structure, Units
from prunescope.sparsity.tape import OUTPUT, Call, Tape, record


def find_units(module: nn.Module, example: Tensor, *, keep_values: bool = False) -> Structure:
    """The structure of a network, from what its layers do to each other's inputs.

    example: inputs [B, ...]; numbers are replaced by others that are not 0, whole numbers (tokens) are not.
    keep_values: whether numbers stay as well, because tokens are among them.

    Raises UsageError when the pass fails or branches on data.
    """
    return _Search(record(copy.deepcopy(module).eval(), example, keep_values=keep_values)).structure()


class _Refused(Exception):
    """Why the units of a layer cannot be removed."""


class _Search:
    """Looks for the units of every layer of a recorded pass."""

    def __init__(self, tapes: tuple[Tape, Tape]) -> None:
        self.tapes, self.tape, self.known = tapes, tapes[0], dict[int, Influence]()
        self.layers = [
            i
            for i, call in enumerate(self.tape.calls)
            if call.kind == "layer" and len(self.tape.uses[call.weight]) == 1
        ]

    def influence(self, i: int) -> Influence:
        if i not in self.known:
            self.known[i] = influence_of(self.tapes, i)
        return self.known[i]

    def structure(self) -> Structure:
        units: dict[str, Units] = {}
        taken: dict[str, str] = {}
        others: dict[str, str] = {}
        for name, calls in self.tape.uses.items():
            if self.tape.dimensions[name] > 1:
                others[name.removesuffix(".weight")] = _not_understood(name, calls)
        for i in self.layers:
            layer = self.tape.calls[i].layer
            try:
                if layer in taken:
                    continue
                new = _Growing(self, i).units()
                if twins := [u.layer for u in units.values() if new.gate and u.gate == new.gate]:
                    taken[layer] = twins[0]
                    continue
                units[layer] = new
                taken |= {part.name.removesuffix(".weight"): layer for part in new.weights[1:]}
                others.pop(layer)
            except _Refused as reason:
                others[layer] = str(reason)
        units = {layer: found for layer, found in units.items() if layer not in taken}
        others |= {name: f"its channels are switched together with those of {layer}" for name, layer in taken.items()}
        return Structure(units, others)


def _not_understood(name: str, calls: list[Call]) -> str:
    if len(calls) > 1:
        return "it is used more than once in a pass"
    return f"{name} goes into {calls[0].func.overloadpacket.__name__}, which has no units here"


class _Growing:
    """The units of one layer: from its rows to the columns that they make 0, and to all other rows that die with them.

    rows: the unit of each row by call; columns: the unit of each column by reading call; -1 for none. Units are merged
    where rows of some layer act on columns of several.
    """

    def __init__(self, search: _Search, source: int) -> None:
        self.search, self.source, self.calls = search, source, search.tape.calls
        self.rows: dict[int, Tensor] = {}
        self.columns: dict[int, Tensor] = {}
        self.norms: dict[int, Tensor] = {}
        self.gate = -1

    def units(self) -> Units:
        influence = self.search.influence(self.source)
        if OUTPUT in influence.reaches and bool(influence.reaches[OUTPUT].owner[0] >= 0):
            raise _Refused("it is the output layer")
        self._spread(self.source, influence.blocks.clone())
        if not self.columns:
            self._through_gate(influence)
        if not self.columns:
            raise _Refused(self._reason(influence))
        self._partners()
        labels = self.rows[self.source]
        order = {label: k for k, label in enumerate(dict.fromkeys(v for v in labels.tolist() if v >= 0))}
        if len(order) < 2 <= len(labels):
            raise _Refused(f"its {len(labels)} rows act on the same inputs, so that they are one unit")
        return self._named(order)

    def _spread(self, call: int, labels: Tensor) -> None:
        """Rows of a call die; so do columns and BatchNorms after it, and filters that read nothing else."""
        self.rows[call] = labels
        influence = self.search.influence(call)
        label_of = self._unit_of_blocks(influence, [(influence.blocks, labels)])
        for i, reach in influence.reaches.items():
            if i == OUTPUT:
                if call != self.source and bool(reach.owner[0] >= 0):
                    raise _Refused(f"its channels go on to the output through {self.calls[call].layer}")
                continue
            read = torch.where((reach.owner >= 0) & reach.zeros, label_of[reach.owner.clamp(min=0)], -1)
            kind = self.calls[i].kind
            if kind == "gate" or not bool((read >= 0).any()):
                continue
            if (kind == "norm" or self.calls[i].groups > 1) and len(self.search.tape.uses[self.calls[i].weight]) > 1:
                raise _Refused(
                    f"its channels go on through {self.calls[i].layer}, which is used more than once in a pass"
                )
            known = self.norms if kind == "norm" else self.columns
            known[i] = torch.maximum(known[i], read) if i in known else read
            if kind == "layer" and self.calls[i].groups > 1:
                self._follow(i, known[i])

    def _follow(self, call: int, read: Tensor) -> None:
        """The filters of a grouped convolution all of whose inputs are gone die too."""
        group = read.reshape(self.calls[call].groups, -1)
        dead = torch.where((group == group[:, :1]).all(1), group[:, 0], -1)
        if not bool((dead >= 0).any()):
            return
        reaches = self.search.influence(call).reaches.items()
        if not any(bool(reach.zeros.any()) for i, reach in reaches if i != OUTPUT and self.calls[i].kind == "layer"):
            reason = self._reason(self.search.influence(call))
            raise _Refused(f"its channels go on through {self.calls[call].layer}: {reason}")
        self._spread(call, dead.repeat_interleave(self.calls[call].count // len(dead)))

    def _through_gate(self, influence: Influence) -> None:
        """The first gate whose channels the layer's units are, if there is one."""
        for i, reach in influence.reaches.items():
            if i != OUTPUT and self.calls[i].kind == "gate" and torch.equal(reach.owner, influence.blocks):
                self.gate = i
                self._spread(i, influence.blocks.clone())
                return

    def _partners(self) -> None:
        """Rows of other layers, and of the layer itself, that act on nothing but columns that are gone."""
        for call in self.search.layers:
            if call in self.rows and call != self.source:
                continue
            influence = self.search.influence(call)
            reaches = {i: r for i, r in influence.reaches.items() if i == OUTPUT or self.calls[i].kind != "norm"}
            if self.columns.keys().isdisjoint(reaches):
                continue
            pairs = [(r.owner, self.columns.get(i, torch.full_like(r.owner, -1))) for i, r in reaches.items()]
            units = self._unit_of_blocks(influence, pairs)[influence.blocks]
            if bool((units >= 0).any()):
                known = self.rows.get(call, torch.full_like(units, -1))
                self.rows[call] = torch.where(units >= 0, units, known)

    def _unit_of_blocks(self, influence: Influence, pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
        """The unit of each block, -1 for none, from pairs (block, unit) by place; units of one block are merged."""

        def extremes() -> tuple[Tensor, Tensor]:
            low, high = (torch.full((influence.count,), value) for value in (torch.iinfo(torch.int64).max, -1))
            for owner, units in pairs:
                where = owner >= 0
                low.scatter_reduce_(0, owner[where], units[where], "amin")
                high.scatter_reduce_(0, owner[where], units[where], "amax")
            return low, high

        low, high = extremes()
        for block in ((low >= 0) & (low < high)).nonzero().flatten().tolist():
            self._merge(torch.cat([units[owner == block] for owner, units in pairs]))
        low, high = extremes()
        return torch.where(high >= 0, low, -1)

    def _merge(self, labels: Tensor) -> None:
        first, *more = dict.fromkeys(labels.tolist())
        for label in more:
            for known in (*self.rows.values(), *self.columns.values(), *self.norms.values(), labels):
                known[known == label] = first

    def _reason(self, influence: Influence) -> str:
        """Why no column that reads the layer is 0 without its units."""
        readers = {i: r for i, r in influence.reaches.items() if i != OUTPUT and self.calls[i].kind != "norm"}
        for i, reach in readers.items():
            if influence.count == 1 < len(influence.blocks):
                return f"its output is normalized or mixed before {self.calls[i].layer} reads it"
            if bool(reach.constant[reach.owner >= 0].all()):
                return f"its output goes into something that may not keep zeros, before {self.calls[i].layer}"
        if readers:
            return (
                "a shortcut is added to its output, which would stay when a unit goes; use the network's gated "
                "version, for instance prunescope.tasks.nets:GatedResNet18"
            )
        return "no layer reads its output"

    def _readers(self) -> Iterator[tuple[Call, Tensor]]:
        """The weights that read the units; a column stays where another use of its weight reads something else."""
        by_weight: dict[str, list[int]] = {}
        for i in self.columns:
            by_weight.setdefault(self.calls[i].weight, []).append(i)
        for name, calls in by_weight.items():
            labels = torch.stack([self.columns[i] for i in calls])
            same = (labels == labels[0]).all(0) & (len(calls) == len(self.search.tape.uses[name]))
            yield self.calls[calls[0]], labels[0].where(same, torch.tensor(-1))

    def _named(self, order: dict[int, int]) -> Units:
        def part(name: str, labels: Tensor, axis: int = 0) -> Part:
            return Part(name, tuple(order.get(label, -1) for label in labels.tolist()), axis)

        own = self.calls[self.source]
        calls = [(self.calls[i], labels) for i, labels in self.rows.items() if self.calls[i].kind == "layer"]
        weights = [part(call.weight, labels, call.weight_axes[0]) for call, labels in calls]
        biases = [part(call.bias, labels) for call, labels in calls if call.bias]
        norms = [(self.calls[i], labels) for i, labels in self.norms.items()]
        norms = sorted(norms, key=lambda pair: not _reads(pair[0], own))
        affine = [part(name, labels) for call, labels in norms for name in (call.weight, call.bias)]
        readers = [part(call.weight, labels, call.weight_axes[1]) for call, labels in self._readers()]
        norm = norms[0][0].weight.rpartition(".")[0] if norms and _reads(norms[0][0], own) else ""
        gate = self.calls[self.gate].weight if self.gate >= 0 else ""
        output = gate.rpartition(".")[0] or norm or own.layer
        return Units(
            own.layer, len(order), tuple(weights), tuple(biases), tuple(affine), tuple(readers), norm, gate, output
        )


def _reads(norm: Call, layer: Call) -> bool:
    """Whether a normalization reads the output of a layer as it is."""
    return norm.x.shape == layer.out.shape and torch.equal(norm.x, layer.out)
