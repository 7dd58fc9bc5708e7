"""From an older version's database to the present one, by steps that are these tests' own."""

import os
import re
import signal
import subprocess
import sys
from contextlib import closing

import cac
import pytest
from conftest import ROOT, everything

STEPS = {2: ["ALTER TABLE news ADD COLUMN author TEXT", "UPDATE news SET author = 'CAC'"],
         3: ["DROP VIEW list_imports", "CREATE VIEW list_imports AS SELECT 'new' AS id"]}


@pytest.fixture
def newer(monkeypatch):
    """The program knows two versions more."""
    monkeypatch.setattr(cac, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(cac, "UPGRADES", STEPS)


def content_of(path):
    """All that a database holds."""
    with closing(cac.connect(path)) as db:
        return [*db.execute("PRAGMA user_version").fetchone(), *sorted(everything(db))]


def test_init_takes_all_steps_and_keeps_what_was_there(run, db, newer, database):
    before = content_of(database)
    kept = re.search(r"As it was: (\S+)\.\n", run("init").output)[1]
    assert content_of(kept) == before
    assert {row.author for row in db.execute("SELECT author FROM news")} == {"CAC"}
    assert "new" in run("list", "imports").output
    assert cac.known_version(db) == 3


def test_a_second_init_finds_nothing_to_do(run, newer):
    run("init")
    assert "As it was" not in run("init").output


def test_an_upgrade_is_refused_while_somebody_has_the_database_open(run, newer, database):
    script = ("import sys, cac; db = cac.connect(sys.argv[1])\n"
              "print(db.execute('SELECT 1').fetchall(), flush=True); input()")
    before = content_of(database)
    with subprocess.Popen([sys.executable, "-c", script, database], cwd=ROOT, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        result = run("init")
        other.communicate("\n")
    assert (result.exit_code, "in use: stop the service" in result.stderr) == (1, True)
    assert content_of(database) == before


def test_a_step_that_fails_changes_nothing(run, newer, database, monkeypatch):
    monkeypatch.setitem(cac.UPGRADES, 3, ["DELETE FROM service", "SELECT no FROM such_table"])
    result = run("init")
    assert (result.exit_code, "such_table" in result.stderr) == (1, True)
    with closing(cac.connect(database)) as db:
        assert db.execute("SELECT count(*) FROM service").fetchone()[0] > 0
        assert cac.known_version(db) == 2


def test_serve_and_check_ask_for_the_upgrade(run, newer):
    assert "python cac.py init" in run("serve").stderr
    assert "version 1, the program 3: run `init`" in run("check").output


def test_an_older_copy_is_restored_and_upgraded(run, newer, tmp_path):
    copy = run("backup", tmp_path / "copies").stdout.partition(": ")[0]
    assert "Now run `init`" in run("restore", copy).stdout
    assert "As it was: " in run("init").output
    assert run("check").exit_code == 0


@pytest.mark.parametrize("at", ["BEGIN", "ALTER TABLE", "UPDATE news", "PRAGMA user_version =",
                                "COMMIT"])
def test_killed_in_the_middle_it_is_the_old_one(run, database, newer, at):
    before = content_of(database)
    script = ("import os, cac, signal\nconnect = cac.connect\n"
              "def dying(path):\n    db = connect(path)\n    db.set_trace_callback(lambda sql: "
              f"sql.startswith({at!r}) and os.kill(os.getpid(), signal.SIGKILL))\n    return db\n"
              f"cac.SCHEMA_VERSION, cac.UPGRADES = 3, {STEPS}\n"
              "cac.connect = dying; cac.cli(['init'])")
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False,
                           env={**os.environ, "CAC_DATABASE": str(database)})
    assert ended.returncode == -signal.SIGKILL
    assert content_of(database) == before
    assert "As it was: " in run("init").output
