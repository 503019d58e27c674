"""Weight changes at scheduled steps. A new one is one new file and needs no registration."""

from prunescope.training.interventions.bernoulli_units import BernoulliUnits
from prunescope.training.interventions.grow import Grow
from prunescope.training.interventions.intervention import Context, Intervention
from prunescope.training.interventions.keep_as_many import KeepAsMany
from prunescope.training.interventions.layer_schedule import LayerSchedule
from prunescope.training.interventions.masks import Bernoulli, Release, TakeMasks
from prunescope.training.interventions.noise import Noise
from prunescope.training.interventions.noise_units import NoiseUnits
from prunescope.training.interventions.prune import Prune, PruneRounds
from prunescope.training.interventions.prune_units import PruneUnits
from prunescope.training.interventions.shuffle_masks import ShuffleMasks
from prunescope.training.interventions.values import Reinit, Rescale, Rewind, UseAverage
from prunescope.training.interventions.when import At, Every, When
from prunescope.training.interventions.zero import Zero
from prunescope.training.interventions.zero_units import ZeroUnits

__all__ = [
    "At",
    "Bernoulli",
    "BernoulliUnits",
    "Context",
    "Every",
    "Grow",
    "Intervention",
    "KeepAsMany",
    "LayerSchedule",
    "Noise",
    "NoiseUnits",
    "Prune",
    "PruneRounds",
    "PruneUnits",
    "Reinit",
    "Release",
    "Rescale",
    "Rewind",
    "ShuffleMasks",
    "TakeMasks",
    "UseAverage",
    "When",
    "Zero",
    "ZeroUnits",
]
