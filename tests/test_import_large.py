"""A large import while customers look on: how long, how much memory, and whether anybody notices.

CAC_MOVEMENTS says how many movements, 5,000 unless told; a hundred of each customer. By hand:

    CAC_MOVEMENTS=200000 .venv/bin/python -m pytest -s tests/test_import_large.py
"""

import http.cookiejar
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from urllib.parse import urlencode

import cac
import openpyxl
import pytest
from bs4 import BeautifulSoup
from conftest import CAST, PASSWORD, ROOT, everything, running, serving

MOVEMENTS = int(os.environ.get("CAC_MOVEMENTS", "5000"))
READERS = 20
MEGABYTES, WORKBOOK_MEGABYTES = 300, 400    # the most that the import may take
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
    """(exit code, output, seconds, most megabytes) of the import in a process of its own.

    The system's own figure would count what this process had when it made the other.
    """
    begun, most = time.monotonic(), 0
    command = [sys.executable, "cac.py", "import", "movements", str(file)]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env={"CAC_DATABASE": str(database)}) as process:
        while process.poll() is None:
            most = max(most, megabytes_of(process.pid))
            time.sleep(0.02)
        output = process.stdout.read()
    return process.returncode, output, time.monotonic() - begun, most


def megabytes_of(process):
    """The most memory that a process has had so far; 0 if it has ended."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) // 1024 if found else 0


class Reader(threading.Thread):
    """A customer who reads the statement again and again."""

    def __init__(self, address, who):
        """Sign in first."""
        super().__init__(daemon=True)
        self.address, self.cookies = address, http.cookiejar.CookieJar()
        handler = urllib.request.HTTPCookieProcessor(self.cookies)
        self.opener = urllib.request.build_opener(handler)
        self.who, self.times, self.errors, self.enough = who, [], [], threading.Event()
        self.sign_in()

    def sign_in(self):
        """Open a session; the page that it leads to."""
        page = BeautifulSoup(self.open("/ingresar?next=/cuenta"), "html.parser")
        token = page.find(attrs={"name": "csrf_token"})["value"]
        return self.open("/ingresar?next=/cuenta", usuario=CAST[self.who], clave=PASSWORD,
                         csrf_token=token)

    def open(self, path, **fields):
        """A page's text; a form is sent if there are fields."""
        data = urlencode(fields).encode() if fields else None
        with self.opener.open(self.address + path, data, timeout=20) as answer:
            return answer.read().decode()

    def once(self):
        """What is done again and again."""
        return self.open("/cuenta")

    def run(self):
        """Do it until it is enough; nothing but the statement counts as read."""
        while not self.enough.wait(0.05):
            begun = time.monotonic()
            try:
                if "<title>Mi cuenta corriente" not in (page := self.once()):
                    self.errors.append(page[:500])
            except OSError as error:
                self.errors.append(repr(error))
            self.times.append(time.monotonic() - begun)


class Visitor(Reader):
    """A customer who comes again and again: each time a session is written."""

    def once(self):
        """Come without a cookie."""
        self.cookies.clear()
        return self.sign_in()


@contextmanager
def crowded(address):
    """Twenty readers, and one who comes again and again, all the time."""
    people = ["Ana", "Beto", "Caro", "Dante", "Elena", "Fabián", "Hugo", "Inés"]
    readers = [Reader(address, people[n % len(people)]) for n in range(READERS)]
    visitor = Visitor(address, "Julián")
    for reader in (*readers, visitor):
        reader.start()
    yield readers, visitor
    for reader in (*readers, visitor):
        reader.enough.set()
    for reader in (*readers, visitor):
        reader.join()


def slowest(readers):
    """How long the slowest page took, of how many."""
    times = [seconds for reader in readers for seconds in reader.times]
    return f"{max(times):.2f} s of {len(times)}"


def test_customers_notice_nothing_of_an_import(crowd, file):
    with serving(crowd) as address, crowded(address) as (readers, visitor):
        first = run_import(crowd, file)
        changed = file.read_text(encoding="cp1252").replace("internet", "Internet")
        file.write_text(changed.replace("Transf", "transf"), encoding="cp1252", newline="")
        second = run_import(crowd, file)
    for code, output, seconds, megabytes in (first, second):
        print(f"{MOVEMENTS} movements: {seconds:.1f} s, {megabytes} MB")
        assert code == 0, output
        assert megabytes < MEGABYTES
    print(f"slowest statement {slowest(readers)}, slowest to sign in {slowest([visitor])}")
    assert f"{MOVEMENTS} new, 0 changed" in first[1]
    assert f"0 new, {MOVEMENTS} changed" in second[1]
    assert [error for reader in (*readers, visitor) for error in reader.errors] == []


def test_a_workbook_takes_little_more(crowd, tmp_path):
    path, book = tmp_path / "movements.xlsx", openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(HEADER.strip().split(";"))
    for customer, day, *cells, amount, _, _, _ in (line.strip().split(";") for line in lines()):
        sheet.append([int(customer), date(*map(int, day.split("/")[::-1])), *cells,
                      float(amount.replace(",", "."))])
    book.save(path)
    code, output, seconds, megabytes = run_import(crowd, path)
    print(f"{MOVEMENTS} movements as a workbook: {seconds:.1f} s, {megabytes} MB")
    assert code == 0 and f"{MOVEMENTS} new" in output, output
    assert megabytes < WORKBOOK_MEGABYTES


@contextmanager
def busy_with(database, fifo):
    """An import that waits for the rest of its file, which is written at the end; what it says."""
    os.mkfifo(fifo)
    said = []
    with running("cac.py", "import", "movements", fifo, database=database) as process:
        with fifo.open("w") as file:
            yield said
            file.write(HEADER)
        said += process.stdout.readlines()


def test_a_file_that_is_still_being_written_is_refused(database, tmp_path):
    with busy_with(database, tmp_path / "fifo.csv") as said:
        pass
    assert "changed while it was read" in "".join(said)


def test_one_import_at_a_time(database, tmp_path, file):
    with busy_with(database, tmp_path / "fifo.csv"):
        code, output, *_ = run_import(database, file)
    assert code == 1
    assert "Another import is running" in output


def test_whoever_is_killed_leaves_nothing_behind(crowd, file):
    with closing(cac.connect(crowd)) as db:
        before = everything(db)
        for seconds in (0.5, 0.8, 1.1, 1.4):
            with running("cac.py", "import", "movements", file, database=crowd) as process:
                time.sleep(seconds)
                process.kill()
            n = db.execute("SELECT count(*) AS n FROM movement").fetchone().n
            assert everything(db) == before or n > MOVEMENTS
            assert db.execute("PRAGMA integrity_check").fetchone().integrity_check == "ok"
        code, output, *_ = run_import(crowd, file)
        assert code == 0, output
        assert db.execute("SELECT count(*) AS n FROM movement").fetchone().n > MOVEMENTS


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
