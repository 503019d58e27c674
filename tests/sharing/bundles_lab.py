"""A tiny study, and ways to damage a bundle as its owner or a stranger could."""

import json
import os

import prunescope as ps
from prunescope.base.digest import text_digest
from prunescope.sharing import bundle as bundles
from prunescope.sharing import rebuilt

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


def flip(path, place=-3):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))


def swap(root):
    one, other = sorted((root / "values").iterdir())[:2]
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def link_out(root):
    (root / "report/README.md").unlink()
    (root / "report/README.md").symlink_to("/etc/hostname")


def huge(root):
    with (root / "runs.jsonl").open("r+b") as file:
        file.truncate(1 << 40)  # a terabyte that takes no room


DAMAGES = {
    "a digit of a verdict": (lambda root: flip(root / "report/summary.json", 40), "summary.json: its content is not"),
    "a bit of a value": (lambda root: flip(next((root / "values").iterdir())), "its content is not what was published"),
    "two files in each other's place": (swap, "its content is not what was published|bytes"),
    "a lost file": (lambda root: (root / "nodes.jsonl").unlink(), "nodes.jsonl: is missing"),
    "one file more": (lambda root: (root / "values/x").write_text("x"), "values/x: was not published"),
    "a link out of the folder": (link_out, "report/README.md: it is a link"),
    "a folder that is a link": (lambda root: (root / "more").symlink_to("/etc"), "more: was not published"),
    "a pipe": (lambda root: os.mkfifo(root / "values/pipe"), "values/pipe: was not published"),
    "a huge file": (huge, "runs.jsonl: it has 1,099,511,627,776 bytes"),
    "no JSON": (lambda root: (root / "bundle.json").write_text("{"), "bundle.json: it is no JSON"),
    "JSON without end": (lambda root: (root / "bundle.json").write_text("[" * 10**6), "bundle.json: it is no JSON"),
    "no list of files": (lambda root: (root / "bundle.json").write_text('{"format": 1}'), "it lists no files"),
    "a path outside": (
        lambda root: edited(root / "bundle.json", '"report/README.md"', '"../../etc/passwd"'),
        "../../etc/passwd: bundle.json lists it",
    ),
}


def crafted(root, old, new):
    """A bundle of one node, changed in its text and named by its new id."""
    texts = (root / "nodes.jsonl").read_text().splitlines()
    text = next(text for text in texts if old in text)
    changed = text.replace(old, new)
    return rebuilt.values({**{text_digest(t): t for t in texts if t != text}, text_digest(changed): changed})


PATHS = {
    "a module of nobody": "evil_module:Net",
    "the standard library": "os:system",
    "through one of our modules": "prunescope.tasks.data.files:shutil.rmtree",
    "what one of our modules imports": "prunescope.tasks.task:replace",
    "the command line": "prunescope.cli:main",
    "an installed package": "torch.hub:load",
    "with a digest": f"evil_module:Net {'0' * 32}",
}
