"""Why, as far as two states tell: where weights went, how flat the loss is, whether a barrier lies between.

Belongs here: readings of weights and their rows. Does not belong here: anything of the networks' answers (`tables.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from prunescope.base.reference import StateRef
from prunescope.measures import (
    Barrier,
    GradientTrace,
    HessianTraceOrEstimate,
    LayerDistance,
    LayerSensitivity,
    Sample,
    WeightCount,
    by_layer,
)
from prunescope.measures.measure import Comparison, Measure, SplitName
from prunescope.runs.graph.given import task_of
from prunescope.runs.graph.nodes import Compared, Measured, Reading
from prunescope.studies.plot import Row
from prunescope.studies.results import Results


@dataclass(frozen=True, eq=False)
class Why:
    """What is read of the weights of an audit's networks.

    states: all of them by name, the dense one first, as "dense". pruned: which names are those of pruned networks.
    split, examples: the first so many examples of the split are looked at; 0 looks at none, and reads nothing.
    """

    states: Mapping[str, StateRef]
    pruned: tuple[str, ...]
    split: SplitName
    examples: int

    @property
    def nodes(self) -> tuple[Measured, ...]:
        """All readings of single states and of pairs."""
        if not self.examples:
            return ()
        alone = [node for name in self.states for node in self._alone(name).values()]
        return (*alone, *(node for name in self._paired for node in self._pair(name).values()))

    def networks(self, results: Results) -> list[Row]:
        """A row a network: sparsity, flatness over kept weights, distance and barrier to the dense one."""
        weights = float(results[self._alone("dense")["size"]]["weights"])
        rows: list[Row] = []
        for name in self.states:
            alone = {key: results[node] for key, node in self._alone(name).items()}
            row: dict[str, object] = {
                "network": name,
                "sparsity, %": 100 * (1 - float(alone["size"]["kept"]) / weights),
            }
            row |= {"Tr(H)": float(alone["H"]["trace"]), "its error": float(alone["H"]["error"])}
            row |= {"Tr(C)": float(alone["C"]["trace"])}
            if name in self._paired:
                pair = {key: results[node] for key, node in self._pair(name).items()}
                row |= {key: float(pair["distance"][key]) for key in ("relative", "removed", "moved", "cosine")}
                row |= {
                    f"{key.removesuffix('_barrier')} barrier, points".replace("_", " "): 100 * float(value)
                    for key, value in pair["barrier"].items()
                    if key.endswith("error_barrier")
                }
            rows.append(row)
        return rows

    def layers(self, results: Results) -> list[Row]:
        """A row a pruned network and layer: what it lost, and the rise in loss with this layer alone as it is there."""
        rows: list[Row] = []
        for name in filter(self.pruned.__contains__, self._paired):
            pair = {key: results[node] for key, node in self._pair(name).items()}
            sparsity = by_layer(pair["distance"], "second_sparsity")
            columns = {key: by_layer(pair["distance"], key) for key in ("removed", "moved")}
            for kind in ("removed", "exchanged"):
                columns |= {
                    f"{kind}: loss": by_layer(pair["sensitivity"], f"{kind}_loss"),
                    f"{kind}: standard error": by_layer(pair["sensitivity"], f"{kind}_loss_se"),
                }
            for layer, share in sparsity.items():
                row = {key: column.get(layer, np.nan) for key, column in columns.items()}
                rows.append({"network": name, "layer": layer, "sparsity, %": 100 * share, **row})
        return rows

    @property
    def _paired(self) -> list[str]:
        """The networks that have a partner for every tensor in the dense one."""
        like = self._network("dense")
        return [name for name in self.states if name != "dense" and self._network(name) == like]

    def _network(self, name: str) -> str:
        return task_of(self.states[name]).network.id

    def _alone(self, name: str) -> dict[str, Reading]:
        sample = Sample(split=self.split, examples=self.examples)
        measures: dict[str, Measure] = {"size": WeightCount(), "C": GradientTrace(sample=sample)}
        measures["H"] = HessianTraceOrEstimate(sample=sample)
        return {key: Reading(measure=measure, state=self.states[name]) for key, measure in measures.items()}

    def _pair(self, name: str) -> dict[str, Compared]:
        comparisons: dict[str, Comparison] = {
            "distance": LayerDistance(),
            "barrier": Barrier(split=self.split, examples=self.examples),
        }
        if name in self.pruned:
            comparisons["sensitivity"] = LayerSensitivity(split=self.split, examples=self.examples)
        pair = {"first": self.states["dense"], "second": self.states[name]}
        return {key: Compared(comparison=comparison, **pair) for key, comparison in comparisons.items()}
