"""What a page asks of the database: few questions, each answered by an index."""

import re

import cac
import pytest
from conftest import CAST

READ_WHOLE = {"setting", "brand", "bank_account",   # a few rows, all of which the page shows
              "news"}                               # of which an index gives the newest three


@pytest.fixture
def asked(app, visit):
    """asked("/cuenta"): the SQL that the page of Hugo, who has 400 movements, executes."""
    hugo, statements = visit("Hugo"), []
    with app.app_context():
        db = cac.get_db()

    def of(address):
        hugo.page(address)      # what is done once, at the first page, does not count
        db.set_trace_callback(statements.append)
        hugo.page(address)
        db.set_trace_callback(None)
        return statements
    return of


def tables_scanned(db, sql):
    """The tables of which a statement reads all rows."""
    plan = [step.detail for step in db.execute(f"EXPLAIN QUERY PLAN {sql}")]
    scanned = {step.split()[1] for step in plan if step.startswith("SCAN")}
    return scanned & {row.name for row in db.execute("SELECT name FROM sqlite_schema")}


@pytest.mark.parametrize("address", ["/", "/cuenta", "/cuenta?pagina=1", "/pago", "/servicios"])
def test_a_page_asks_twelve_times_at_most_and_scans_no_table(asked, db, address):
    statements = asked(address)
    assert 4 <= len(statements) <= 12
    questions = [sql for sql in statements if not re.match("BEGIN|COMMIT|PRAGMA", sql)]
    scanned = {table for sql in questions for table in tables_scanned(db, sql)}
    assert scanned <= READ_WHOLE


@pytest.fixture
def steps(db):
    """steps(sql, …): the instructions of SQLite's machine that a statement takes."""
    def counted(sql, *values):
        done = []
        db.set_progress_handler(lambda: done.append(1), 1)
        db.execute(sql, values).fetchall()
        db.set_progress_handler(None, 1)
        return len(done)
    return counted


@pytest.mark.parametrize("sql", [cac.LINES.replace("OFFSET ?", "OFFSET 0"), cac.NEWEST])
def test_a_page_of_a_long_history_takes_no_more_than_of_a_short_one(db, steps, sql):
    before = steps(sql, CAST["Hugo"], 20)
    db.execute("WITH n AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM n LIMIT 1000)"
               " INSERT INTO movement (customer, date, type, point_of_sale, number, amount)"
               " SELECT ?, '2009-01-01', 6, 9, n, 100 FROM n", [CAST["Hugo"]])
    assert steps(sql, CAST["Hugo"], 20) == before


def test_who_is_unknown_is_refused_with_as_much_work_as_anybody():
    assert not cac.HASHER.check_needs_rehash(cac.NOBODY)
