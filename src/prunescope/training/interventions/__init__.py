"""Weight changes at scheduled steps. One file an intervention; a new one needs no registration."""

from prunescope.training.interventions.intervention import Context, Intervention
from prunescope.training.interventions.noise import Noise
from prunescope.training.interventions.prune import Prune
from prunescope.training.interventions.reinit import Reinit
from prunescope.training.interventions.release import Release
from prunescope.training.interventions.rewind import Rewind
from prunescope.training.interventions.when import At, Every, When
from prunescope.training.interventions.zero import Zero

__all__ = [
    "At",
    "Context",
    "Every",
    "Intervention",
    "Noise",
    "Prune",
    "Reinit",
    "Release",
    "Rewind",
    "When",
    "Zero",
]
