"""LeNet-300-100 on MNIST: are the answers that pruning changes more than another seed changes?

Run `python docs/results/audit/lenet.py --out docs/results/audit/lenet` for a report; see `--help`.
"""

import argparse
import shlex
import sys
from pathlib import Path

import prunescope as ps

LEVELS = {1: "36 %", 4: "83 %", 7: "96 %", 9: "98 %"}
"""Levels of iterative magnitude pruning, 36 % of what remains each, by their sparsity."""


def main() -> None:
    """Trains what the store lacks and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dense", type=int, default=16, help="dense networks, each with its own seed")
    parser.add_argument("--pruned", type=int, default=3, help="of them that are pruned, the first ones")
    parser.add_argument("--epochs", type=int, default=3, help="of training, and of every level")
    parser.add_argument("--noise", type=float, default=0.0, help="share of wrong training labels")
    parser.add_argument("--store", default="prunescope-store")
    parser.add_argument("--out", type=Path, default=Path("prunescope-reports/audit-lenet"))
    options = parser.parse_args()
    net = ps.network("prunescope.tasks.nets:LeNet")
    task = ps.Task(network=net, data=ps.Data(source=ps.mnist(), label_noise=options.noise))
    training = {"optimizer": ps.SGD(), "schedule": ps.Constant(lr=0.1), "batch": 128, "length": f"{options.epochs}ep"}
    dense = ps.replicates(ps.Recipe(task=task, **training), options.dense)
    prune = ps.Prune(amount=ps.Remaining(fraction=0.36))
    chains = [ps.imp(run, levels=max(LEVELS), prune=prune) for run in dense[: options.pruned]]
    ps.ensure(dense, *chains, store=options.store)
    pruned = {f"{name} of {k}": chain[level] for level, name in LEVELS.items() for k, chain in enumerate(chains, 1)}
    report = ps.audit(dense[0], pruned, twins=dense[1:], store=options.store, why=512)
    print(report)
    print(report.write(options.out, command=shlex.join(["python", *sys.argv])))


if __name__ == "__main__":
    main()
