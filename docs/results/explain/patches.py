"""The signal-and-noise model: two patches, one with the class's signal, one of noise, and a network that fits both.

Run `prunescope explain docs/results/explain/patches.py -s levels=5 -s fraction=0.5`.
"""

import prunescope as ps
from prunescope.tasks.data.signal_noise import signal_noise

source = signal_noise(classes=2, dimension=100, noise=0.5, train=200, test=2000, seed=0)
network = ps.network("prunescope.tasks.nets:LeNet", hidden=(64,), inputs=200, classes=2)
task = ps.Task(network=network, data=ps.Data(source=source))
recipe = ps.Recipe(task=task, optimizer=ps.SGD(momentum=0.9), schedule=ps.Constant(lr=0.05), batch=50, length="40ep")
