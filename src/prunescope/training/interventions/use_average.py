"""The average of the weights in the place of the weights."""

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.state import TrainState
from prunescope.training.interventions.intervention import Context, ScheduledIntervention
from prunescope.training.interventions.when import At, When
from prunescope.training.optimizers.wrapper import AVERAGE, COUNT


class UseAverage(ScheduledIntervention):
    """Gives the weights the values of the average that the optimizer `Averaged` keeps; masks and buffers stay.

    BatchNorm statistics stay those of training, as torch's AveragedModel leaves them to its user.

    when: by default at the end of the run, so that its final state is the average.
    """

    when: When = At(at="100%")

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with the averaged parameters. Raises UsageError where no average is kept."""
        return state.replace(weights=state.weights.replace(params=averaged_params(state)))


def averaged_params(state: TrainState) -> tree.Tree:
    """The averaged parameters of a state, 0 where weights are removed or held; the parameters before the first step.

    Raises UsageError where no average is kept.
    """
    if AVERAGE not in state.opt:
        raise UsageError(
            "this run keeps no average of its weights; wrap its optimizer, as in Averaged(optimizer=SGD(), decay=0.999)"
        )
    if int(state.opt[COUNT][""]) == 0:
        return state.weights.params
    return tree.masked(state.opt[AVERAGE], state.movable)
