"""Which networks prunescope understands, tried one by one: `python tools/networks.py --save docs/networks.md`.

Every network of `zoo.py` is trained on 48 examples, pruned, and measured. A cell is the number that came out, or the
message by which it was refused; anything else that is raised is a defect and is called "traceback".

Belongs here: the questions and the page. Does not belong here: the networks (`zoo.py`).
"""

import argparse
import datetime
import importlib
import importlib.metadata
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import torch
from zoo import ZOO, Kind

import prunescope as ps
from prunescope.base.errors import PrunescopeError
from prunescope.measures import HessianTraceOrEstimate, Sample, UnitsGone
from prunescope.runs.store.results import StoredResults
from prunescope.training.interventions import LayerSchedule

LEVELS = 3


class Trial:
    """One network, its runs, and what came out."""

    def __init__(self, kind: Kind, store: Path) -> None:
        self.kind, self.store = kind, store

    @cached_property
    def base(self) -> ps.Recipe:
        """Four epochs, so that everything can be tried; nobody asks here how good it gets."""
        recipe = {"optimizer": ps.Adam(), "schedule": ps.Constant(lr=3e-3), "batch": 12}
        return ps.Recipe(task=self.kind.task(), length="4ep", **recipe)

    def read(self, *nodes: ps.Reading) -> StoredResults:
        results = ps.ensure(nodes, store=self.store, workers=1)
        for node in nodes:
            _ = results[node]  # raises why the run failed, if it did
        return results

    def value(self, measure: ps.Measure, run: ps.Recipe, name: str) -> torch.Tensor:
        node = ps.Reading(measure=measure, state=ps.final(run))
        return torch.as_tensor(self.read(node)[node][name])

    def weights(self, run: ps.Recipe) -> Mapping[str, torch.Tensor]:
        self.read(ps.Reading(measure=ps.Risk(), state=ps.final(run)))
        return ps.Store(self.store).weights(run.id, ps.final(run).moment.id).params

    def trains(self) -> str:
        start = ps.Reading(
            measure=ps.Examples(), state=ps.StateRef(run=self.base, moment=ps.Moment(when="step", at="0it"))
        )
        before = float(torch.as_tensor(self.read(start)[start]["loss"]).mean())
        after = float(self.value(ps.Examples(), self.base, "loss").mean())
        return f"loss {before:.2f} → {after:.2f}"

    def prunes_weights(self) -> str:
        """Zeros are counted in the stored tensors by hand, over all that the inspection calls prunable."""
        params = self.weights(ps.imp(self.base, levels=LEVELS)[-1])
        prunable = [params[name] for name in ps.inspect(self.base).tensors.prunable]
        zeros, total = sum(int((leaf == 0).sum()) for leaf in prunable), sum(leaf.numel() for leaf in prunable)
        kept = total
        for _ in range(LEVELS):
            kept -= round(0.2 * kept)
        assert abs(zeros - (total - kept)) <= LEVELS, f"{zeros} zeros instead of {total - kept}"
        return f"{100 * zeros / total:.1f} %"

    def prunes_units(self) -> str:
        structure = self.base.task.load(ps.Seeds(), self.base.task.data.source.load()).model.structure
        layers = [name for name, units in structure.units.items() if units.count > 1]
        if not layers:
            raise PrunescopeError("; ".join(f"{name}: {why}" for name, why in list(structure.others.items())[-2:]))
        schedules = tuple(LayerSchedule(layer=n, start="1ep", end="1ep", fraction=0.5, period="1ep") for n in layers)
        run = ps.during_training(self.base, ps.PruneUnits(layers=schedules))
        gone = float(self.value(UnitsGone(), run, "structural"))
        return f"{len(layers)} of {len(structure.units) + len(structure.others)} layers, -{gone:.0f} %"

    def trace(self) -> str:
        measure = HessianTraceOrEstimate(sample=Sample(split="test", examples=12), probes=10)
        value, exact = (float(self.value(measure, self.base, name)) for name in ("trace", "exact"))
        return f"{value:.3g}{'' if exact else ' (probes)'}"

    def losses(self) -> str:
        loss = self.value(ps.Examples(split="test"), self.base, "loss")
        assert bool(loss.isfinite().all())
        return f"{len(loss)} of 24"

    def narrower(self) -> str:
        run = ps.width(self.base, levels=1, factor=0.5)[-1]
        sizes = [sum(leaf.numel() for leaf in self.weights(r).values()) for r in (self.base, run)]
        assert sizes[1] < sizes[0], f"{sizes[1]} parameters instead of fewer than {sizes[0]}"
        return f"{100 * sizes[1] / sizes[0]:.0f} % of parameters"

    def audited(self) -> str:
        """A dense and a pruned state as modules of the user's own give the stored losses, in plain PyTorch."""
        problem = self.base.task.load(ps.Seeds(), self.base.task.data.source.load())
        split, worst, means = problem.split("test"), 0.0, []
        for run in (self.base, ps.imp(self.base, levels=LEVELS)[-1]):
            stored = self.value(ps.Examples(split="test"), run, "loss")
            module = self.base.task.network.build(problem.model.example).eval()
            state = ps.Store(self.store).weights(run.id, ps.final(run).moment.id)
            module.load_state_dict({**state.params, **state.buffers}, strict=False)
            with torch.no_grad():
                own = problem.loss(module(split.batch(torch.arange(len(split)))[0]), split.y)
            worst, means = max(worst, float((own - stored).abs().max())), [*means, float(stored.mean())]
        assert worst < 1e-4, f"losses of the module differ by {worst:.1e}"
        return f"loss {means[0]:.2f} and {means[1]:.2f}"


