"""What keeps the service running: check, /salud, serve and its workers."""

import http.client
import os
import shutil
import signal
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlencode

import cac
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT, SECRET_KEY, answers, free_port, running, wait_for

# --- /salud ---------------------------------------------------------------------------------------

def test_health_tells_when_the_jobs_give_no_sign_of_life(app, db, browser, wait):
    """They write one into the database: without it, that cannot be written, or nobody does them."""
    app.extensions["cac.jobs"] = cac.now()
    assert browser.get("/salud").get_json() == {"status": "ok"}
    wait(minutes=2)
    answer = browser.get("/salud")
    assert (answer.status_code, answer.get_json()) == (503, {"status": "jobs are late"})
    with app.app_context():
        cac.beat()
    assert browser.get("/salud").status_code == 200


def test_health_of_a_damaged_database_is_503(browser, database):
    database.write_bytes(b"no database" * 500)
    assert browser.get("/salud").status_code == 503


# --- serve and its workers ------------------------------------------------------------------------

class Service:
    """A running `serve`: its process, its workers, where it answers."""

    def __init__(self, process, address):
        self.process, self.address = process, address

    def workers(self):
        """The process ids of its workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(child) for child in children.split()]

    def replaced(self, before):
        """Whether none of those workers is left, and two others are there."""
        return len(self.workers()) == 2 and not set(before) & set(self.workers())


def listeners(port):
    """How many sockets wait for connections to this port: each worker has its own."""
    lines = Path("/proc/net/tcp").read_text().splitlines()
    return sum(f":{port:04X} 00000000:0000 0A" in line for line in lines)


@pytest.fixture
def product(tmp_path):
    """The product, copied: a test may change it as an upgrade does."""
    folder = tmp_path / "product"
    folder.mkdir()
    for name in ("templates", "static"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("cac.py", "schema.sql"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture
def service(database, product):
    """service(…): runs the copied product on the seeded database."""
    @contextmanager
    def served(**settings):
        with closing(cac.connect(database)) as db:
            db.execute("DELETE FROM setting WHERE name = 'demo'")
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        settings = {"database": database, "secret_key": SECRET_KEY, "base_url": address} | settings
        command = product / "cac.py", "serve", "--port", port, "--workers", 2
        with running(*command, **{k: v for k, v in settings.items() if v}) as process:
            wait_for(lambda: listeners(port) == 2)  # a worker that still starts misses a SIGTERM
            yield Service(process, address)
    return served


def test_killed_workers_are_replaced_and_the_jobs_go_on(service, database):
    with service() as running, closing(cac.connect(database)) as db:
        wait_for(lambda: db.execute("SELECT value FROM setting WHERE name = 'jobs_at'"
                                    ).fetchone().value)
        before = running.workers()
        for worker in before:
            os.kill(worker, signal.SIGKILL)
        wait_for(lambda: running.replaced(before))
        wait_for(lambda: answers(f"{running.address}/salud"))
        with cac.transaction(db):
            cac.enqueue(db, "password_changed", ["ana@example.com"], 1001)
        wait_for(lambda: db.execute(    # there is no SMTP server: the job says so
            "SELECT 1 FROM outbox WHERE error LIKE '%CAC_SMTP_URL is not set%'").fetchall())


def test_a_stopped_service_ends_what_it_has_begun(service, database):
    """A form of which the second half comes after the service was told to stop is answered."""
    with service() as running, closing(cac.connect(database)) as db:
        browser = urllib.request.build_opener(jar := urllib.request.HTTPCookieProcessor())
        page = BeautifulSoup(browser.open(f"{running.address}/olvido").read(), "html.parser")
        token = page.find(attrs={"name": "csrf_token"})["value"]
        form = urlencode({"usuario": 1001, "csrf_token": token})
        connection = http.client.HTTPConnection(running.address.partition("//")[2], timeout=20)
        connection.putrequest("POST", "/olvido")
        for name, value in (("Content-Type", "application/x-www-form-urlencoded"),
                            ("Content-Length", len(form)), ("Expect", "100-continue"),
                            ("Cookie", "; ".join(f"{c.name}={c.value}" for c in jar.cookiejar))):
            connection.putheader(name, value)
        connection.endheaders()
        assert b"100 Continue" in connection.sock.recv(100)     # it is under way
        running.process.terminate()
        wait_for(lambda: not answers(f"{running.address}/salud"))
        connection.send(form.encode())
        with closing(connection), connection.getresponse() as answer:
            assert answer.status == 200
        assert running.process.wait(30) == 0
        assert db.execute("SELECT 1 FROM forgotten UNION ALL SELECT 1 FROM outbox").fetchall()
