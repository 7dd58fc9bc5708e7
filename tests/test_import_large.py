"""A large import while customers look on: how long, how much memory, and whether anybody notices.

CAC_MOVEMENTS says how many movements, 5,000 unless told; a hundred of each customer. By hand:

    CAC_MOVEMENTS=200000 .venv/bin/python -m pytest -s tests/test_import_large.py
"""

import http.cookiejar
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing
from urllib.parse import urlencode

import cac
import pytest
from bs4 import BeautifulSoup
from conftest import CAST, PASSWORD, ROOT, everything, serving

MOVEMENTS = int(os.environ.get("CAC_MOVEMENTS", "5000"))
READERS = 20
MEGABYTES = 300         # the most that the import may take
HEADER = "usuario;fecha;tipo;punto_venta;numero;detalle;importe;vencimiento;cae;vencimiento_cae\r\n"


def lines():
    """The file's lines: each customer gets invoices and pays them, a month after the other."""
    for n in range(MOVEMENTS):
        customer, turn = 500000 + n // 100, n % 100
        amount = f"{1000 + customer % 7 + turn // 2},{turn // 2:02}"
        date = f"{1 + n % 28:02}/{1 + turn % 12:02}/{2010 + turn // 12}"
        if turn % 2:
            yield f"{customer};{date};9;1;{n};Transferencia bancaria;-{amount};;;\r\n"
        else:
            yield f"{customer};{date};6;3;{n};Abono mensual de internet;{amount};;;\r\n"


@pytest.fixture
def crowd(database):
    """The seeded database with the customers of the file."""
    with closing(cac.connect(database)) as db:
        db.executemany("INSERT INTO customer (number, name) VALUES (?, 'Cliente')",
                       [(500000 + n,) for n in range(MOVEMENTS // 100)])
    return database


@pytest.fixture
def file(tmp_path):
    """The large file."""
    path = tmp_path / "movements.csv"
    path.write_text(HEADER + "".join(lines()), encoding="cp1252", newline="")
    return path


def run_import(database, file):
    """(exit code, output, seconds, most megabytes) of the import in a process of its own."""
    begun = time.monotonic()
    command = [sys.executable, "cac.py", "import", "movements", str(file)]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env={"CAC_DATABASE": str(database)}) as process:
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, output, time.monotonic() - begun, usage.ru_maxrss // 1024


class Reader(threading.Thread):
    """A customer who reads the statement again and again."""

    def __init__(self, address, who):
        """Sign in first."""
        super().__init__(daemon=True)
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.address, self.opener = address, urllib.request.build_opener(cookies)
        self.times, self.errors, self.enough = [], [], threading.Event()
        page = BeautifulSoup(self.open("/ingresar"), "html.parser")
        token = page.find(attrs={"name": "csrf_token"})["value"]
        self.open("/ingresar", usuario=CAST[who], clave=PASSWORD, csrf_token=token)

    def open(self, path, **fields):
        """A page's text; a form is sent if there are fields."""
        data = urlencode(fields).encode() if fields else None
        with self.opener.open(self.address + path, data, timeout=20) as answer:
            return answer.read().decode()

    def run(self):
        """Read until it is enough; nothing but the statement counts as read."""
        while not self.enough.wait(0.05):
            begun = time.monotonic()
            try:
                if "<h1>Cuenta corriente" not in (page := self.open("/cuenta")):
                    self.errors.append(page[:500])
            except OSError as error:
                self.errors.append(repr(error))
            self.times.append(time.monotonic() - begun)


def test_customers_go_on_reading_while_the_operator_imports(crowd, file):
    with serving(crowd) as address:
        people = ["Ana", "Beto", "Caro", "Dante", "Elena", "Fabián", "Hugo", "Inés"]
        readers = [Reader(address, people[n % len(people)]) for n in range(READERS)]
        for reader in readers:
            reader.start()
        code, output, seconds, megabytes = run_import(crowd, file)
        for reader in readers:
            reader.enough.set()
        for reader in readers:
            reader.join()
    times = sorted(time for reader in readers for time in reader.times)
    print(f"\n{MOVEMENTS} movements: {seconds:.1f} s, {megabytes} MB; {len(times)} pages read"
          f" meanwhile, median {times[len(times) // 2]:.3f} s, slowest {times[-1]:.3f} s")
    assert code == 0, output
    assert f"{MOVEMENTS} new" in output
    assert [error for reader in readers for error in reader.errors] == []
    assert megabytes < MEGABYTES


def test_a_wrong_line_near_the_end_changes_nothing(crowd, file):
    content = file.read_text(encoding="cp1252").splitlines(keepends=True)
    content[-2] = content[-2].replace(";Abono mensual", ";;Abono mensual")
    file.write_text("".join(content), encoding="cp1252", newline="")
    with closing(cac.connect(crowd)) as db:
        before = everything(db)
        code, output, *_ = run_import(crowd, file)
        assert code == 1
        assert f"movements.csv, line {MOVEMENTS}:" in output
        assert everything(db) == before
