"""docs/atlas.md: every claim that has been judged, by paper and network, from docs/results/*/summary.json.

Run `python tools/atlas.py` after results change; a test compares.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
WORDS = ("reproduced", "contradicted", "inconclusive", "not judgeable at this scale", "not run")


def page() -> str:
    """The page: one table of counts, then one table a study with a link to its report."""
    paths = sorted((DOCS / "results").rglob("summary.json"))
    found = {path.parent.relative_to(DOCS): json.loads(path.read_text()) for path in paths}
    # The claims of an audit are of two networks, in words of their own.
    summaries = {where: one for where, one in found.items() if one["study"] != "audit"}
    return "\n".join([*_head(summaries), *(line for where, one in summaries.items() for line in _study(where, one))])


def _head(summaries: dict[Path, dict]) -> Iterator[str]:
    yield "# Atlas of claims"
    yield ""
    yield (
        "Every claim that was judged from stored runs, at the scale that stands below. A verdict is the interval "
        "rule's: the 95 % interval lies wholly inside (reproduced) or outside (contradicted) the claimed region. "
        "`paper` is what a paper says of this network, `proposed` is ours."
    )
    yield ""
    yield "| study | " + " | ".join(WORDS) + " |"
    yield "|---|" + "---:|" * len(WORDS)
    for where, one in summaries.items():
        counts = Counter(claim["by_interval"] for claim in one["claims"])
        cells = " | ".join(str(counts[word] or "") for word in WORDS)
        yield f"| [{one['study']}]({where}/README.md) | {cells} |"
    yield ""


def _study(where: Path, one: dict) -> Iterator[str]:
    yield f"## {one['study']}"
    yield ""
    yield f"{one['scale']}. [Report]({where}/README.md)."
    yield ""
    yield "| claim | basis | by interval | by the paper's rule | n | estimate |"
    yield "|---|---|---|---|---:|---|"
    for claim in one["claims"]:
        says = claim["says"].replace("|", "\\|")
        yield (
            f"| {says} | {claim['basis']} | {claim['by_interval']} | {claim['by_paper']} | {claim.get('n') or ''} | "
            f"{_estimate(claim)} |"
        )
    yield ""


def _estimate(claim: dict) -> str:
    if claim.get("estimate") is None:
        return ""
    ends = f" [{claim['low']:.3g}, {claim['high']:.3g}]" if claim.get("low") is not None else ""
    return f"{claim['estimate']:.3g}{ends} {claim['unit']}"


if __name__ == "__main__":
    (DOCS / "atlas.md").write_text(page())
