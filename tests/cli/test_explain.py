"""explain, and the options of run that add replicates and take treatments away."""

import json
from pathlib import Path

from prunescope.runs.store.store import Store

RECIPE = """
import prunescope as ps

network = ps.network("prunescope.tasks.nets:LeNet", inputs=16, classes=4, hidden=(8, 8))
recipe = ps.Recipe(
    task=ps.Task(network=network, data=ps.Data(source=ps.synthetic(train=64, test=64))),
    optimizer=ps.SGD(),
    schedule=ps.Constant(lr=0.1),
    batch=32,
    length="1ep",
)
"""


def summary(folder):
    return json.loads(next(folder.rglob("summary.json")).read_text())


def test_a_recipe_in_a_file_is_planned_and_then_explained(command, tmp_path):
    (tmp_path / "mine_to_explain.py").write_text(RECIPE)
    words = ("explain", "mine_to_explain.py", "--scale", "smoke", "--workers", 1, "--out", "out")
    planned = command(*words, "--plan")
    assert planned.exit_code == 0, planned.output
    assert "KeepAsMany" in planned.output and not (tmp_path / "out").exists()
    done = command(*words)
    assert done.exit_code == 0, done.output
    assert "Pruning to 6" in done.output and "seeds alone differ by" in done.output
    made = summary(tmp_path / "out")
    assert made["sentence"] in " ".join(done.output.split())
    assert [claim["name"] for claim in made["claims"]][:2] == ["pruning-lowers-the-error", "time-lowers-the-error"]
    assert "prunescope explain mine_to_explain.py --scale smoke" in (tmp_path / "out" / "README.md").read_text()


def test_two_files_are_registered_and_pinned_apart(command, tmp_path):
    for name, lr in (("first_to_explain", 0.1), ("second_to_explain", 0.2)):
        (tmp_path / f"{name}.py").write_text(RECIPE.replace("lr=0.1", f"lr={lr}"))
        done = command("explain", f"{name}.py", "--scale", "smoke", "-s", "levels=1", "--workers", 1, "--out", name)
        assert done.exit_code == 0, done.output
        assert not any("changed after" in claim["said"] for claim in summary(tmp_path / name)["claims"])
    pins = Store(tmp_path / "store").pins()
    assert [name.rpartition(".")[0] for name in pins] == ["explain_first_to_explain", "explain_second_to_explain"]


def test_a_network_by_name_is_explained(command, tmp_path):
    network = ("--network", "prunescope.tasks.nets:LeNet", "-s", "arguments.inputs=64")
    refused = command("explain", *network, "--plan")
    assert refused.exit_code == 2
    assert "LeNet needs data; write --data my.npz, or --data digits" in " ".join(refused.output.split())
    words = (*network, "--data", "digits", "--epochs", 1, "-s", "share=0.1")
    result = command("explain", *words, "-s", "levels=1", "-s", "replicates=2", "--workers", 1, "--out", "out")
    assert result.exit_code == 0, result.output
    assert summary(tmp_path / "out")["settings"]["epochs"] == 1
    training = "trained by SGD(momentum=0.0, weight_decay=0.0) and Constant(lr=0.1), batches of 64"
    for text in (result.output, (tmp_path / "out" / "README.md").read_text()):
        assert f"{training}, length 1ep" in " ".join(text.split())
    assert "yours: -s optimizer.momentum=0.9" in result.output
    own = ("-s", "optimizer.momentum=0.9", "-s", "schedule.lr=0.01", "-s", "batch=128", "-s", "optimizer.kind=Adam")
    changed = command("explain", *words, *own[2:], "--plan")
    assert "Adam(" in changed.output and "Constant(lr=0.01), batches of 128" in changed.output
    assert "yours:" not in changed.output and command("explain", *words, *own[:6], "--plan").exit_code == 0


def test_a_file_and_a_network_at_once_are_refused(command, tmp_path):
    (tmp_path / "mine_to_explain.py").write_text(RECIPE)
    result = command("explain", "mine_to_explain.py", "--epochs", 3)
    assert result.exit_code == 2
    assert "leave --epochs out" in result.output


def test_a_file_without_a_recipe_is_refused(command, tmp_path):
    (tmp_path / "no_recipe_here.py").write_text("x = 1\n")
    (tmp_path / "data.npz").touch()
    for name, message in (
        ("no_recipe_here.py", "has no Recipe called `recipe`"),
        ("nowhere.py", "there is no file nowhere.py"),
        ("data.npz", "data.npz is no file of Python"),
    ):
        result = command("explain", name)
        assert result.exit_code == 2
        assert message in result.output


def test_replicates_are_added_until_claims_are_decided(command, study, tmp_path, monkeypatch):
    result = command("run", study, "--until-decided", "--most", 4, "--workers", 1, "--out", "out")
    assert result.exit_code == 0, result.output
    assert "replicates at the last look" in result.output
    (claim,) = summary(tmp_path / "out")["claims"]
    assert claim["n"] in (3, 4) and claim["level"] > 0.95
    assert "--until-decided --most 4" in (tmp_path / "out" / "README.md").read_text()
    assert command("run", study, "--workers", 1).exit_code == 0
    assert "would remove 0 runs, 0 readings" in command("runs", "gc").output  # of fewer replicates, nor of more

    def stopped(*nodes, **rest):
        raise KeyboardInterrupt

    monkeypatch.setattr("prunescope.runs.execution.ensure.ensure", stopped)
    assert command("run", study, "--until-decided", "--most", 4).exit_code == 130  # at its first look
    assert "would remove 0 runs, 0 readings" in command("runs", "gc").output


def test_a_plan_of_added_replicates_is_of_the_most_and_of_the_first_look(command, study):
    plan = command("plan", study, "--until-decided", "--most", 5).output
    assert plan.split("to do")[1].splitlines() != command("plan", study).output.split("to do")[1].splitlines()
    assert "That is 5 replicates, added until claims are decided: the first look, at 3, takes about" in plan
    assert command("run", study, "--until-decided", "--most", 4, "--workers", 1).exit_code == 0
    assert "the first look, at 3, needs nothing more" in command("plan", study, "--until-decided", "--most", 4).output


def test_added_replicates_and_a_number_of_them_are_refused(command, study):
    result = command("run", study, "--until-decided", "-s", "replicates=7")
    assert result.exit_code == 2
    assert "leave --until-decided out, for 7 at most write --most 7" in result.output


def test_the_most_replicates_without_adding_any_are_refused(command, study):
    result = command("run", study, "--most", 4)
    assert result.exit_code == 2
    assert "write -s replicates=4" in result.output


def test_a_study_without_replicates_cannot_add_any(command, study, tmp_path):
    path = tmp_path / "without_replicates.py"
    path.write_text(Path(study).read_text().replace("replicates", "copies"))
    result = command("run", path.name, "--until-decided")
    assert result.exit_code == 2
    assert "has no setting 'replicates'" in result.output


def test_the_null_world_of_a_study_trains_dense_networks_only(command, study, tmp_path):
    planned = command("plan", study, "--null")
    assert "Prune" not in planned.output and "continued" not in planned.output
    result = command("run", study, "--null", "--workers", 1)
    assert result.exit_code == 0, result.output
    page = tmp_path / "prunescope-reports" / "tiny" / "null" / "README.md"
    assert "is replaced by a dense one" in " ".join(page.read_text().split())
    assert command("report", study, "--null").exit_code == 0
