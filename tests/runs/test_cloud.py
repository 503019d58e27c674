"""A store on a server of S3 in a process of its own: moto's, where it is installed (pip install 'moto[server]')."""

import importlib.util
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from specimens import risk

from prunescope.base.errors import StoreError
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.store import housekeeping
from prunescope.runs.store.storage import storage_at
from prunescope.runs.store.store import Store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not importlib.util.find_spec("moto"), reason="needs moto[server]"),
    pytest.mark.skipif(not importlib.util.find_spec("obstore"), reason="needs obstore"),
]


@pytest.fixture(scope="module")
def server():
    """The address of a server with the bucket "lab"."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stderr=subprocess.DEVNULL)
    address, end = f"http://127.0.0.1:{port}", time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(f"{address}/lab", method="PUT"), timeout=10)
            break
        except OSError:
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.2)
    yield address
    process.terminate()
    process.wait()


@pytest.fixture(autouse=True)
def _environment(server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "something")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


def test_what_exists_is_not_created_on_a_server():
    storage = storage_at("s3://lab/create")
    assert storage.create("leases/aa/1", b"first") and not storage.create("leases/aa/1", b"second")
    assert storage.get("leases/aa/1") == b"first" and storage.get("leases/aa/2") is None
    storage.delete("leases/aa/1")
    storage.delete("leases/aa/1")
    assert not list(storage.entries("leases"))


def test_a_study_by_two_workers_on_a_server_equals_one_on_a_disk(recipe, tmp_path):
    reference = ensure(risk(recipe), store=tmp_path / "reference", workers=1)
    made = ensure(risk(recipe), store="s3://lab/study", workers=2)
    assert made[risk(recipe)] == reference[risk(recipe)]
    store = Store("s3://lab/study")
    assert not [checked for checked in housekeeping.verify(store, housekeeping.files(store)) if checked.problem]
    assert not list(store.storage.entries("leases"))


def test_a_bucket_that_is_not_there_is_one_message():
    with pytest.raises(StoreError, match="there is no such bucket"):
        Store("s3://nobody-made-this/lab")
