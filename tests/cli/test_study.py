"""plan, run and report, on a study in a file."""

import json

from prunescope.runs.store.store import Store


def test_plan_run_report(command, study, store, tmp_path) -> None:
    planned = command("plan", study, "--workers", 2)
    assert planned.exit_code == 0, planned.output
    assert not list(Store(store).run_ids())
    assert "run: LeNet, from scratch" in planned.output
    assert "run: LeNet, continued, Prune" in planned.output
    assert "reading: Risk on test" in planned.output
    assert "trace: Curve on test" in planned.output
    assert "with 2 workers on cpu" in planned.output

    done = command("run", study, "--workers", 1)
    assert done.exit_code == 0, done.output
    page = tmp_path / "prunescope-reports" / "tiny" / "index.html"
    assert str(page) in done.output
    assert "Pruning lowers the error." in done.output
    assert "Of 1 claim" in done.output
    assert len(list(Store(store).run_ids())) == 6
    assert "Nothing is left to do" in command("plan", study).output

    html = page.read_text()
    run = next(iter(Store(store).run_ids()))
    assert f"prunescope run {study} --scale smoke" in html
    assert "seconds of work" in html
    assert any(run in html for run in Store(store).run_ids())
    assert "peak_memory_mb" in html  # the lineage of a curve

    before = {path: path.read_bytes() for path in page.parent.rglob("*") if path.is_file()}
    again = command("report", study)
    assert again.exit_code == 0
    assert before == {path: path.read_bytes() for path in page.parent.rglob("*") if path.is_file()}
    assert run


def test_settings_and_scale_reach_the_study(command, study, tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text("levels: 0\nlr: 0.05\n")
    words = (study, "--scale", "paper", "--settings", "mine.yaml", "-s", "replicates=1", "--workers", 1)
    result = command("run", *words, "--out", "here")
    assert result.exit_code == 0, result.output
    summary = json.loads((tmp_path / "here" / "summary.json").read_text())
    settings = summary["settings"]
    assert (settings["levels"], settings["lr"], settings["replicates"]) == (0, 0.05, 1)


def test_report_says_what_was_not_run(command, study, tmp_path) -> None:
    assert command("run", study, "-s", "levels=0", "-s", "replicates=1", "--workers", 1).exit_code == 0
    result = command("report", study, "--out", "partial")
    assert result.exit_code == 0, result.output
    claim = json.loads((tmp_path / "partial" / "summary.json").read_text())["claims"][0]
    assert claim["by_paper"] == claim["by_interval"] == "not run"
    assert "not run" in result.output


def test_run_pins_what_it_needs(command, study, store) -> None:
    assert command("run", study, "--workers", 1).exit_code == 0
    (name,) = Store(store).pins()
    assert name.startswith("tiny.")
    assert set(Store(store).run_ids()) <= set(Store(store).pins()[name])
    command("run", study, "-s", "lr=0.2", "--workers", 1)
    assert len(Store(store).pins()) == 2  # other settings do not let go of the first


def test_failed_runs_are_told_and_reported(command, study, tmp_path) -> None:
    words = ("run", study, "-s", "lr=1e30", "--workers", 1)
    result = command(*words)
    assert result.exit_code == 1
    assert "2 runs failed" in result.output
    html = (tmp_path / "prunescope-reports" / "tiny" / "index.html").read_text()
    assert "failed" in html
    planned = command("plan", study, "-s", "lr=1e30")
    assert "will not be tried" in planned.output
    assert "Nothing is left to do" in planned.output
    assert command(*words).exit_code == 1


def test_stages_that_depend_on_results_are_said_to_be_bounds(command, study) -> None:
    from pathlib import Path

    path = Path(study)
    text = path.read_text()
    path.write_text(
        text.replace(
            "    rows = [",
            "    from prunescope.runs.graph.nodes import Chosen\n"
            "    best = Chosen(among=tuple(pruned[0]), inputs=errors['pruned'][0].nodes, rule='builtins:len')\n"
            "    gain = column([Reading(measure=Risk(split='train'), state=final(best))], 'error')\n"
            "    claim = Claim('best', 'The best is good.', gain, Direction('less'))\n"
            "    rows = [",
            1,
        )
    )
    result = command("plan", study)
    assert result.exit_code == 0, result.output
    assert "1 of these depend on results" in result.output
