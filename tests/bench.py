"""How fast CAC is: each page beside a bare Flask "hello" on the same server, in one run.

    python tests/bench.py                 ten million movements, made once: 2 GB in .bench/
    python tests/bench.py --small         a hundredth of them, in seconds

Absolute figures are the machine's; what counts are the ratios within a run. So every page is
asked in turn, round after round, and its cost is the CPU time of the server's processes: of the
rounds the lower quartile, for who else is busy can only add to it. Then start and memory, crowds,
imports.
"""

import argparse
import asyncio
import csv
import http.client
import itertools
import json
import os
import re
import sqlite3
import sys
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import cac  # noqa: E402 - the product is one file at the top of the tree
from conftest import PASSWORD, answers, free_port, running, wait_for  # noqa: E402

ROUNDS = 20
DOWNLOADS = 10                      # of each kind and round: the portal allows 600 an hour
SECRET = "a-key-for-the-benchmark-only-5d2f8c"  # noqa: S105 - of databases with made-up customers
LONG, SHORT = 1, 2                  # customers with a long and with a short history


# --- Databases ------------------------------------------------------------------------------------

def kept_database(folder, customers, movements):
    """A database that is made once for each schema."""
    schema = cac.sha256((ROOT / "schema.sql").read_text(encoding="utf-8"))[:8]
    return made_database(folder / f"{customers * movements}-{schema}.db", customers, movements)


