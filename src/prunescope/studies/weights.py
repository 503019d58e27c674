"""The weights of several networks: where they went, how flat the loss is, whether a barrier lies between."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from prunescope.base.reference import StateRef
from prunescope.measures import (
    Barrier,
    LayerDistance,
    LayerSensitivity,
    Sample,
    Traces,
    WeightCount,
    by_layer,
)
from prunescope.measures.measure import Comparison, SplitName
from prunescope.runs.graph.given import task_of
from prunescope.runs.graph.nodes import Compared, Measured, Reading
from prunescope.studies.figure import Computed, Figure
from prunescope.studies.plot import Listing, Row
from prunescope.studies.results import Results


@dataclass(frozen=True, eq=False)
class WeightTables:
    """What is read of the weights of networks, and two tables of it.

    states: all of them by name, the dense one first, as "dense". pruned: which names are those of pruned networks.
    split, examples: the first so many examples of the split are looked at; 0 looks at none, and reads nothing. Of a
        barrier it is the first half of them, of a layer the first quarter, since both take many passes.
    """

    states: Mapping[str, StateRef]
    pruned: tuple[str, ...]
    split: SplitName
    examples: int

    of_barrier = property(lambda self: max(2, self.examples // 2))
    of_layer = property(lambda self: max(2, self.examples // 4))

    @cached_property
    def readings(self) -> dict[str, dict[str, Measured]]:
        """What is read of every network, by its name; with comparisons where tensors have partners in the dense one."""
        if not self.examples:
            return {}
        alone = {"size": WeightCount(), "traces": Traces(sample=Sample(split=self.split, examples=self.examples))}
        barrier = Barrier(split=self.split, examples=self.of_barrier, points=5, batches=4, errors=True)
        pair = {"distance": LayerDistance(), "barrier": barrier}
        layers = {"sensitivity": LayerSensitivity(split=self.split, examples=self.of_layer)}
        dense, found = self.states["dense"], dict[str, dict[str, Measured]]()
        for name, state in self.states.items():
            found[name] = {key: Reading(measure=measure, state=state) for key, measure in alone.items()}
            if name != "dense" and task_of(state).network.id == task_of(dense).network.id:
                comparisons: dict[str, Comparison] = {**pair, **(layers if name in self.pruned else {})}
                both = {key: Compared(comparison=one, first=dense, second=state) for key, one in comparisons.items()}
                found[name] |= both
        return found

    @property
    def nodes(self) -> tuple[Measured, ...]:
        """All of them."""
        return tuple(node for nodes in self.readings.values() for node in nodes.values())

    def figures(self) -> Iterator[Figure]:
        """The two tables, with what they are read from."""
        caption = (
            f"Tr(H) and Tr(C) over kept weights, evaluation mode, on the first {self.examples} examples of the split. "
            "Tr(H) by two random directions an example, or random probes where that has a bias, with its standard "
            "error. Both sum over fewer weights where more are gone, and change with their scale: a smaller one alone "
            "is no flatter network. Distances are relative to the dense network's weights: by what was removed, and "
            "by how far the rest moved. Barrier: the rise in error on the straight line to the dense network above "
            f"its ends, the largest of three points, on the first {self.of_barrier} examples; beside it the twins', "
            "which are other minima."
        )
        rows, title = Computed(self.nodes, self.networks), "What two states tell: flatness, distance, barrier"
        yield Figure("weights", title, caption=caption, rows=[rows], plot=Listing())
        caption = (
            "Rise in the dense network's loss with one layer alone as it is in the pruned network: removed, with its "
            "zeros only; exchanged, with its weights. Measured, not estimated, on the first "
            f"{self.of_layer} examples of the split; the error is that of these over examples."
        )
        rows, title = Computed(self.nodes, self.layers), "Which layer carries the change"
        yield Figure("layers", title, caption=caption, rows=[rows], plot=Listing())

    def networks(self, results: Results) -> list[Row]:
        """A row a network: sparsity, flatness over kept weights, distance and barrier to the dense one."""
        rows, weights = list[Row](), float(results[self.readings["dense"]["size"]]["weights"])
        for name, nodes in self.readings.items():
            read = {key: results[node] for key, node in nodes.items()}
            row: dict[str, object] = {
                "network": name,
                "sparsity, %": 100 * (1 - float(read["size"]["kept"]) / weights),
                "Tr(H)": float(read["traces"]["trace"]),
                "its error": float(read["traces"]["error"]),
                "Tr(C)": float(read["traces"]["gradient_trace"]),
            }
            if "distance" in read:
                row |= {key: float(read["distance"][key]) for key in ("relative", "removed", "moved", "cosine")}
                for key in ("error_barrier", "recalibrated_error_barrier"):
                    if key in read["barrier"]:
                        title = f"{key.replace('_', ' ')}, points"
                        row[title] = 100 * float(read["barrier"][key])
                        row[f"{title}: standard error"] = 100 * float(read["barrier"][f"{key}_se"])
            rows.append(row)
        return rows

    def layers(self, results: Results) -> list[Row]:
        """A row a pruned network and layer: what it lost, and the rise in loss with this layer alone as it is there."""
        rows: list[Row] = []
        for name, nodes in self.readings.items():
            if "sensitivity" not in nodes:
                continue
            distance, sensitivity = results[nodes["distance"]], results[nodes["sensitivity"]]
            columns = {key: by_layer(distance, key) for key in ("removed", "moved")}
            for kind in ("removed", "exchanged"):
                columns[f"{kind}: loss"] = by_layer(sensitivity, f"{kind}_loss")
                columns[f"{kind}: standard error"] = by_layer(sensitivity, f"{kind}_loss_se")
            for layer, share in by_layer(distance, "second_sparsity").items():
                row = {key: column.get(layer, np.nan) for key, column in columns.items()}
                rows.append({"network": name, "layer": layer, "sparsity, %": 100 * share, **row})
        return rows
