"""yang2023/cifar: On CIFAR-10, does mild random pruning at initialization help, and does over-pruning fit and guess?

Random pruning and rewound magnitude masks of ResNet-20; of VGG-16 with `-s ground.benchmark=vgg16`.
"""

from prunescope.papers.atinit import scales
from prunescope.papers.atinit.scales import Ground
from prunescope.papers.yang2023 import real
from prunescope.papers.yang2023.real import Settings

COST = {"smoke": "5 seconds", "laptop": "1 hour", "paper": "5 weeks"}
FIGURE = "the experiments on CIFAR-10 (recalled)"
DEEP = Ground(benchmark="resnet20", noises=(0.0, 0.2), exponents=tuple(range(1, 21)), epochs=160)
SCALES = {
    "smoke": Settings(ground=scales.SMOKE, over=10),
    "laptop": Settings(
        ground=Ground(benchmark="resnet20", exponents=(2, 6, 10, 14), replicates=2, epochs=40, share=0.02), over=14
    ),
    "paper": Settings(ground=DEEP),
}
build = real.builder(__doc__)
