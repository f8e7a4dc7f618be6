"""A joined dask cluster: the same artifacts, also when a worker dies; and clear refusals."""

import builtins
import multiprocessing
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import dask
import distributed
import pytest
from dask_cluster import scheduler, wait_for, worker
from distributed import Client, Security, get_worker

from lazarus_bench.errors import UserError
from lazarus_bench.jobs.cluster import Cluster, _started
from lazarus_bench.jobs.executors import InProcess, execute
from lazarus_bench.jobs.spec import Job
from lazarus_bench.jobs.store import Artifact, Store
from lazarus_bench.jobs.subjects import subject
from lazarus_bench.jobs.work import Failure, Place
from lazarus_bench.training import DualReward

SHORT = DualReward(steps=2, batch=4, examples=20, rank=4)
LONG = DualReward(steps=60, batch=4, examples=20, rank=4)


def jobs_on(tiny, recipe, seeds):
    return [Job(recipe=recipe, base=subject(str(tiny)).base(seed), seed=seed) for seed in seeds]


def do(jobs, executor) -> dict[str, Artifact]:
    results = {}
    execute(jobs, executor, lambda job, result: results.__setitem__(job.digest, result))
    return results


def run(jobs, executor) -> dict[str, Artifact]:
    with executor:
        return do(jobs, executor)


def weights(store, jobs) -> list[bytes]:
    return [(store.path(job) / "adapters.safetensors").read_bytes() for job in jobs]


@contextmanager
def up(address, workers):
    """Wait until so many workers have joined."""
    with Client(address) as client:
        client.wait_for_workers(workers, timeout=60)
    yield


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with scheduler(tmp_path_factory.mktemp("scheduler")) as address:
        yield address


def test_a_killed_worker_s_job_is_done_by_another(tiny, tmp_path, address):
    store, jobs = Store(tmp_path / "store"), jobs_on(tiny, LONG, range(4))

    def kill_when_at_work(victim):
        log = None
        while log is None:
            time.sleep(0.01)
            log = next((store.root / ".partial").glob("*/metrics.jsonl"), None)
        victim.send_signal(signal.SIGKILL)

    with (
        worker(tmp_path, address, "one") as one,
        worker(tmp_path, address, "two"),
        up(address, 2),
        Cluster(Place(root=store.root), scheduler=address) as cluster,
    ):
        killer = threading.Thread(target=kill_when_at_work, args=(one,))
        killer.start()
        results = do(jobs, cluster)
        killer.join()
    assert all(isinstance(result, Artifact) for result in results.values())
    assert set(results) == {job.digest for job in jobs}
    alone = Store(tmp_path / "alone")
    run(jobs, InProcess(Place(root=alone.root, show=False)))
    assert weights(store, jobs) == weights(alone, jobs)


def test_with_accelerators_only_their_workers_train_one_at_a_time(tiny, tmp_path, address):
    store, jobs = Store(tmp_path / "store"), jobs_on(tiny, SHORT, range(4))
    fast = ("--nthreads", "2", "--resources", "accelerator=1")
    with (
        worker(tmp_path, address, "plain", LAZARUS_BENCH_THREADS="would fail here"),
        worker(tmp_path, address, "fast", *fast),
        up(address, 2),
        Cluster(Place(root=store.root), scheduler=address) as cluster,
    ):
        assert cluster.workers == 1
        results = do(jobs, cluster)
    assert all(isinstance(result, Artifact) for result in results.values()), results


def refused(place, address) -> str:
    with pytest.raises(UserError) as error, Cluster(place, scheduler=address):
        pass
    return str(error.value)


def test_a_worker_with_two_threads_is_refused(tmp_path, address):
    place = Place(root=Store(tmp_path / "store").root)
    with worker(tmp_path, address, "wide", "--nthreads", "2"):
        assert "start it with --nthreads 1" in refused(place, address)


def test_a_worker_of_another_version_is_refused(tmp_path, address, monkeypatch):
    from lazarus_bench.jobs import cluster

    place = Place(root=Store(tmp_path / "store").root)
    other = cluster.versions() | {"mlx": "0.0.1"}
    monkeypatch.setattr(cluster, "versions", lambda: other)
    with worker(tmp_path, address, "other"):
        assert "not 0.0.1: install the same" in refused(place, address)


