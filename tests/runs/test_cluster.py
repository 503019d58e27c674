"""Work as tasks of Ray."""

import threading
import time

import pytest
from specimens import contents, risk

from prunescope.base.errors import UsageError
from prunescope.base.streams import replicate
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.families import imp
from prunescope.runs.store.store import Store


def test_without_ray_its_extra_is_named(recipe, store, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'prunescope\[ray\]'"):
        ensure(risk(recipe), store=store, ray="local")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_study_on_three_nodes_of_which_one_dies_has_the_bits_of_one_process(recipe, store, tmp_path):
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    longer = recipe.replace(length="100ep")
    nodes = [risk(run) for k in range(3) for run in imp(longer.replace(seeds=replicate(k)), levels=2)]
    ensure(nodes, store=tmp_path / "reference", workers=1, stack=1)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    victims = [cluster.add_node(num_cpus=1) for _ in range(2)]
    killed = threading.Event()

    def kill():
        while not list(Store(store.root).run_ids()):
            time.sleep(0.05)
        cluster.remove_node(victims[0], allow_graceful=False)
        killed.set()

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        ensure(nodes, store=store, ray=cluster.address, stack=1)
    finally:
        thread.join()
        cluster.shutdown()
    assert killed.is_set()
    assert contents(store.root) == contents(tmp_path / "reference")
