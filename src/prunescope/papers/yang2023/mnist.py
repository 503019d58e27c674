"""yang2023/mnist: On MNIST, does mild random pruning at initialization help, and does over-pruning fit and guess?

Random pruning and rewound magnitude masks of a fully connected network. At laptop scale the runs are those of
atinit/compare: LeNet-300-100 on a fifth of the images, so that 40 epochs are enough to memorize wrong labels.
"""

from prunescope.papers.atinit import scales
from prunescope.papers.atinit.scales import EXPONENTS, Ground
from prunescope.papers.yang2023 import real
from prunescope.papers.yang2023.real import Settings

COST = {"smoke": "5 seconds", "laptop": "10 minutes", "paper": "30 hours"}
FIGURE = "the experiment on MNIST (recalled)"
BOTH = (0.0, 0.2)
SCALES = {
    "smoke": Settings(ground=scales.SMOKE.replace(noises=BOTH), over=10),
    "laptop": Settings(ground=Ground(noises=BOTH, exponents=EXPONENTS, epochs=40, share=0.2)),
    "paper": Settings(
        ground=Ground(hidden=(1024, 1024), noises=BOTH, exponents=(*range(1, 21), 23, 26), epochs=40), scores=True
    ),
}
build = real.builder(__doc__)
