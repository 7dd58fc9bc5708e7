"""What keeps the service running: check, /salud, serve and its workers."""

import http.client
import json
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


# --- check ----------------------------------------------------------------------------------------

@pytest.mark.parametrize(("sql", "line"), [
    ("INSERT INTO movement (customer, date, type, point_of_sale, number, amount)"
     " SELECT 1002, date, type, point_of_sale, number, 0 FROM movement WHERE customer = 1001",
     "WARN  invoices that two customers have: 5"),
    ("UPDATE setting SET value = '2020-01-01T00:00:00Z' WHERE name = 'jobs_at'",
     "WARN  jobs not done for an hour, as when the service does not run: 1"),
    ("INSERT INTO event (at, customer, kind, actor) VALUES ('2099-01-01T00:00:00Z', 1001, 'x',"
     " 'service')", "WARN  the clock is behind what was last recorded: 1"),
    ("INSERT INTO setting VALUES ('last_backup', 'mark', '2020-01-01T00:00:00Z', '')",
     "WARN  no backup for two days (last: 2020-01-01T00:00:00Z): 1"),
    ("INSERT INTO import (at, kind, file, digest, balance_before, balance_after) VALUES"
     " ('2020-01-01T00:00:00Z', 'movements', 'm.csv', '', 0, 0)",
     "WARN  no import for a week (last: 2020-01-01T00:00:00Z): 1"),
    ("PRAGMA user_version = 99", "BAD   database: The database has version 99")], ids=range(6))
def test_check_finds_what_the_database_tells(run, db, sql, line):
    assert line not in run("check").stdout
    db.executescript(sql)
    assert line in run("check").stdout


def test_check_knows_the_demos_password(run):
    assert "WARN  customers with the demo's password: 12" in run("check").stdout


def test_check_warns_of_files_that_others_may_read(run, database, tmp_path, monkeypatch):
    config = tmp_path / "cac.toml"
    config.touch()
    monkeypatch.setenv("CAC_CONFIG", str(config))
    for mode, level, told in ((0o644, "WARN  ", "yes"), (0o640, "ok    ", "no")):
        for file in (config, database):
            file.chmod(mode)
            assert f"{level}{file} may be read by others: {told}\n" in run("check").stdout


def test_check_warns_of_documents_that_nobody_refers_to(app, run):
    Path(app.config["DOCUMENTS"], "lost.pdf").touch()
    assert f"WARN  documents of no voucher in {app.config['DOCUMENTS']}: 1" in run("check").stdout


def test_check_is_content_after_a_backup(run, tmp_path):
    assert "WARN  no backup for two days (last: never): 1" in run("check").stdout
    run("backup", tmp_path / "copies")
    assert "ok    no backup for two days (last: 20" in run("check").stdout


@pytest.mark.parametrize("damage", [
    lambda file: file.write_bytes(b"no database" * 500),
    lambda file: file.write_bytes(file.read_bytes()[:50000]), lambda file: file.unlink()],
    ids=["not a database", "half of it", "gone"])
def test_check_of_a_broken_database_says_what_it_can(run, database, damage):
    damage(database)
    found = run("check", "--json")
    assert found.exit_code == 1
    lines = [(line["level"], line["what"]) for line in json.loads(found.stdout)]
    assert [what for level, what in lines if level == "BAD" and what.startswith("database: ")]
    assert any(what.startswith("free megabytes") for _, what in lines)


@pytest.mark.parametrize(("limit", "reached", "line"), [
    ("FREE_MEGABYTES", 10**9, "WARN  free megabytes on the database's disk: "),
    ("WAL_MEGABYTES", 0, "WARN  megabytes in cac.db-wal: ")])
def test_check_warns_of_little_space_and_a_large_wal(run, monkeypatch, limit, reached, line):
    assert line not in run("check").stdout
    monkeypatch.setattr(cac, limit, reached)
    assert line in run("check").stdout


@pytest.mark.parametrize(("version", "level"), [
    ((3, 40, 1), "WARN"), ((3, 44, 5), "WARN"), ((3, 44, 6), "ok"), ((3, 50, 6), "WARN"),
    ((3, 50, 7), "ok"), ((3, 51, 2), "WARN"), ((3, 51, 3), "ok"), ((3, 52, 0), "ok")])
def test_check_knows_which_sqlite_may_lose_a_write(run, monkeypatch, version, level):
    monkeypatch.setattr(cac.sqlite3, "sqlite_version_info", version)
    assert f"{level:4}  SQLite " in run("check").stdout


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
        wait_for(lambda: db.execute("SELECT * FROM outbox WHERE tries > 0").fetchall())
        assert [mail.tries for mail in db.execute("SELECT tries FROM outbox")] == [1]


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
