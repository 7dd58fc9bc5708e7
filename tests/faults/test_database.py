"""The database is locked, gone, another, damaged or read-only: at the start, and under way."""

import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import cac
import pytest
from conftest import PASSWORD, ROOT, running, serving
from load import SETTINGS, Customer, assert_nothing_is_lost, faults_of, load

pytestmark = pytest.mark.faults
HELD_SECONDS = 8            # longer than a write waits


@pytest.fixture
def clean(database):
    """A database that may be served."""
    with closing(cac.connect(database)) as db:
        db.execute("DELETE FROM setting WHERE name = 'demo'")  # the mark that serve refuses
    return database


def put(path, offset, content):
    """Write over a part of a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def set_version(path, version):
    with closing(cac.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {version}")


def take_away(path):
    """Nobody may write it, as its folder, or the whole disk, was made read-only."""
    path.chmod(0o444)
    path.parent.chmod(0o555)


AT_THE_START = [
    (lambda path: path.unlink(), "python cac.py init"),
    (lambda path: put(path, 0, random.Random(1).randbytes(64)), "not a database"),  # noqa: S311
    (lambda path: path.write_bytes(b""), "no CAC database"),
    (lambda path: put(path, 100, bytes(3000)), "malformed"),
    (lambda path: set_version(path, cac.SCHEMA_VERSION + 1), "use a newer program"),
    (take_away, "readonly database"),
]


@pytest.mark.parametrize(("damage", "told"), AT_THE_START, ids=[told for _, told in AT_THE_START])
def test_it_does_not_start_and_says_why(clean, damage, told):
    damage(clean)
    modest = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]
    command = [*(modest * (os.geteuid() == 0)), sys.executable, "cac.py", "serve", "--port", "1"]
    settings = SETTINGS | {"database": clean, "base_url": "http://127.0.0.1:1"}
    environment = {f"CAC_{name.upper()}": str(value) for name, value in settings.items()}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, text=True,
                          capture_output=True, check=False, timeout=20)
    clean.parent.chmod(0o755)
    assert done.returncode == 1
    assert told in done.stderr and str(clean) in done.stderr and "Traceback" not in done.stderr


def test_while_the_operator_holds_the_lock_pages_are_shown_and_writes_refused(database):
    with serving(database, **SETTINGS) as address, load(address) as customers, \
            closing(cac.connect(database)) as operator:
        ana = Customer(address)
        assert ana.sign_in("Ana")[0] == 303
        operator.execute("UPDATE session SET seen_at = ?", (cac.now(-600),))  # has to be renewed
        customers.go_on()
        operator.execute("BEGIN IMMEDIATE")
        deadline, shown = time.monotonic() + HELD_SECONDS, []
        while time.monotonic() < deadline:
            begun = time.monotonic()
            shown.append((ana.ask("/cuenta")[0], time.monotonic() - begun))
        operator.execute("ROLLBACK")
        customers.go_on()
    assert {status for status, _ in shown} == {200}
    assert sorted(seconds for _, seconds in shown)[len(shown) // 2] < cac.PATIENCE_SECONDS / 2
    assert customers.refusals
    assert_nothing_is_lost(database, customers)


def test_a_crowd_that_writes_to_a_locked_database_is_refused_in_time_and_pages_go_on(database):
    with serving(database, **SETTINGS) as address, ThreadPoolExecutor(50) as crowd, \
            closing(cac.connect(database)) as operator:
        ana = Customer(address)
        assert ana.sign_in("Ana")[0] == 303
        operator.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        sent = [crowd.submit(Customer(address).send, "/olvido", usuario="1002") for _ in range(50)]
        while not all(one.done() for one in sent):
            assert ana.ask("/cuenta")[0] == 200
        seconds = time.monotonic() - begun
        operator.execute("ROLLBACK")
    assert {one.result()[0] for one in sent} == {503}
    assert seconds < 4 * cac.PATIENCE_SECONDS


TOOLS = [["vacuum"], ["analyze"], ["create-index", "phone", "number"],
         ["transform", "phone", "--default", "number", "0"], ["enable-wal"]]


@pytest.mark.parametrize("words", TOOLS, ids=lambda words: words[0])
def test_an_operator_may_tidy_up_while_customers_write(database, words):
    command, *more = words
    with serving(database, **SETTINGS) as address, load(address) as customers:
        customers.go_on()
        with running("-m", "sqlite_utils", command, database, *more) as tool:
            told = tool.communicate(timeout=60)[0]
        customers.go_on()
    assert tool.returncode == 0 or "locked" in told
    assert_nothing_is_lost(database, customers)


def test_every_connection_waits_keeps_what_is_committed_and_knows_what_refers_to_what(db):
    told = {name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in
            ("busy_timeout", "journal_mode", "synchronous", "foreign_keys")}
    assert told == {"busy_timeout": 5000, "journal_mode": "wal", "synchronous": 2,
                    "foreign_keys": 1}


@pytest.mark.parametrize("deed", [
    lambda ana: ana.send("/datos", contacto="Otro"),
    lambda ana: ana.send("/pago", concepto="saldo", medio="dineromail"),
    lambda ana: ana.send("/clave", clave_actual=PASSWORD, clave_nueva="caballo azul 77"),
    lambda ana: ana.post("/aviso/dineromail", data="Notificacion=x"),
    lambda ana: ana.send("/salir", "/")])
def test_all_that_is_written_is_between_begin_immediate_and_commit(app, visit, deed):
    ana, asked = visit("Ana"), []
    with app.app_context():
        cac.get_db().set_trace_callback(asked.append)
    deed(ana)
    words = [sql.split()[0] for sql in asked if not sql.startswith("BEGIN D")]
    steps = [word for word in words if word not in ("SELECT", "WITH", "PRAGMA")]
    assert "INSERT" in steps
    assert all(later == "BEGIN" for word, later in pairwise(steps) if word == "COMMIT"), steps


@pytest.fixture
def ana(database):
    """Ana's browser on the real server, signed in."""
    with serving(database, **SETTINGS) as address:
        ana = Customer(address)
        assert ana.sign_in("Ana")[0] == 303
        yield ana


