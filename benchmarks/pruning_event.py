"""Question: what does an event of pruning cost, evaluation excluded, against an epoch?"""

import math

from benchmarks.laboratory import FULL, Laboratory
from benchmarks.result import Result
from benchmarks.timing import interleaved
from prunescope.base.steps import Clock
from prunescope.base.streams import Seeds
from prunescope.runs.machine.loader import fresh_weights
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.interventions import LayerSchedule, PruneUnits
from prunescope.training.loop import Program, Stepper
from prunescope.training.optim import Adam
from prunescope.training.run import begin
from prunescope.training.schedules import Constant
from prunescope.training.stopping import AtEnd
from prunescope.training.timeline import EventContext, Timeline

TRAIN, BATCH = 50_000, 128


def pruning_event(lab: Laboratory) -> list[Result]:
    """One event on the last four convolutions of VGG-11 (9,231,114 parameters), filters scored by their l2 norm.

    The epoch is that of CIFAR-10 at batch 128, 391 steps, reckoned from single steps of the plain loop.
    """
    full = lab.scale.train == FULL.train
    source = synthetic(classes=10, shape=(3, 32, 32), train=BATCH, test=2)
    net = network("prunescope.tasks.nets:VGG", depth=11, scale=1.0 if full else 0.0625)
    problem = Task(network=net, data=Data(source=source)).load(Seeds(), source.load())
    layers = tuple(
        LayerSchedule(layer=name, start="1it", end="8it", fraction=0.9, period="1it")
        for name in ("conv5", "conv6", "conv7", "conv8")
    )
    program = Program(
        problem=problem,
        optimizer=Adam(),
        schedule=Constant(lr=1e-3),
        clock=Clock(1, 10),
        batch=BATCH,
        stop=AtEnd(),
        seeds=Seeds(),
        interventions=(PruneUnits(layers=layers, allow_idle_events=True),),
    )
    stepper, progress = Stepper(program), begin(program, fresh_weights(problem.model, 0), 0)
    progress = progress.replace(state=stepper.step(progress.state)[0])
    context = EventContext(Timeline(program, (), ()), progress, 0)
    contestants = {
        "event": lambda: program.interventions[0].apply(progress.state, context),
        "step": lambda: stepper.step(progress.state),
    }
    seconds = interleaved(contestants, rounds=lab.scale.rounds)
    epoch = math.ceil(TRAIN / BATCH) * seconds["step"]
    return [
        Result("an event", 1000 * seconds["event"], "ms"),
        Result("event : epoch", 100 * seconds["event"] / epoch, "%", high=1),
    ]
