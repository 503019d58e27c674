"""Import paths of before: scripts that name a module by its old place find it at its new one.

`from prunescope.runs.recipe import Recipe` gives the very module `prunescope.runs.graph.recipe`, so classes are the
same objects under both names.
"""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_RUNS = {
    "graph": "families recipe",
    "store": "codec housekeeping index lease plan results",
    "machine": "engines memory packing pricing",
    "execution": "manifest preparation status workbench",
}
_TRAINING = {
    "optimizers.wrapper": "optimizers.accumulated optimizers.averaged optimizers.clipped",
    "probes": "epoch_probes average_probe",
    "interventions.prune": "interventions.prune_rounds",
    "interventions.masks": "interventions.bernoulli interventions.release interventions.take_masks",
    "interventions.values": (
        "interventions.reinit interventions.rescale interventions.rewind interventions.use_average"
    ),
}
MOVED = {
    **{
        f"prunescope.runs.{name}": f"prunescope.runs.{room}.{name}"
        for room, names in _RUNS.items()
        for name in names.split()
    },
    "prunescope.tasks.kernels.modules": "prunescope.tasks.kernels.products",
    "prunescope.runs.calibration": "prunescope.tasks.kernels.kernel_config",
    **{
        f"prunescope.training.{name}": f"prunescope.training.{file}"
        for file, names in _TRAINING.items()
        for name in names.split()
    },
    "prunescope.runs.execute": "prunescope.runs.execution.ensure",
    "prunescope.runs.watch": "prunescope.runs.graph.measure_probe",
    "prunescope.papers.bartoldson2020": "prunescope.papers.bartoldson",
    "prunescope.papers.bartoldson2020.yours": "prunescope.papers.bartoldson.yours",
}
"""Old name to new name."""


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
