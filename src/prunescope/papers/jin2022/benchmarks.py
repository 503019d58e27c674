"""The benchmarks of Jin et al. 2022: networks, data and training settings.

Belongs here: what the paper's section 2 and the library it used say. Does not belong here: arms, figures, claims.
"""

from prunescope.runs.recipe import Recipe
from prunescope.tasks.data.idx import mnist
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.optim import SGD
from prunescope.training.schedules import Constant


def lenet(*, epochs: int = 40, share: float = 1.0) -> Recipe:
    """LeNet-300-100 on MNIST: 40 epochs of SGD without momentum, learning rate 0.1, batch 128, no augmentation.

    The rewind epoch is 0, the output layer is not pruned.

    share: of the training set that is used; 1 is the paper's.

    Source: Jin et al. 2022, section 2 and the settings of OpenLTH's mnist_lenet_300_100.
    """
    return Recipe(
        task=Task(network=network("prunescope.tasks.nets:LeNet"), data=Data(source=mnist(), share=share)),
        optimizer=SGD(),
        schedule=Constant(lr=0.1),
        batch=128,
        length=f"{epochs}ep",
    )
