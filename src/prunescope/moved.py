"""Import paths of before: scripts that name a module by its old place find it at its new one.

`from prunescope.runs.recipe import Recipe` gives the very module `prunescope.runs.graph.recipe`, so classes are the
same objects under both names.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_ROOMS = {
    "runs.graph": "families recipe",
    "runs.store": "codec housekeeping index lease plan results",
    "runs.machine": "engines memory packing pricing",
    "runs.execution": "manifest preparation status workbench",
}
"""Folders to the names of modules that stood directly in the first of them."""
_JOINED = {
    "base.code": "reads",
    "base.streams": "seeded",
    "measures.answers": "calibration exemplars proper_scores recall_distortion",
    "measures.curvature.eigenpairs": "lanczos power",
    "measures.examples": "el2n labels out_of_sample seen_unseen",
    "measures.gradient_trace": "grand",
    "measures.hessian_spectrum": "loss_along_eigenvectors",
    "measures.hessian_trace": "hessian_trace_estimate hessian_trace_or_estimate",
    "measures.layers": "layer_distance layer_sensitivity",
    "measures.measure": "comparison",
    "measures.outputs": "neighbours",
    "measures.risk": "class_risk group_risk halves",
    "measures.sparsity": "displacement units_gone weight_count",
    "sparsity.derivative_scores": "grasp snip synflow",
    "runs.execution.executors.worker": "inline",
    "runs.execution.manifest": "given_states",
    "runs.graph.nodes": "measure_probe",
    "runs.machine.devices": "hardware",
    "runs.machine.loader": "lru",
    "cli.plans": "precisions",
    "explain.factors": "arm",
    "sharing.sinks": "boards",
    "tasks.compact": "resizing",
    "tasks.kernels.products": "modules",
    "studies.quantity": "estimate",
    "studies.flips": "exemplars",
    "tasks.nets.perceptrons": "lenet two_layer",
    "tasks.nets.vgg": "conv4",
    "training.engines.engine": "loop",
    "training.interventions.when": "layer_schedule",
    "training.schedules": "torch_schedule",
    "training.probes": "epoch_probes average_probe",
    "training.optimizers.wrapper": "accumulated averaged clipped grouped",
    "training.interventions.prune": "prune_rounds",
    "training.interventions.masks": "bernoulli keep_as_many release shuffle_masks take_masks",
    "training.interventions.units": "bernoulli_units noise_units prune_units zero_units",
    "training.interventions.values": "noise reinit rescale rewind use_average",
}
"""Modules to the names of those beside them that they now hold."""
MOVED = {
    f"prunescope.{old}": f"prunescope.{new}"
    for old, new in {
        **{f"runs.{name}": f"{room}.{name}" for room, names in _ROOMS.items() for name in names.split()},
        **{f"{new.rpartition('.')[0]}.{name}": new for new, names in _JOINED.items() for name in names.split()},
        "audit.contrast": "studies.contrast",
        "audit.why": "studies.weights",
        **{f"audit.{name}": f"runs.given.{name}" for name in ("networks", "states")},
        "runs.calibration": "tasks.kernels.kernel_config",
        "runs.execute": "runs.execution.ensure",
        "runs.watch": "runs.graph.nodes",
        "papers.own": "studies.own",
        "studies.kinds": "base.kinds",
        "papers.bartoldson2020": "papers.bartoldson",
        "papers.bartoldson2020.yours": "papers.bartoldson.yours",
    }.items()
}
"""Old name to new name."""


def names_of(module: str) -> Callable[[str], Any]:
    """`__getattr__` of a package that was a module before: the public names of what holds them now."""

    def get(name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(importlib.import_module(module), name)

    return get


class _Moved(MetaPathFinder, Loader):
    """Finds a module that moved."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec for an old name; None for every other one."""
        return importlib.util.spec_from_loader(fullname, self) if fullname in MOVED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module at its new place."""
        module = importlib.import_module(MOVED[spec.name])
        self._own = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: it was executed at its new place, whose spec it keeps."""
        module.__spec__ = self._own


def install() -> None:
    """Makes old names importable."""
    if not any(isinstance(finder, _Moved) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Moved())
