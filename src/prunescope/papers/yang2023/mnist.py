"""yang2023/mnist: random pruning at initialization and rewound magnitude masks, a fully connected network on MNIST.

At laptop scale the runs are those of atinit/compare: LeNet-300-100 on a fifth of the images, so that 40 epochs are
enough to memorize wrong labels.
"""

from prunescope.papers.atinit.compare import EXPONENTS
from prunescope.papers.atinit.ground import Ground
from prunescope.papers.yang2023 import real
from prunescope.papers.yang2023.real import Settings
from prunescope.studies.study import Study

SCALES = {
    "smoke": Settings(
        ground=Ground(
            benchmark="digits",
            hidden=(16, 8),
            noises=(0.0, 0.2),
            exponents=(2, 10),
            replicates=2,
            epochs=2,
        ),
        over=10,
    ),
    "laptop": Settings(ground=Ground(noises=(0.0, 0.2), exponents=EXPONENTS, epochs=40, share=0.2)),
    "paper": Settings(
        ground=Ground(
            hidden=(1024, 1024),
            noises=(0.0, 0.2),
            exponents=(*range(1, 21), 23, 26),
            replicates=3,
            epochs=40,
        ),
        scores=True,
    ),
}


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    question = (
        "On MNIST, does mild random pruning at initialization help, and does over-pruning fit and guess?"
    )
    return real.study("yang2023/mnist", question, settings, scale)
