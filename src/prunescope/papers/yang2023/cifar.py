"""yang2023/cifar: random pruning at initialization and rewound magnitude masks, convolutional networks on CIFAR-10.

ResNet-20 by default; VGG-16 with `-s ground.benchmark=vgg16`.
"""

from prunescope.papers.atinit.ground import Ground
from prunescope.papers.yang2023 import real
from prunescope.papers.yang2023.real import Settings
from prunescope.studies.study import Study

SCALES = {
    "smoke": Settings(
        ground=Ground(benchmark="digits", hidden=(16, 8), exponents=(2, 10), replicates=2, epochs=2),
        over=10,
    ),
    "laptop": Settings(
        ground=Ground(benchmark="resnet20", exponents=(2, 6, 10, 14), replicates=2, epochs=40, share=0.02),
        over=14,
    ),
    "paper": Settings(
        ground=Ground(benchmark="resnet20", noises=(0.0, 0.2), exponents=tuple(range(1, 21)), epochs=160)
    ),
}


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    question = (
        "On CIFAR-10, does mild random pruning at initialization help, and does over-pruning fit and guess?"
    )
    return real.study("yang2023/cifar", question, settings, scale)