def test_a_worker_that_does_not_see_the_store_is_refused(tmp_path, address, monkeypatch):
    from lazarus_bench.jobs import cluster

    place = Place(root=Store(tmp_path / "store").root)
    with worker(tmp_path, address, "elsewhere"):
        real = cluster.Ticket

        def elsewhere(**fields):
            return real(**fields | {"token": tmp_path / "on another machine"})

        monkeypatch.setattr(cluster, "Ticket", elsewhere)
        assert "it does not see the store" in refused(place, address)


def test_a_scheduler_without_workers_is_refused(tmp_path, address, monkeypatch):
    from lazarus_bench.jobs import cluster

    monkeypatch.setattr(cluster, "PATIENCE_SECONDS", 1.0)
    place = Place(root=Store(tmp_path / "store").root)
    assert "has no workers: start one with `dask worker" in refused(place, address)


def test_a_scheduler_that_is_not_there_is_refused(tmp_path):
    place = Place(root=Store(tmp_path / "store").root)
    said = refused(place, "tcp://127.0.0.1:1")
    assert "no dask scheduler answers at tcp://127.0.0.1:1" in said
    assert "\n" not in said


@pytest.mark.parametrize("address", ["", "nonsense", "bogus://x:1", "tcp://x", "tcp://x:y"])
def test_what_is_no_address_is_refused(tmp_path, address):
    place = Place(root=Store(tmp_path / "store").root)
    assert f"--scheduler {address!r} is not an address" in refused(place, address)


def test_a_scheduler_that_goes_away_is_told(tiny, tmp_path):
    store, jobs = Store(tmp_path / "store"), jobs_on(tiny, LONG, range(2))
    with scheduler(tmp_path) as address, worker(tmp_path, address, "one"):

        def kill_when_at_work():
            while not list((store.root / ".partial").glob("*/metrics.jsonl")):
                time.sleep(0.01)
            os.killpg(int((tmp_path / "scheduler.pid").read_text()), signal.SIGKILL)

        killer = threading.Thread(target=kill_when_at_work)
        killer.start()
        with pytest.raises(UserError, match=f"the scheduler {address} went away"):
            run(jobs, Cluster(Place(root=store.root), scheduler=address))
        killer.join()


def test_a_worker_with_another_copy_of_the_model_fails_the_job(tiny, tmp_path, address):
    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    store, jobs = Store(tmp_path / "store"), jobs_on(copy, SHORT, range(1))
    shutil.rmtree(copy)
    shutil.copytree(tiny, copy)
    config = copy / "config.json"
    config.write_text(config.read_text().replace("{", '{"note": 1,', 1))
    with (
        worker(tmp_path, address, "other"),
        Cluster(Place(root=store.root), scheduler=address) as cluster,
    ):
        (result,) = do(jobs, cluster).values()
    assert isinstance(result, Failure)
    assert result.reason.startswith("worker tcp://")
    assert "is not the model that the session was given" in result.reason
    assert store.find(jobs[0]) is None


def test_nothing_stays_behind_in_the_store(tiny, tmp_path):
    store = Store(tmp_path / "store")
    run(jobs_on(tiny, SHORT, range(2)), Cluster(Place(root=store.root), workers=2))
    assert not [*(store.root / ".sessions").iterdir()]
    assert os.access(store.root, os.W_OK)


def _blocked_signals():
    return signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_ctrl_c_reaches_no_worker_not_even_one_that_took_a_dead_one_s_place(tmp_path):
    with Cluster(Place(root=tmp_path), workers=1) as cluster:
        client = cluster._client
        [(first, signals)] = client.run(_blocked_signals).items()
        assert signal.SIGINT in signals
        os.kill(*client.run(os.getpid).values(), signal.SIGKILL)
        wait_for(lambda: {*client.scheduler_info()["workers"]} - {first}, "a new worker")
        assert signal.SIGINT in client.run(_blocked_signals).popitem()[1]
        assert signal.SIGINT not in _blocked_signals()


