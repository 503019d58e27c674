"""Work as tasks of Ray."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from specimens import contents, risk
from specimens import recipe as make_recipe

from prunescope.base.errors import UsageError
from prunescope.base.streams import replicate
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.families import imp
from prunescope.runs.store.store import Store


def test_without_ray_its_extra_is_named(recipe, store, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'prunescope\[ray\]'"):
        ensure(risk(recipe), store=store, ray="local")


def test_an_address_where_nobody_listens_is_told_at_once(recipe, store, monkeypatch, tmp_path):
    """Ray itself tries for minutes, and `auto` may be the address of a cluster that has ended."""
    ray = SimpleNamespace(is_initialized=lambda: False, init=lambda **_: pytest.fail("Ray would wait"))
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    for address in ("127.0.0.1:1", "ray://127.0.0.1:1", "auto"):
        with pytest.raises(UsageError, match=f"--address {address}: Ray cannot be joined"):
            ensure(risk(recipe), store=store, ray=address)


def test_a_machine_on_which_ray_does_not_start_is_told(recipe, store, monkeypatch):
    def init(**_):
        raise Exception("The current node timed out during startup.\nAnd more.")

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False, init=init))
    with pytest.raises(
        UsageError, match=r"does not start on this machine \(The current node timed out during startup\.\)"
    ):
        ensure(risk(recipe), store=store, ray="local")


@pytest.fixture(scope="module")
def cluster():
    """Ray on three nodes of one core each."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.victim = cluster.add_node(num_cpus=1)
    cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


def study():
    """Three chains of a few seconds."""
    longer = make_recipe(length="100ep")
    return [risk(run) for k in range(3) for run in imp(longer.replace(seeds=replicate(k)), levels=2)]


def until_a_run_is_stored(store, goes_on):
    while not list(Store(store).run_ids()) and goes_on():
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_study_on_three_nodes_of_which_one_dies_has_the_bits_of_one_process(cluster, tmp_path):
    """And its driver dies before."""
    ensure(study(), store=tmp_path / "reference", workers=1, stack=1)
    store = tmp_path / "store"
    again = f"ensure(study(), store={str(store)!r}, ray={cluster.address!r}, stack=1)"
    place = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})"
    driver = subprocess.Popen([sys.executable, "-c", f"{place}; from test_cluster import *; {again}"])
    until_a_run_is_stored(store, lambda: driver.poll() is None)
    driver.kill()
    driver.wait()
    made = len(contents(store))
    thread = threading.Timer(2.0, cluster.remove_node, [cluster.victim], {"allow_graceful": False})
    thread.start()
    ensure(study(), store=store, ray=cluster.address, stack=1)
    thread.join()
    assert 0 < made < len(contents(store))
    assert contents(store) == contents(tmp_path / "reference")
