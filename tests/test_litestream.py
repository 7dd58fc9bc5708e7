"""The second line: Litestream copies the database all the while. CAC_LITESTREAM has to be on."""

import os
import signal
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import cac
import pytest
from conftest import running, wait_for

LITESTREAM = Path(sys.executable).with_name("litestream")
WRITER = """
import itertools, sys, cac
with cac.create_app(database=sys.argv[1], litestream="on").app_context():
    for n in itertools.count(1):
        with cac.transaction() as db:
            for amount in (n, -n):
                db.execute("INSERT INTO movement (customer, date, type, point_of_sale, number,"
                           " amount) VALUES (1001, '2010-05-01', 999, ?, ?, ?)",
                           (amount > 0, n, amount))
        print(n, flush=True)
"""


@pytest.fixture
def replica(database, tmp_path):
    """The configuration of the README, with a folder for the copy."""
    config = tmp_path / "litestream.yml"
    config.write_text(f"dbs:\n  - path: {database}\n    replica:\n      type: file\n"
                      f"      path: {tmp_path / 'replica'}\n")
    return config


def copied(config):
    """The files of the copy; one more each second in which something is written."""
    return list(config.with_name("replica").rglob("*.ltx"))


@contextmanager
def litestream(config):
    """It copies until it is told to stop, and then what is left; it has begun when this goes on."""
    process = subprocess.Popen([LITESTREAM, "replicate", "-config", config],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: copied(config))
        yield process
    finally:
        process.terminate()
        process.wait(20)


def restored(config, database):
    """What the copy gives back: (how many pairs, the last one, what they add up to)."""
    path = database.with_name("restored.db")
    subprocess.run([LITESTREAM, "restore", "-config", config, "-o", path, database], check=True,
                   capture_output=True)
    cac.verify_backup(path)
    with closing(cac.connect(path)) as db:
        return tuple(db.execute("SELECT count(*) / 2, max(number), sum(amount) FROM movement"
                                " WHERE type = 999 AND date = '2010-05-01'").fetchone())


def written(writer, pairs):
    """Wait until the writer has committed so many more; the number of the last."""
    return [int(writer.stdout.readline()) for _ in range(pairs)][-1]


def test_restarted_twice_while_others_write_its_copy_lacks_nothing(database, replica):
    with running("-c", WRITER, database) as writer:
        for _ in range(3):
            with litestream(replica):
                written(writer, 1000)
        with litestream(replica):
            written(writer, 100)
            writer.kill()
            writer.wait()
            last = int(([*writer.stdout] or ["0"])[-1])
            wait_for(lambda: restored_up_to(replica, database, last), 20)


def restored_up_to(replica, database, last):
    """Whether the copy has all pairs up to this one; it never has gaps."""
    database.with_name("restored.db").unlink(missing_ok=True)
    pairs, newest, total = restored(replica, database)
    assert (pairs, total) == (newest, 0)
    return newest >= last


def test_when_all_is_killed_and_lost_the_copy_is_whole(database, replica):
    with running("-c", WRITER, database) as writer, litestream(replica) as copying:
        wait_for(lambda: written(writer, 200) and len(copied(replica)) > 4, 30)
        os.kill(copying.pid, signal.SIGKILL)
        writer.kill()
    database.unlink()
    pairs, newest, total = restored(replica, database)
    assert (pairs, total) == (newest, 0)
    assert newest > 100