QUESTIONS: dict[str, Callable[[Trial], str]] = {
    "trains": Trial.trains,
    "prunes weights": Trial.prunes_weights,
    "prunes units": Trial.prunes_units,
    "Tr(H)": Trial.trace,
    "losses by example": Trial.losses,
    "width arm": Trial.narrower,
    "audit-ready": Trial.audited,
}


def cell(question: Callable[[Trial], str], trial: Trial) -> str:
    try:
        return question(trial)
    except (PrunescopeError, ImportError) as refused:
        reason = re.sub(r"^reading .* has no result: run \w+ failed: ", "", str(refused))
        return "refused: " + reason.replace("\n", " ").replace("|", "/")
    except Exception as defect:  # what this page is there to show
        return f"traceback: {type(defect).__name__}: {str(defect)[:200]}".replace("\n", " ").replace("|", "/")


def table(names: list[str], told: Callable[[str], None] = lambda line: None) -> dict[str, dict[str, str]]:
    """The cells by network and question."""
    cells: dict[str, dict[str, str]] = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trial = Trial(ZOO[name], Path(folder))
            cells[name] = {title: cell(question, trial) for title, question in QUESTIONS.items()}
        told(f"{name}: {cells[name]}")
    return cells


def page(cells: dict[str, dict[str, str]]) -> str:
    """The page: what was asked, with which versions, and the table. Long refusals are notes under it."""
    notes: list[str] = []

    def short(text: str) -> str:
        if not text.startswith("refused"):
            return text
        if text not in notes:
            notes.append(text)
        return f"refused [{notes.index(text) + 1}]"

    rows = ["| network | " + " | ".join(QUESTIONS) + " |", "|---" * (1 + len(QUESTIONS)) + "|"]
    rows += ["| " + " | ".join([name, *map(short, found.values())]) + " |" for name, found in cells.items()]
    below = [f"{i}. {note}" for i, note in enumerate(notes, 1)]
    return "\n".join([INTRODUCTION.format(versions=versions(), date=datetime.date.today()), *rows, "", *below, ""])


def versions() -> str:
    found = []
    for name in ("torch", "torchvision", "timm", "transformers"):
        try:
            importlib.import_module(name)
            found.append(f"{name} {importlib.metadata.version(name)}")
        except (ImportError, RuntimeError, importlib.metadata.PackageNotFoundError) as problem:
            found.append(f"{name} cannot be imported ({problem})")
    return ", ".join(found)


INTRODUCTION = """# Networks

Which networks prunescope understands, tried one by one. `python tools/networks.py --save docs/networks.md` makes
this page. It needs the extra `networks` (`pip install 'prunescope[networks]'`) and a torchvision that was built for the
torch that is installed: beside a CPU build of torch, the CPU build of torchvision. Nothing is downloaded. All networks
are small, start from random weights, and are trained for four epochs on 48 examples.

| column | what was done, and what the cell says |
|---|---|
| trains | mean training loss before and after |
| prunes weights | three rounds of 20 %: zeros in the stored tensors, of all prunable entries (asked: 48.8 %) |
| prunes units | half of the units of every layer that has some: such layers, of all; parameters that go with them |
| Tr(H) | of the loss on 12 test examples: exact, or from 10 random probes |
| losses by example | test examples with a finite loss |
| width arm | hidden widths halved and trained; parameters that are left |
| audit-ready | mean losses of a dense and a pruned state, which plain PyTorch gives, too, for every example |

Layers before a residual sum keep their units: what the shortcut adds would stay. So do layers whose outputs are
normalized together (LayerNorm), and recurrent ones. Heads that share keys and values go together. Embeddings are not
pruned unless `prunable=` names them. A layer that starts from zeros, as some output layers do, may be all that
magnitude pruning takes early in training, which is refused.

Made on {date} with {versions}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"some of: {', '.join(ZOO)}; all of them by default")
    parser.add_argument("--save", type=Path, help="the page to write")
    given = parser.parse_args()
    if unknown := sorted(set(given.names) - ZOO.keys()):
        parser.error(f"there is no network {unknown[0]!r}; there are {', '.join(ZOO)}")
    text = page(table(given.names or list(ZOO), lambda line: print(line, flush=True)))
    if given.save:
        given.save.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
