"""The disk is full, or fails, while customers write; afterwards all goes on by itself.

CAC_FAULTS says at how many places it fails, with strace; six unless told.
"""

import itertools
import os
import resource
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import serving, wait_for
from load import SETTINGS, Customer, assert_nothing_is_lost, load

pytestmark = pytest.mark.faults
FAULTS = int(os.environ.get("CAC_FAULTS", "6"))
KINDS = [("pwrite64", "ENOSPC"), ("fdatasync", "EIO"), ("pwrite64", "EIO")]
PLACES = list(itertools.islice(     # (what fails, how, at which call+at each …th after it)
    ((call, error, f"{first}+{1 + first % 4}")
     for first in itertools.count(1) for call, error in KINDS), FAULTS))


def processes_of(database):
    """The processes of the service on this database."""
    wanted = f"CAC_DATABASE={database}\0".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes() + b"\0":
                found.append(int(folder.name))
        except OSError:     # ended meanwhile, or not ours
            continue
    return found


class SmallDisk:
    """A disk of 4 MB, or else, where nothing may be mounted, a limit to the size of files."""

    def __init__(self, folder, *, is_mounted):
        self.folder = folder
        mount = [shutil.which("mount"), "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]
        self.is_mounted = is_mounted and subprocess.run(mount, check=False).returncode == 0

    def fill(self, database):
        """No byte more can be written."""
        if not self.is_mounted:
            return limit_files(database, 4096)
        with (self.folder / "ballast").open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                return None

    def free(self, database):
        """There is space again."""
        if not self.is_mounted:
            return limit_files(database, resource.RLIM_INFINITY)
        return (self.folder / "ballast").unlink()

    def end(self):
        """Give the disk back."""
        if self.is_mounted:
            subprocess.run([shutil.which("umount"), self.folder], check=True)


def limit_files(database, size):
    """How long a file of the running service may become."""
    for process in processes_of(database):
        resource.prlimit(process, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.fixture(params=[True, False], ids=["small disk", "limit to files"])
def disk(request, tmp_path):
    """A small disk, in both ways."""
    (tmp_path / "disk").mkdir()
    disk = SmallDisk(tmp_path / "disk", is_mounted=request.param)
    yield disk
    disk.end()


def test_on_a_full_disk_pages_are_shown_writes_are_refused_and_then_all_goes_on(seeded, disk):
    database = Path(shutil.copy(seeded, disk.folder / "cac.db"))
    with serving(database, **SETTINGS) as address, load(address) as customers:
        ana = Customer(address)
        assert ana.sign_in("Ana")[0] == 303
        customers.go_on()
        disk.fill(database)
        wait_for(lambda: len(customers.refusals) > 5)
        assert {ana.ask(page)[0] for page in ("/", "/cuenta", "/cuenta.csv", "/pago")} == {200}
        disk.free(database)
        customers.go_on()
    assert_nothing_is_lost(database, customers)


@contextmanager
def failing(database, call, error, when):
    """The service's writes fail as told, by strace; a function tells whether one has."""
    pids = [word for pid in processes_of(database) for word in ("-p", str(pid))]
    fault = f"inject={call}:error={error}:when={when}"
    command = [shutil.which("strace"), "-f", *pids, "-e", f"trace={call}", "-e", fault]
    told = database.with_suffix(".strace")
    with subprocess.Popen([*command, "-o", told], stderr=subprocess.PIPE, text=True) as strace:
        for _ in pids[::2]:
            assert "attached" in strace.stderr.readline()
        try:
            yield lambda: "(INJECTED)" in told.read_text()
        finally:
            strace.send_signal(signal.SIGINT)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: "-".join(map(str, place)))
def test_a_failing_disk_breaks_no_promise_and_then_all_goes_on(database, place):
    with serving(database, **SETTINGS) as address, load(address) as customers:
        customers.go_on()
        with failing(database, *place):
            wait_for(lambda: len(customers.refusals) > 5)
        customers.go_on()
        for process in processes_of(database):
            os.kill(process, signal.SIGKILL)
    assert_nothing_is_lost(database, customers)


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_a_write_that_fails_once_breaks_no_promise_whichever_it_is(database, kind):
    with serving(database, **SETTINGS) as address, load(address) as customers:
        for nth in range(1, FAULTS + 1):
            with failing(database, *kind, nth) as has_failed:
                wait_for(has_failed, 60)
            customers.go_on()
    assert_nothing_is_lost(database, customers)
