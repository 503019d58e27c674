"""Weight changes at scheduled steps. A new one is one new file and needs no registration."""

# mypy: implicit-reexport

from prunescope.training.interventions.grow import Grow
from prunescope.training.interventions.intervention import Context, Intervention
from prunescope.training.interventions.masks import Bernoulli, KeepAsMany, Release, ShuffleMasks, TakeMasks
from prunescope.training.interventions.prune import Prune, PruneRounds
from prunescope.training.interventions.units import BernoulliUnits, NoiseUnits, PruneUnits, ZeroUnits
from prunescope.training.interventions.values import Noise, Reinit, Rescale, Rewind, UseAverage
from prunescope.training.interventions.when import At, Every, LayerSchedule, When
from prunescope.training.interventions.zero import Zero
