"""Datasette over the same file: the operator's lists, and nothing that opens an account."""

import json
import urllib.error
import urllib.request

import pytest
from conftest import ROOT, answers, everything, free_port, running, wait_for


@pytest.fixture
def datasette(database):
    """ask(path): the status, and what it says; it reads the test's database."""
    port = free_port()
    metadata = ROOT / ".datasette.yaml"
    with running("-m", "datasette", database, "--metadata", metadata, "--port", port):
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/-/versions.json"), 60)

        def ask(path):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()
        yield ask


def test_the_operators_lists_are_shown_and_secrets_are_not(datasette, database, db):
    before = everything(db)
    shown = {one["name"] for kind in ("tables", "views")
             for one in json.loads(datasette("/cac.json")[1])[kind]}
    lists = {row.name for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'view'"
                                            " AND name LIKE 'list%'")}
    assert lists and lists <= shown
    for table in ("customer", "session", "outbox", "notice", "import_change"):
        assert datasette(f"/cac/{table}.json")[0] == 403 and table not in shown
    assert datasette("/cac.json?sql=select+password+from+customer")[0] == 403
    pages = [datasette(f"/cac/{name}.json?_size=max")[1] for name in sorted(shown)]
    assert "Ana Sosa" in "".join(pages) and "argon2" not in "".join(pages)
    assert everything(db) == before


def test_each_table_that_is_hidden_is_one_of_the_schema(db):
    hidden = [line.split(":")[0].strip() for line in (ROOT / ".datasette.yaml").read_text(
        encoding="utf-8").splitlines() if "{" in line]
    names = {row.name for row in db.execute("SELECT name FROM sqlite_schema")}
    assert len(hidden) > 10 and set(hidden) <= names
