"""What a page shows of a figure when somebody points at it: as many points as are drawn, in their order, with runs."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from prunescope.studies import Computed, drawing, report
from prunescope.studies.explore import points_of
from prunescope.studies.plot import Intervals, Scatter

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def parts_of(figure, results):
    return [(part, part.table(results)) for part in figure.rows]


def vertices(svg: str, series: int) -> list[tuple[float, float]]:
    """Corners of the line that carries the points of a series, else its markers."""
    groups = re.findall(rf'<g data-s="{series}" data-k="points">(.*?)</g>\s*(?=<g|</g>)', svg, flags=re.S)
    text = "".join(groups)
    line = re.search(r'<path d="(M[^"]*)" clip-path', text)
    if line:
        return [tuple(map(float, pair)) for pair in re.findall(r"[ML] (\S+) (\S+)", line[1])]
    return [tuple(map(float, pair)) for pair in re.findall(r'<use [^>]*x="([^"]*)" y="([^"]*)"', text)]


def test_every_point_of_a_curve_is_a_vertex_in_the_same_order(study, results):
    figure = study.figures[0]
    parts = parts_of(figure, results)
    data = points_of(figure.plot, parts)
    panels = drawing.panels(figure.plot, [row for _, rows in parts for row in rows], name="x")
    assert data["axes"] == ["weights remaining (%)", "test error (%)"] and len(data["panels"]) == len(panels) == 2
    for svg, panel in zip(panels, data["panels"], strict=True):
        for series in panel[1:]:  # the first is a dashed line
            places = vertices(svg, series["s"])
            assert len(places) == len(series["points"]) == 12
            heights = [y for _, y in places]
            values = [point[1] for point in series["points"]]
            assert np.corrcoef(heights, values)[0, 1] < -0.99999  # up is less in an SVG
            of_arm = [row for _, rows in parts for row in rows if row["arm"] == series["name"]]
            x, middle, low, high, replicates, _ = series["points"][3]
            errors = [row["error"] for row in of_arm if abs(row["remaining"] - x) < 0.01]
            assert len(replicates) == 3 and low < middle < high
            assert all(min(abs(error - value) for error in errors) < 1e-3 for value in replicates)


def test_points_know_their_runs(study, results):
    figure = study.figures[0]
    data = points_of(figure.plot, parts_of(figure, results))
    (pruned,) = (series for series in data["panels"][0] if series["name"] == "pruned")
    named = {tuple(data["runs"][point[5]]) for point in pruned["points"]}
    assert named == {tuple(run.id[:12] for run in figure.lineage["pruned"])}
    (width,) = (series for series in data["panels"][0] if series["name"].startswith("width"))
    assert all(point[5] is None for point in width["points"])


def test_clouds_and_intervals_have_a_mark_a_point():
    rows = [{"arm": arm, "x": float(k), "y": k * 0.5 if k else float("nan")} for arm in "ab" for k in range(4)]
    plot = Scatter("x", "y", series="arm")
    (svg,) = drawing.panels(plot, rows, name="x")
    for series in points_of(plot, [(Computed((), list), rows)])["panels"][0]:
        assert len(vertices(svg, series["s"])) == len(series["points"]) == 3
    rows = [{"what": name, "e": e, "l": e - 1, "h": e + 1} for name, e in (("one", 1.0), ("two", float("nan")))]
    bars = Intervals("what", "e", "l", "h")
    (svg,) = drawing.panels(bars, rows, name="x")
    points = points_of(bars, [(Computed((), list), rows)])["panels"][0][0]["points"]
    assert points == [["one", 1.0, 0.0, 2.0, [], None], ["two", None, None, None, [], None]]
    assert len(vertices(svg, 0)) == 1


def test_the_page_works_without_and_holds_its_script_with(study, results, arguments, tmp_path):
    text = report.write(study, results, tmp_path, **arguments).page.read_text()
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", text, flags=re.S)
    assert [attributes for attributes, _ in scripts] == [' type="application/json" class="points"', ""]
    assert json.loads(scripts[0][1])["axes"] and "<" not in scripts[0][1]
    assert 'data-s="1"' in text and "figures/" not in text
    assert "http" not in scripts[1][1] and "fetch(" not in scripts[1][1]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.slow
def test_in_a_browser_every_series_has_a_switch(study, results, arguments, tmp_path):
    page = report.write(study, results, tmp_path, **arguments).page
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run([*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120)
    assert done.stdout.count('aria-pressed="true"') == 4, done.stderr
