"""Copies and imports while customers write; imports are killed, CAC_KILLS times."""

import os
import random
import signal
import subprocess
from contextlib import closing

import cac
import pytest
from conftest import CAST, running, serving
from load import SETTINGS, assert_nothing_is_lost, faults_of, load

pytestmark = pytest.mark.faults
KILLS = int(os.environ.get("CAC_KILLS", "4"))
LINES = 20_000


def test_a_copy_made_while_customers_write_holds_all_that_was_promised_before(database, tmp_path):
    with serving(database, **SETTINGS) as address, load(address) as customers:
        customers.go_on()
        promised = list(customers.promises)
        with running("cac.py", "backup", tmp_path / "copies", database=database) as backup:
            assert not backup.wait(60), backup.stdout.read()
        customers.go_on()
    assert_nothing_is_lost(database, customers)
    copy, restored = next((tmp_path / "copies").glob("*.db")), tmp_path / "restored" / "cac.db"
    restored.parent.mkdir()
    with running("cac.py", "restore", copy, database=restored) as restore:
        assert not restore.wait(60), restore.stdout.read()
    customers.promises = promised
    assert promised and customers.broken(restored) == []
    assert faults_of(restored) == []


def imported(database):
    """How many lines of the file are in the ledger."""
    with closing(cac.connect(database)) as db:
        return db.execute("SELECT count(*) AS n FROM movement WHERE detail = 'Abono'").fetchone().n


def test_killed_imports_leave_nothing_behind_and_customers_go_on(database, tmp_path):
    file, chance = tmp_path / "movements.csv", random.Random(2010)  # noqa: S311
    file.write_text("usuario;fecha;tipo;punto_venta;numero;detalle;importe\n" + "".join(
        f"{CAST['Karina']};30/10/2026;6;3;{n};Abono;1234,50\n" for n in range(LINES)))
    command = ["cac.py", "import", "movements", file, "--partial", "--force"]
    with serving(database, **SETTINGS) as address, load(address) as customers:
        for _ in range(KILLS):
            with running(*command, group=0, database=database) as process:
                try:
                    process.wait(chance.uniform(0.5, 5))    # when it dies
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
            assert imported(database) in (0, LINES)
        customers.go_on()
        with running(*command, database=database) as process:
            assert not process.wait(60), process.stdout.read()
        assert imported(database) == LINES
        customers.go_on()
    assert_nothing_is_lost(database, customers)