@pytest.fixture
def interruptible():
    """Ctrl-C raises, also where the tests run in processes that pass it over."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_while_workers_start_ends_them(tmp_path):
    pressing = (threading.main_thread().ident, signal.SIGINT)
    threading.Timer(0.05, signal.pthread_kill, pressing).start()
    with pytest.raises(KeyboardInterrupt), Cluster(Place(root=tmp_path), workers=1):
        pytest.fail("the interrupt was lost")
    assert multiprocessing.active_children() == []


class Witness:
    """Writes a file when the interpreter drops it, which it does at its end alone."""

    def __init__(self, file: Path) -> None:
        self.file, self.open = file, open

    def __del__(self) -> None:
        with self.open(self.file, "w"):
            pass


def watch(file: Path) -> str:
    builtins.witness = Witness(file)
    return get_worker().local_directory


def test_a_worker_leaves_at_once_and_cleanly(tmp_path, capfd):
    with _started(1) as client:
        place = client.submit(watch, tmp_path / "unwound").result()
        assert Path(place).exists()
    assert not (tmp_path / "unwound").exists()
    assert not Path(place).exists()
    assert capfd.readouterr().err == ""


def test_strangers_on_the_machine_are_refused(tmp_path):
    with _started(1) as client:
        known = client.scheduler_info(n_workers=-1)
        addresses = [known["address"], *known["workers"]]
        for address in addresses:
            assert address.startswith("tls://127.0.0.1:")
            assert "wants certificates" in refused(Place(root=tmp_path), address)
            with pytest.raises((ssl.SSLError, ConnectionError)):  # no timeout
                _knock(address)


def test_who_is_refused_begins_no_client(tmp_path, monkeypatch):
    monkeypatch.setattr("lazarus_bench.jobs.cluster.PATIENCE_SECONDS", 2.0)
    foreign = Security.temporary()
    key = {
        "distributed.comm.tls.ca-file": foreign.tls_ca_file,
        "distributed.comm.tls.client.cert": foreign.tls_client_cert,
        "distributed.comm.tls.client.key": foreign.tls_client_key,
    }
    with _started(1) as client, dask.config.set(key):
        address = client.scheduler_info()["address"]
        monkeypatch.setattr(distributed, "Client", None)  # one half made complains when dropped
        for wrong in (address, address.replace("tls", "tcp")):
            assert f"no dask scheduler answers at {wrong}" in refused(Place(root=tmp_path), wrong)


def _knock(address):
    """Hear a byte from `address`, with a key of another cluster."""
    url, key = urlsplit(address), Security.temporary().get_connection_args("client")["ssl_context"]
    key.check_hostname, key.verify_mode = False, ssl.CERT_NONE  # it is for the server to refuse
    with (
        socket.create_connection((url.hostname, url.port), 5) as plain,
        key.wrap_socket(plain) as stream,
    ):
        if not stream.recv(1):
            raise ConnectionResetError("closed")


def test_a_local_cluster_shows_no_page():
    with _started(1) as client:
        known = client.scheduler_info(n_workers=-1)
        ports = [about["services"]["dashboard"] for about in (known, *known["workers"].values())]
        for port in ports:
            for page in ("status", "info/main/workers.html", "json/identity.json"):
                with pytest.raises(HTTPError, match="404") as refused:
                    urlopen(f"http://127.0.0.1:{port}/{page}")
                refused.value.close()


WITH_CLUSTER = """
import os, signal, sys
from pathlib import Path
from lazarus_bench.jobs.cluster import Cluster
from lazarus_bench.jobs.work import Place

def work():
    from lazarus_bench import backend
    backend.set_threads()
    backend.mx.eval(backend.mx.ones((500, 500)) @ backend.mx.ones((500, 500)))
    return os.getpid()

if __name__ == "__main__":
    with Cluster(Place(root=Path(sys.argv[1])), workers=2) as cluster:
        processes = {os.getpid(), *cluster._client.run(work).values()}
        os.kill(max(processes - {os.getpid()}), signal.SIGKILL)
        while len(processes) < 4:
            found = cluster._client.run(work, on_error="return").values()
            processes |= {process for process in found if isinstance(process, int)}
    print(*processes)
"""


@pytest.mark.skipif(not Path("/dev/shm").exists(), reason="only Linux has /dev/shm")
def test_a_local_cluster_leaves_nothing_behind(tmp_path):
    script, temporary = tmp_path / "with_cluster.py", tmp_path / "temporary"
    script.write_text(WITH_CLUSTER)
    temporary.mkdir()
    before = set(Path("/dev/shm").iterdir())  # a killed process of another user had our numbers
    done = subprocess.run(
        [sys.executable, script, tmp_path / "store"],
        env=os.environ | {"TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    processes = done.stdout.split()
    assert len(set(processes)) == 4
    left = [file.name for file in set(Path("/dev/shm").iterdir()) - before]
    assert not [
        name for name in left if name.startswith("__KMP") and name.split("_")[-2] in processes
    ]
    assert {file.name for file in temporary.iterdir()} <= {f"lazarus-bench-{os.getuid()}"}
