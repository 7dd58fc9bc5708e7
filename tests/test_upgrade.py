"""From an older version's database to the present one; tests/schema_1.sql is version 1's schema."""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import closing

import cac
import pytest
from conftest import HERE, ROOT, everything

CUSTOMER = ("INSERT INTO customer (number, name) VALUES (7, 'Zoe');"
            "INSERT INTO movement (customer, date, type, point_of_sale, number, amount)"
            " VALUES (7, '2010-04-01', 6, 3, 1, 12550);"
            "UPDATE setting SET value = '777700' WHERE name = 'dm_limit'")


@pytest.fixture(scope="session")
def version_1(tmp_path_factory):
    """A database of version 1, with a customer and a changed setting."""
    path = tmp_path_factory.mktemp("old") / "cac.db"
    with closing(cac.connect(path)) as db:
        db.executescript((HERE / "schema_1.sql").read_text(encoding="utf-8") + CUSTOMER)
    return path


@pytest.fixture
def database(version_1, tmp_path):
    """A copy of it: here all of conftest's fixtures work on the older database."""
    return shutil.copy(version_1, tmp_path / "cac.db")


def parts(sql):
    """A definition without comments and spaces; its parts in any order, for ALTER TABLE appends."""
    bare = re.sub(r"\s+\)", ")", re.sub(r"--[^\n]*|\s+", " ", sql))
    split = re.split(r",(?![^()]*\))|[()]\s*$|^[^(]*\(", bare)
    return sorted(" ".join(part.split()) for part in split)


def shape(db):
    """All tables, views, indexes and triggers, however their definitions are written."""
    found = db.execute("SELECT name, sql FROM sqlite_schema WHERE sql > ''").fetchall()
    return {row[0]: parts(row[1]) for row in found}


def test_an_upgraded_database_is_like_a_new_one(run, db, tmp_path):
    assert "As it was: " in run("init").output
    cac.make_database(tmp_path / "new.db", "schema.sql")
    with closing(cac.connect(tmp_path / "new.db")) as new:
        assert shape(db) == shape(new)
        names = "SELECT name, kind, about FROM setting ORDER BY name"
        assert db.execute(names).fetchall() == new.execute(names).fetchall()
        words = "SELECT * FROM common_password"
        assert db.execute(words).fetchall() == new.execute(words).fetchall()
        assert cac.known_version(db) == cac.known_version(new) == cac.SCHEMA_VERSION


def test_an_upgrade_keeps_what_is_there(run, db):
    run("init")
    assert "balance: $\xa0125,50, DineroMail limit: $\xa07.777,00" in run("customer", 7).output
    assert run("check").exit_code == 0


def test_a_second_upgrade_finds_nothing_to_do(run):
    run("init")
    assert "As it was" not in run("init").output


def test_serve_asks_for_the_upgrade(run):
    assert "python cac.py init" in run("serve").stderr


@pytest.mark.parametrize("at", ["BEGIN", "DROP VIEW check_line", "CREATE TABLE import_change",
                                "INSERT INTO setting", "PRAGMA user_version =", "COMMIT"])
def test_killed_in_the_middle_it_is_the_old_one(database, run, at):
    before = snapshot(database)
    script = ("import os, cac, signal\nconnect = cac.connect\n"
              "def dying(path):\n    db = connect(path)\n    db.set_trace_callback(lambda sql: "
              f"sql.startswith({at!r}) and os.kill(os.getpid(), signal.SIGKILL))\n    return db\n"
              "cac.connect = dying; cac.cli(['init'])")
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False,
                           env={**os.environ, "CAC_DATABASE": str(database)})
    assert ended.returncode == -signal.SIGKILL
    assert snapshot(database) == before
    assert "As it was: " in run("init").output


def snapshot(path):
    """All that a database holds."""
    with closing(cac.connect(path)) as db:
        return everything(db)


def test_a_command_that_needs_the_new_database_says_how_to_get_it(run):
    answer = run("imports")
    assert answer.exit_code == 1
    assert "It has version 1: run `init`. Nothing was changed." in answer.output