def made_database(path, customers, movements):
    """So many customers with so many movements each, but for SHORT, who has a tenth."""
    if not path.exists():
        print(f"making {path}: {customers} customers, {movements} movements each", file=sys.stderr)
        path.parent.mkdir(exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        cac.make_database(draft, "schema.sql")
        with closing(sqlite3.connect(draft, isolation_level=None)) as db:
            fill(db, customers, movements)
        draft.rename(path)
    return path


def fill(db, customers, movements):
    """Make them, by SQL alone; who pulls the plug meanwhile begins again."""
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -200000"):
        db.execute(f"PRAGMA {pragma}")
    db.execute("BEGIN")
    db.execute("INSERT INTO brand (position, code, name, website, colour)"
               " VALUES (1, 'ejemplo', 'Ejemplo', 'https://www.example.com/', '#0b57a4')")
    db.executemany("UPDATE setting SET value = ? WHERE name = ?", [
        ("Ejemplo", "company_name"), ("Ejemplo S.A.", "company_legal_name"),
        ("30712345671", "company_cuit"), ("cac@example.com", "admin_email")])
    numbers = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)"
    db.execute(f"{numbers} INSERT INTO customer (number, name, cuit, address, city, password)"
               " SELECT n, 'Cliente ' || n, '30712345671', 'Av. Maipú ' || n, 'Vicente López', ?"
               " FROM n", (customers, cac.hash_password(PASSWORD)))
    db.execute(f"{numbers} INSERT INTO movement (customer, date, type, point_of_sale, number,"
               " detail, amount, due_date, cae, cae_due_date)"
               " SELECT customer.number, date('2026-11-01', (n - ?) || ' days'),"
               " iif(n % 2, 6, 9), 3, n, 'Internet 50 Mbps, abono mensual',"
               " iif(n % 2, 1, -1) * (10000 + n), NULL, iif(n % 2, '71234567890123', NULL), NULL"
               " FROM customer, n WHERE customer.number <> ? OR n <= ?",
               (movements, movements, SHORT, movements // 10))
    db.execute("INSERT INTO news (date, title, body) VALUES ('2026-11-01', 'Novedad', 'Texto')")
    db.execute("UPDATE voucher_type SET dineromail = 1 WHERE code = 6")
    db.execute("COMMIT")


# --- Servers --------------------------------------------------------------------------------------

def serve_hello(port):
    """The least that Flask can do, served as CAC serves itself: what everything is compared to."""
    from flask import Flask
    app = Flask("hello", template_folder=None)
    app.config["JOBS"] = "off"
    app.add_url_rule("/", "hello", lambda: "hello")
    cac.run_server(app, "127.0.0.1", port, workers=2, stop_seconds=1)


def processes_below(pid):
    """A process and those that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in processes_below(int(child)))]


class Server:
    """A running server with two workers."""

    def __init__(self, process, port):
        self.pid, self.port = process.pid, port
        self.address = f"http://127.0.0.1:{port}"

    def cpu(self):
        """Seconds of CPU that its processes have used."""
        clocks = (~pid << 3 | 2 for pid in processes_below(self.pid))  # clock_getcpuclockid(3)
        return sum(map(time.clock_gettime, clocks))

    def memory(self):
        """MB, what the processes share counted once."""
        rolls = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in processes_below(self.pid)]
        return sum(int(re.search(r"^Pss:\s+(\d+)", roll, re.M)[1]) for roll in rolls) / 1024


@contextmanager
def served(database=None):
    """CAC on a database, or the bare hello; it answers already."""
    port = free_port()
    command = (["tests/bench.py", "--hello", port] if not database else
               ["cac.py", "serve", "--port", port, "--workers", 2])
    settings = {"database": database, "secret_key": SECRET, "base_url": f"http://127.0.0.1:{port}",
                "dineromail_account": "11925320", "dineromail_password": SECRET}
    with running(*command, **settings if database else {}) as process:
        path = "/salud" if database else "/"
        wait_for(lambda: answers(f"http://127.0.0.1:{port}{path}"), 60)
        yield Server(process, port)


# --- Requests -------------------------------------------------------------------------------------

class Browser:
    """A connection that is kept, with its cookies."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection(urlsplit(server.address).netloc)
        self.cookie = ""

    def ask(self, path, **fields):
        """(status, text) of a page, or of a form that is sent."""
        headers = {"Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded"}
        method = "POST" if fields else "GET"
        try:
            self.connection.request(method, path, urlencode(fields), headers)
            answer = self.connection.getresponse()
        except http.client.RemoteDisconnected:  # it was idle for too long
            return self.ask(path, **fields)
        if given := answer.headers["Set-Cookie"]:
            self.cookie = given.partition(";")[0]
        return answer.status, answer.read()

    def token(self, path):
        """The token of a form."""
        return re.search(rb'name="csrf_token"[^>]*value="([^"]+)"', self.ask(path)[1])[1].decode()

    def sign_in(self, number):
        """Be a customer from now on."""
        answer = self.ask("/ingresar", usuario=number, clave=PASSWORD,
                          csrf_token=self.token("/ingresar"))
        assert answer[0] == 303, answer
        self.ask("/cuenta")
        return self


def as_customer(server, number, path):
    """A function that asks for a customer's page."""
    browser = Browser(server).sign_in(number)
    return lambda: browser.ask(path)[0]


def signing_in(server):
    """A function that signs the same customer in again, as from a new browser."""
    browser = Browser(server)
    token = browser.token("/ingresar")
    kept = browser.cookie

    def sign_in():
        browser.cookie = kept
        fields = {"usuario": LONG, "clave": PASSWORD, "csrf_token": token}
        return browser.ask("/ingresar", **fields)[0]
    return sign_in


def in_process(database):
    """A function that asks for the statement with no server and no socket."""
    app = cac.create_app(database=str(database), secret_key=SECRET, jobs="off")
    client = app.test_client()
    page = client.get("/ingresar").text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)[1]
    client.post("/ingresar", data={"usuario": LONG, "clave": PASSWORD, "csrf_token": token})
    client.get("/cuenta")   # the token for the next forms is in the session from now on
    environment = client.get("/cuenta").request.environ

    def ask():
        status = []
        answer = app.wsgi_app(environment.copy(), lambda line, *_: status.append(line))
        b"".join(answer)
        answer.close()
        return int(status[0][:3])
    return ask


# --- Pages ----------------------------------------------------------------------------------------

class Case(NamedTuple):
    """Something that is asked again and again."""

    name: str
    ask: object         # a function that asks once; the status
    cpu: object         # a function that tells the CPU seconds used so far
    times: int = 0      # how often in each round; 0 = as often as it goes


def cases(hello, small, large, database):
    """What is measured."""
    with closing(cac.connect(database)) as db:
        invoice = db.execute("SELECT max(id) AS id FROM movement WHERE customer = ? AND type = 6",
                             [LONG]).fetchone().id
    guest, bare = Browser(large), Browser(hello)
    return [
        Case("hello (bare Flask)", lambda: bare.ask("/")[0], hello.cpu),
        Case("sign-in page", lambda: guest.ask("/ingresar")[0], large.cpu),
        Case("home", as_customer(large, LONG, "/"), large.cpu),
        Case("statement", as_customer(large, LONG, "/cuenta"), large.cpu),
        Case("statement, tenth of the history", as_customer(large, SHORT, "/cuenta"), large.cpu),
        Case("statement, 60,000 movements", as_customer(small, LONG, "/cuenta"), small.cpu),
        Case("statement, in process", in_process(database), time.process_time),
        Case("payment", as_customer(large, LONG, "/pago"), large.cpu),
        Case("CSV of 120 lines", as_customer(large, LONG, "/cuenta.csv"), large.cpu, DOWNLOADS),
        Case("PDF of 120 lines", as_customer(large, LONG, "/cuenta.pdf"), large.cpu, 5),
        Case("PDF of an invoice", as_customer(large, LONG, f"/comprobantes/{invoice}.pdf"),
             large.cpu, DOWNLOADS),
        Case("sign-in (POST)", signing_in(large), large.cpu, DOWNLOADS)]


def measured(case, seconds):
    """(CPU seconds of each request, the time that each took), for some seconds or so many times."""
    taken, before, deadline = [], case.cpu(), time.perf_counter() + seconds
    while (len(taken) < case.times) if case.times else (time.perf_counter() < deadline):
        begun = time.perf_counter()
        status = case.ask()
        taken.append(time.perf_counter() - begun)
        assert status in (200, 303), (case.name, status)
    return (case.cpu() - before) / len(taken), taken


def measure_pages(asked, seconds):
    """{page: its figures}, in ms; each page is asked in each round."""
    costs, taken = {case.name: [] for case in asked}, {case.name: [] for case in asked}
    for case in asked:
        case.ask()
    for _ in range(ROUNDS):
        for case in asked:
            cost, times = measured(case, seconds / ROUNDS)
            costs[case.name].append(cost)
            taken[case.name].extend(times)
    cpu = {name: percentile(cost, 25) for name, cost in costs.items()}
    return {name: {"CPU": 1000 * cpu[name], "x hello": cpu[name] / cpu[asked[0].name],
                   "p50": 1000 * percentile(taken[name], 50),
                   "p99": 1000 * percentile(taken[name], 99)} for name in cpu}


def percentile(values, percent):
    """Of a list that is not empty."""
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


# --- Start and memory -----------------------------------------------------------------------------

def measure_start(database):
    """Seconds to the first answer, and MB: at rest, and after each worker has signed people in."""
    begun = time.perf_counter()
    with served(database) as server:
        first = time.perf_counter() - begun
        time.sleep(2)   # the workers' chores have begun
        at_rest, sign_in = server.memory(), signing_in(server)
        for _ in range(20):
            sign_in()
        return {"first answer, s": first, "memory at rest, MB": at_rest,
                "memory after 20 sign-ins, MB": server.memory()}


# --- Crowds ---------------------------------------------------------------------------------------

class Visitor(NamedTuple):
    """Somebody who asks again and again, over one connection."""

    cookie: str
    request: object     # a function that makes the next one: (path, body)
    taken: list         # of each answer: (status, seconds)
    pause: float = 0    # seconds from one question to the next, if the answer is there by then


async def visit(visitor, port, until):
    """Ask again and again."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        path, body = visitor.request()
        head = (f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: cac\r\n"
                f"Cookie: {visitor.cookie}\r\nContent-Length: {len(body)}\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\n\r\n")
        begun = time.perf_counter()
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", answer, re.I)
        await reader.readexactly(int(length[1]) if length else 0)
        visitor.taken.append((int(answer[9:12]), time.perf_counter() - begun))
        await asyncio.sleep(begun + visitor.pause - time.perf_counter())
    writer.close()


def change_of_data(browser):
    """A function that makes the next change of a customer's data."""
    token, count = browser.token("/datos"), itertools.count()
    return lambda: ("/datos", urlencode(
        {"csrf_token": token, "contacto": f"Contacto {next(count)}"}).encode())


def again_and_again(browser):
    """A function that signs in, always with the same form."""
    body = {"clave": PASSWORD, "csrf_token": browser.token("/ingresar")}
    numbers = itertools.cycle(range(20, 60))
    return lambda: ("/ingresar", urlencode(body | {"usuario": next(numbers)}).encode())


def crowd(server, seconds, readers, writers=0, arriving=0):
    """What readers, writers and so many sign-ins a second were answered, all at once."""
    taken = {"reads": [], "writes": [], "sign-ins": []}
    browsers = [Browser(server).sign_in(number) for number in range(10, 20)]
    guest = Browser(server)
    visitors = [Visitor(browsers[n % 10].cookie, lambda: ("/cuenta", b""), taken["reads"])
                for n in range(readers)]
    visitors += [Visitor(browsers[n].cookie, change_of_data(browsers[n]), taken["writes"])
                 for n in range(writers)]
    sign_in = again_and_again(guest)
    visitors += [Visitor(guest.cookie, sign_in, taken["sign-ins"], pause=1)
                 for _ in range(arriving)]
    until = time.perf_counter() + seconds

    async def all_at_once():
        await asyncio.gather(*(visit(visitor, server.port, until) for visitor in visitors))
    asyncio.run(all_at_once())
    return {kind: summary(found, seconds) for kind, found in taken.items() if found}


def summary(found, seconds):
    """Figures of a crowd's answers; refused = the database was locked."""
    times = [taken for _, taken in found]
    return {"a second": len(found) / seconds, "p50": 1000 * percentile(times, 50),
            "p99": 1000 * percentile(times, 99),
            "refused": sum(status == 503 for status, _ in found),
            "errors": sum(status not in (200, 303, 503) for status, _ in found)}


# --- Imports --------------------------------------------------------------------------------------

def measure_import(lines):
    """Lines a second that `import movements` reads, of an account of which nothing is known yet."""
    with tempfile.TemporaryDirectory() as folder:
        database = made_database(Path(folder, "cac.db"), 1000, 0)
        with Path(folder, "movements.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, delimiter=";")
            table.writerow(["usuario", "fecha", "tipo", "punto_venta", "numero", "detalle",
                            "importe"])
            table.writerows([1 + n % 1000, "30/10/2026", 6, 3, n, "Abono mensual", "1234,50"]
                            for n in range(lines))
        begun = time.perf_counter()
        with running("cac.py", "import", "movements", file.name, "--force",
                     database=database) as process:
            told = process.communicate(timeout=600)[0]
        assert process.returncode == 0, told
        return {"lines a second": lines / (time.perf_counter() - begun)}


# --- Report ---------------------------------------------------------------------------------------

def table(title, rows):
    """Print figures: {name of the row: {column: figure}}."""
    columns = list(next(iter(rows.values())))
    print(f"\n{title:34}" + "".join(f"{column:>12}" for column in columns))
    for name, figures in rows.items():
        print(f"{name:34}" + "".join(f"{figures[column]:12.2f}" for column in columns))


def main():
    """Run all parts, print a table of each; with --json, write the figures too."""
    given = arguments()
    if given.hello:
        return serve_hello(given.hello)
    scale = 100 if given.small else 1
    small = kept_database(given.cache, 60, 1000)
    large = kept_database(given.cache, 10_000 // scale, 1000)
    found = {"machine": f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f},"
                        f" Python {sys.version.split()[0]}"}
    print(found["machine"])
    with ExitStack() as servers:
        hello, few, many = (servers.enter_context(served(path)) for path in (None, small, large))
        found["pages"] = measure_pages(cases(hello, few, many, large), given.seconds)
        table("page, ms", found["pages"])
    found["start"] = measure_start(small)
    table("start", {name: {"": figure} for name, figure in found["start"].items()})
    with served(small) as server:
        found["quiet"] = crowd(server, given.crowd_seconds / 3, readers=4)
        found["sign-ins"] = crowd(server, given.crowd_seconds / 3, readers=4, arriving=20)
        found["mixed"] = crowd(server, given.crowd_seconds, readers=100, writers=10)
        for title, name in [("4 readers", "quiet"), ("4 readers, 20 sign-ins a second", "sign-ins"),
                            ("100 readers, 10 writers", "mixed")]:
            table(f"{title}, ms", found[name])
    found["import"] = measure_import(200_000 // scale)
    table("import", {"movements": found["import"]})
    if given.json:
        given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return None


def arguments():
    """What to measure, and for how long."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="100 customers instead of 10,000")
    parser.add_argument("--seconds", type=float, default=5, help="for each page (default: 5)")
    parser.add_argument("--crowd-seconds", type=float, default=30, help="for the crowd of 110")
    parser.add_argument("--cache", type=Path, default=ROOT / ".bench", help="keeps the databases")
    parser.add_argument("--json", type=Path, help="a file for all figures")
    parser.add_argument("--hello", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
