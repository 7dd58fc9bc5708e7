"""What keeps the service running: check, /salud, serve and its workers."""

import json
from pathlib import Path

import cac
import pytest


# --- check ----------------------------------------------------------------------------------------

@pytest.mark.parametrize(("sql", "line"), [
    ("DROP VIEW statement_line;"                        # as a faulty program would have it
     "CREATE VIEW statement_line AS SELECT *, amount AS balance FROM movement",
     "BAD   customers whose statement does not end at their balance: 10"),
    ("INSERT INTO movement (customer, date, type, point_of_sale, number, amount)"
     " SELECT 1002, date, type, point_of_sale, number, 0 FROM movement WHERE customer = 1001",
     "WARN  invoices that two customers have: 5"),
    ("INSERT INTO lease VALUES ('mail', 'x', '2020-01-01T00:00:00Z')",
     "WARN  chores not done for an hour, as when the service does not run: 1"),
    ("INSERT INTO event (at, customer, kind, actor) VALUES ('2099-01-01T00:00:00Z', 1001, 'x',"
     " 'service')", "WARN  the clock is behind what was last recorded: 1"),
    ("INSERT INTO setting VALUES ('last_backup', 'mark', '2020-01-01T00:00:00Z', '')",
     "WARN  no backup for two days (last: 2020-01-01T00:00:00Z): 1"),
    ("INSERT INTO import (at, kind, file, digest, balance_before, balance_after) VALUES"
     " ('2020-01-01T00:00:00Z', 'movements', 'm.csv', '', 0, 0)",
     "WARN  no import for a week (last: 2020-01-01T00:00:00Z): 1"),
    ("PRAGMA user_version = 99", "BAD   database: The database has version 99")], ids=range(7))
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
    for mode, level in ((0o644, "WARN  "), (0o640, "ok    ")):
        for file in (config, database):
            file.chmod(mode)
            assert f"{level}{file} may be read by others: " in run("check").stdout


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


@pytest.mark.parametrize(("version", "level"), [
    ((3, 40, 1), "WARN"), ((3, 44, 5), "WARN"), ((3, 44, 6), "ok"), ((3, 50, 6), "WARN"),
    ((3, 50, 7), "ok"), ((3, 51, 2), "WARN"), ((3, 51, 3), "ok"), ((3, 52, 0), "ok")])
def test_check_knows_which_sqlite_may_lose_a_write(run, monkeypatch, version, level):
    monkeypatch.setattr(cac.sqlite3, "sqlite_version_info", version)
    assert f"{level:4}  SQLite " in run("check").stdout


# --- /salud ---------------------------------------------------------------------------------------

def test_health_tells_when_the_database_cannot_be_written(app, db, browser, wait):
    """The chores renew their leases in it: that they are late shows it, without a write."""
    app.extensions["cac.chores_since"] = cac.now()
    db.execute("INSERT INTO lease VALUES ('mail', 'x', ?)", (cac.now(15),))
    assert browser.get("/salud").status_code == 200
    wait(minutes=2)
    answer = browser.get("/salud")
    assert (answer.status_code, answer.get_json()) == (503, {"status": "chores are late"})


def test_health_of_a_service_that_just_started_is_good(app, db, browser):
    app.extensions["cac.chores_since"] = cac.now()
    db.execute("INSERT INTO lease VALUES ('mail', 'x', '2020-01-01T00:00:00Z')")
    assert browser.get("/salud").get_json() == {"status": "ok"}


def test_health_of_a_damaged_database_is_503(browser, database):
    database.write_bytes(b"no database" * 500)
    assert browser.get("/salud").status_code == 503
