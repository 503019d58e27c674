"""Brings what a stored report says of its claims up to today's code: basis, place, what n counts, how scales differ.

`python tools/relabel.py docs/results/jin2022/lenet-preview ...` rewrites README.md and summary.json. No number and no
verdict changes: a claim whose sentence or region is another one today is left as it was. A report that no study of
today makes with its settings is left as it was, too. `--check` names what would change, and changes nothing.
"""

import json
import re
import shlex
import sys
from pathlib import Path

from prunescope.base.errors import PrunescopeError
from prunescope.cli.orders import template_of
from prunescope.studies.claim import Claim
from prunescope.studies.extent import Extent
from prunescope.studies.report import markdown_row
from prunescope.studies.study import Study
from prunescope.studies.summary import own_sentence
from prunescope.tasks.data.stand_in import stand_ins

CUT = re.compile(
    r"^(Not the paper’s|Other than at this study’s scale): .*? \(there .*?\)\.(?=$| The paper’s own| Data:)", re.M
)
LEVEL = re.compile(r"The [\d.]+ % interval")
OWN = re.compile(r"Of \d+ that are the paper’s own, the interval rule finds [^.]*\. ")


def study_of(summary: dict, page: str) -> Study | None:
    """The study of today under the report's settings; None where there is none."""
    words = shlex.split(page.rpartition("Made by `")[2].partition("`")[0])
    name = summary["study"] if words[:2] != ["prunescope", "run"] else words[2]
    try:
        with stand_ins():
            return template_of(name).again(summary["scale"].partition(":")[0], summary["settings"])
    except (PrunescopeError, KeyError):
        return None


def source(basis: str, place: str) -> str:
    return ": ".join(filter(None, (basis, place)))


def relabelled(old: dict, claim: Claim | None, page: str) -> tuple[dict, str]:
    """The record of a claim and the page, with today's basis, place and count of parts."""
    new = dict(old)
    if claim and (claim.says, str(claim.region)) == (old["says"], old["region"]):
        new |= {"basis": claim.basis, "place": claim.place}
        if old["over"] == "replicates":
            new["over"] = claim.region.over(claim.unit)
    if old["level"]:
        new["why"] = LEVEL.sub(f"The {100 * old['level']:.4g} % interval", old["why"])
    was, now = (source(one["basis"], one["place"]) for one in (old, new))
    row, cells = (markdown_row([old["says"], each])[:-2] for each in (was, now))
    lines = []
    for line in page.split("\n"):
        if line.startswith(f"{row} | "):
            line = cells + line.removeprefix(row)
            if new["over"] not in (old["over"], "replicates"):
                line = re.sub(rf"\| {old['n']} (\|[^|]*\|)$", rf"| {old['n']} {new['over']} \1", line)
        lines.append(line.replace(f"- {old['says']} ({was}) **", f"- {old['says']} ({now}) **"))
    return new, "\n".join(lines)


def first_sentence(summary: dict) -> str:
    """How the report begins, with today's count of the paper's own claims."""
    outcomes = [claim["by_interval"] for claim in summary["claims"] if claim["basis"] == "paper"]
    rest = OWN.sub("", summary["sentence"])
    return own_sentence(outcomes, len(summary["claims"])) * rest.startswith("Of ") + rest


def relabel(folder: Path) -> dict[str, str]:
    """The text of both files by name."""
    summary, page = json.loads((folder / "summary.json").read_text()), (folder / "README.md").read_text()
    study = study_of(summary, page)
    today = {claim.name: claim for claim in study.claims} if study else {}
    claims = []
    for old in summary["claims"]:
        new, page = relabelled(old, today.get(old["name"]), page)
        claims.append(new)
    summary["claims"], before = claims, summary.get("sentence", "")
    if before and study and not study.head:
        summary["sentence"] = first_sentence(summary)
        page = page.replace(before, summary["sentence"])
    if was := summary.get("extent"):
        page = CUT.sub(lambda found: Extent(was["scale"], was["cut"]).lines[0], page)
    return {"summary.json": json.dumps(summary, indent=2, ensure_ascii=False) + "\n", "README.md": page}


def main(*words: str) -> int:
    """Rewrites, or with --check names, the files that say something else today."""
    changed = 0
    for folder in (Path(word) for word in words if word != "--check"):
        for name, text in relabel(folder).items():
            if text != (folder / name).read_text():
                changed += 1
                print(folder / name)
                if "--check" not in words:
                    (folder / name).write_text(text)
    return changed if "--check" in words else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
