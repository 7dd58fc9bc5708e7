"""The service is killed, again and again, while customers write. CAC_KILLS says how often."""

import os
import random
import signal
import time
from contextlib import closing, contextmanager

import cac
import pytest
from conftest import answers, free_port, running, wait_for
from load import SETTINGS, assert_nothing_is_lost, load

pytestmark = pytest.mark.faults
KILLS = int(os.environ.get("CAC_KILLS", "8"))


@contextmanager
def a_life(database, port):
    """The service, with its workers in a group of processes that can be killed at once."""
    command = ["cac.py", "serve", "--port", port, "--workers", 2]
    settings = SETTINGS | {"base_url": f"http://127.0.0.1:{port}", "database": database}
    with running(*command, group=0, **settings) as process:
        yield process


def test_killed_at_any_moment_it_keeps_every_promise(database):
    chance, port = random.Random(2010), free_port()  # noqa: S311 - chance, not a secret
    with closing(cac.connect(database)) as db:
        db.execute("DELETE FROM setting WHERE name = 'demo'")  # the mark that serve refuses
    with load(f"http://127.0.0.1:{port}") as customers:
        for _ in range(KILLS):
            with a_life(database, port) as process:
                wait_for(lambda: answers(f"http://127.0.0.1:{port}/salud"))
                time.sleep(chance.uniform(0, 0.6))  # when it dies; nothing is waited for
                os.killpg(process.pid, signal.SIGKILL)
        with a_life(database, port):
            wait_for(lambda: {status for _, status in customers.answers[-1:]} & {200, 303})
    assert 0 in customers.statuses()
    assert {deed for deed, status in customers.answers if status} == {"data", "payment", "notice"}
    assert_nothing_is_lost(database, customers)
