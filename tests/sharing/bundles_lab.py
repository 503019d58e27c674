"""A tiny study, and ways to damage a bundle as its owner or a stranger could."""

import json

import prunescope as ps
from prunescope.sharing import bundle as bundles

TEXT = '''"""tiny: Does pruning change a tiny network?"""

import bundles_lab

Settings, SCALES, build = bundles_lab.Settings, bundles_lab.SCALES, bundles_lab.build
'''


class Settings(ps.Value):
    replicates: int = 2
    lr: float = 0.1
    network: str = "prunescope.tasks.nets:LeNet"


SCALES = {"smoke": Settings()}


def build(settings, scale):
    net = ps.network(settings.network, hidden=(4,), inputs=16, classes=4)
    task = ps.Task(network=net, data=ps.Data(source=ps.synthetic(train=64, test=32)))
    base = ps.Recipe(task=task, optimizer=ps.SGD(), schedule=ps.Constant(lr=settings.lr), batch=16, length="2ep")
    chains = [ps.imp(base.replace(seeds=ps.replicate(k)), levels=1) for k in range(settings.replicates)]
    errors = [
        ps.column([ps.Reading(measure=ps.Risk(), state=ps.final(run)) for run in level], "error", unit="fraction")
        for level in zip(*chains, strict=True)
    ]
    examples = [ps.Reading(measure=ps.Examples(split="test"), state=ps.final(chain[0])) for chain in chains]
    curves = ps.arrays([ps.Trace(probe=ps.Curve(split="test"), run=chain[0]) for chain in chains], "error")
    claim = ps.Claim("gain", "Pruning lowers the error.", errors[0] - errors[1], ps.Direction("greater"))
    rows = [ps.Rows({"arm": "pruned", "level": k}, {"error": value}) for k, value in enumerate(errors)]
    losses = ps.Rows({"arm": "dense", "level": 0}, {"loss": ps.arrays(examples, "loss").map(lambda x: x.mean(1))})
    figures = (
        ps.Figure(
            "error",
            "Error",
            caption="By level.",
            rows=rows,
            plot=ps.Lines("level", "error", series="arm"),
            claims=(claim,),
        ),
        ps.Figure("loss", "Loss", caption="Mean.", rows=[losses], plot=ps.Lines("level", "loss", series="arm")),
        ps.Figure(
            "curves",
            "Curves",
            caption="By epoch.",
            rows=[ps.Rows({"arm": "dense"}, {"error": curves}, {"epoch": (1, 2)})],
            plot=ps.Lines("epoch", "error", series="arm"),
        ),
    )
    return ps.Study("tiny", "Does pruning change a tiny network?", settings=settings, scale=scale, figures=figures)


def sealed(root):
    """Writes the digests anew, as somebody does who wants his changes believed."""
    head = json.loads((root / bundles.HEAD).read_text())
    facts = {name: value for name, value in head.items() if name not in ("files", "format")}
    bundles.write_head(root, facts)


def edited(path, old, new):
    text = path.read_text()
    assert old in text, f"{old} is not in {path.name}"
    path.write_text(text.replace(old, new, 1))
