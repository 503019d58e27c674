"""docs/atlas.md: every claim that has been judged, by scale, paper and network, from docs/results/*/summary.json.

Run `python tools/atlas.py` after results change; a test compares.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
WORDS = ("reproduced", "contradicted", "inconclusive", "not judgeable at this scale", "not run")


def page() -> str:
    """The page: a table of counts, the ladder of each paper's claim, then a table a study with a link to its report."""
    paths = sorted((DOCS / "results").rglob("summary.json"))
    found = {path.parent.relative_to(DOCS): json.loads(path.read_text()) for path in paths}
    # The claims of an audit are of two networks, in words of their own.
    summaries = {where: one for where, one in found.items() if one["study"] != "audit" and one["claims"]}
    return "\n".join(
        [
            *_head(summaries),
            *_ladder(summaries),
            *(line for where, one in summaries.items() for line in _study(where, one)),
        ]
    )


def _head(summaries: dict[Path, dict]) -> Iterator[str]:
    yield "# Atlas of claims"
    yield ""
    yield (
        "Every claim that was judged from stored runs, at the scale that stands below. A verdict is the interval "
        "rule's: the interval lies wholly inside (reproduced) or outside (contradicted) the claimed region. It is "
        "the 95 % one; for equivalence the 90 % one (two one-sided tests), for a median the nearest level that n "
        "permits, and a higher one where replicates were added until all was decided. Where a paper's claims were "
        "judged on less than its setting, or the setting is recalled, the verdict says so; a study whose claims "
        'are all `proposed` has no such setting, and says "reproduced" alone. "Not after Holm": not after the '
        "correction for all claims of the study. `paper` is what a paper says of this network, `proposed` is "
        "ours."
    )
    yield ""
    yield "| study | scale, network, data | " + " | ".join(WORDS) + " |"
    yield "|---|---|" + "---:|" * len(WORDS)
    for where, one in summaries.items():
        counts = Counter(claim["by_interval"] for claim in one["claims"])
        cells = " | ".join(str(counts[word] or "") for word in WORDS)
        yield f"| [{one['study']}]({where}/README.md) | {', '.join((one['scale'], where.name))} | {cells} |"
    yield ""


SCALES = ("smoke", "laptop", "paper")


def _ladder(summaries: dict[Path, dict]) -> Iterator[str]:
    """Each claim that is a paper's, or recalled, with its verdict at every scale that was run."""
    rungs: dict[tuple[str, str], dict[str, list[str]]] = {}
    says: dict[tuple[str, str], str] = {}
    for where, one in summaries.items():
        for claim in one["claims"] if one.get("extent") else ():
            if claim["basis"] != "proposed":
                key, scale = (one["study"], claim["name"]), one["extent"]["scale"]
                short = claim["said"].replace(f" at {scale} scale", "")
                rungs.setdefault(key, {}).setdefault(scale, []).append(
                    f"{where.name}: [{short}]({where}/README.md), n = {counted(claim) or 0}"
                )
                says[key] = claim["says"].replace("|", "\\|")
    yield from ("## Ladder", "", "What papers say, and the verdict at each scale that was run so far.", "")
    yield "| claim | study | " + " | ".join(SCALES) + " |"
    yield "|---|---|" + "---|" * len(SCALES)
    for (study, name), by_scale in rungs.items():
        cells = " | ".join("; ".join(by_scale.get(scale, ())) for scale in SCALES)
        yield f"| {says[study, name]} | {study} | {cells} |"
    yield ""


def _study(where: Path, one: dict) -> Iterator[str]:
    yield f"## {one['study']}"
    yield ""
    extent = one.get("extent") or {}
    data = "".join(f" Data: {text}." for text in extent.get("data", ()))
    yield f"{one['scale']}.{data} [Report]({where}/README.md)."
    yield ""
    rule = one.get("rule")
    yield f"| claim | basis, place | by interval |{f' {rule} |' if rule else ''} n | estimate |"
    yield f"|---|---|---|{'---|' if rule else ''}---:|---|"
    for claim in one["claims"]:
        says = claim["says"].replace("|", "\\|")
        by_rule = f" {claim['by_paper']} |" if rule else ""
        yield (
            f"| {says} | {_basis(claim)} | {claim.get('said') or claim['by_interval']} |{by_rule} "
            f"{counted(claim)} | {_estimate(claim)} |"
        )
    yield ""


def counted(claim: dict) -> str:
    """How many replicates, or how many of something else; empty for none."""
    if not claim.get("n"):
        return ""
    return f"{claim['n']}" if claim["over"] == "replicates" else f"{claim['n']} {claim['over']}"


def _basis(claim: dict) -> str:
    """The basis, and where in the paper the claim stands, so that a figure is found by its number."""
    return ": ".join(filter(None, (claim["basis"], claim.get("place", "").replace("|", "\\|"))))


def _estimate(claim: dict) -> str:
    if claim.get("estimate") is None:
        return ""
    ends = f" [{claim['low']:.3g}, {claim['high']:.3g}]" if claim.get("low") is not None else ""
    return f"{claim['estimate']:.3g}{ends} {claim['unit']}"


if __name__ == "__main__":
    (DOCS / "atlas.md").write_text(page())