def whole_copy(database, target):
    """A copy of a database in use, in one file."""
    with closing(cac.connect(database)) as db:
        db.execute("VACUUM INTO ?", [str(target)])
    return target


def test_a_database_that_is_gone_is_503_until_it_is_back(ana, database, tmp_path):
    copy = whole_copy(database, tmp_path / "copy.db")
    for file in tmp_path.glob("cac.db*"):
        file.unlink()
    for answer in (ana.ask("/cuenta"), ana.ask("/salud"), ana.ask("/aviso/dineromail", x="y")):
        assert answer[0] == 503
    assert not list(tmp_path.glob("cac.db*"))
    copy.rename(database)
    assert ana.ask("/cuenta")[0] == ana.ask("/salud")[0] == 200


def test_who_puts_another_database_in_its_place_sees_it_at_once(ana, database, tmp_path):
    copy = whole_copy(database, tmp_path / "copy.db")
    with closing(cac.connect(copy)) as db:
        db.execute("UPDATE customer SET name = 'Ana Segunda' WHERE number = 1001")
    for file in (f"{database}-wal", f"{database}-shm"):
        Path(file).unlink()
    copy.rename(database)
    assert all("Ana Segunda" in ana.ask("/")[2] for _ in range(8))


def test_a_damaged_database_is_503_and_check_tells(ana, database):
    with closing(cac.connect(database)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = db.execute("PRAGMA page_count").fetchone()[0] * 4096
    put(database, 4096 * 3, random.Random(2).randbytes(size - 4096 * 3))  # noqa: S311
    asked = [ana.ask(page) for page in ("/", "/cuenta", "/cuenta.pdf", "/pago", "/ingresar")]
    assert {status for status, *_ in asked} <= {200, 503}
    assert ana.send("/datos", contacto="Nadie")[0] == 503
    assert faults_of(database)
