"""What the tests share: a seeded database each, the cast by name, a reader of pages, processes."""

import asyncio
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

import pypdf
import pytest
import time_machine as clock
from aiosmtpd.controller import Controller
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from werkzeug.serving import make_server

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

import cac  # noqa: E402 - the product is one file at the top of the tree

CAST = {"Ana": 1001, "Beto": 1002, "Caro": 1003, "Dante": 1004, "Elena": 1005, "Fabián": 1006,
        "Gloria": 1007, "Hugo": 1008, "Inés": 1009, "Julián": 1010, "Karina": 1011, "Luis": 1012,
        "Ñandú": 1013}
PASSWORD = "demo-2010"  # noqa: S105 - the cast's, published in seed_data.sql
SECRET_KEY = "xrra53uS1XWL3oXmY1D_ZnBI4C5AZfdYM0rk-zlVyvx0vaXW"  # noqa: S105 - signs nothing kept
ACCOUNT, KEY, TOKEN, SECRET = "11925320", "demo-ipn-key", "TEST-0123456789", "s3cr3t"
OWED, PAID = (125040, []), (0, [-125040])       # Ana's ledger before and after: balance, receipts


class Browser(FlaskClient):
    """A test client that reads pages, and fills in their forms with the token that they carry."""

    def page(self, address: str) -> BeautifulSoup:
        """The page, parsed; it must be there."""
        answer = self.get(address)
        assert answer.status_code == 200, (address, answer.status_code)
        return BeautifulSoup(answer.data, "html.parser")

    def send(self, address: str, page: str | None = None, **fields):
        """POST a form with the CSRF token of `page`, which is the same address unless told."""
        shown = BeautifulSoup(self.get(page or address).data, "html.parser")
        token = shown.find(attrs={"name": "csrf_token"})
        return self.post(address, data={**fields, "csrf_token": token["value"] if token else ""})

    def sign_in(self, who, password=PASSWORD):
        """Sign in as one of the cast, by name or number."""
        return self.send("/ingresar", usuario=CAST.get(who, who), clave=password)


def text_of(answer) -> str:
    """What the customer reads, spaces folded."""
    soup = BeautifulSoup(answer.data, "html.parser")
    return " ".join((soup.find("main") or soup).get_text(" ").split())


@pytest.fixture(scope="session")
def seeded(tmp_path_factory):
    """The seeded database, made once."""
    path = tmp_path_factory.mktemp("seed") / "cac.db"
    cac.make_database(path, "schema.sql", "seed_data.sql")
    return path


@pytest.fixture
def database(seeded, tmp_path):
    """A copy of the seeded database for this test alone."""
    return Path(shutil.copy(seeded, tmp_path / "cac.db"))


@pytest.fixture
def app(database, tmp_path):
    """The application on it; no chore runs by itself, and DineroMail is where nobody answers."""
    app = cac.create_app(
        database=str(database), documents=str(tmp_path), secret_key=SECRET_KEY, jobs="off",
        base_url="http://cac.example.com/clientes", mail_from="CAC <cac@example.com>",
        dineromail_url="http://127.0.0.1:9", dineromail_account=ACCOUNT, dineromail_password=KEY)
    app.test_client_class = Browser
    return app


@pytest.fixture
def empty(tmp_path):
    """A database whose company is set up, and that holds nothing else."""
    path = tmp_path / "empty.db"
    cac.make_database(path, "schema.sql")
    done = cac.create_app(database=str(path), jobs="off").test_cli_runner().invoke(
        args=["setup", str(HERE / "files" / "empresa.toml")])
    assert done.exit_code == 0, done.output
    return path


@pytest.fixture
def browser(app):
    """A visitor who is not signed in."""
    return app.test_client()


@pytest.fixture
def visit(app):
    """visit("Ana"): a browser in which she is signed in."""
    def signed_in(who):
        browser = app.test_client()
        assert browser.sign_in(who).status_code == 303
        return browser
    return signed_in


@pytest.fixture
def db(app):
    """The test's own connection to the same database."""
    connection = cac.connect(app.config["DATABASE"])
    yield connection
    connection.close()


@pytest.fixture
def run(app):
    """run("customer", "1004"): a command's result, with output, stderr and exit_code."""
    return lambda *words, **more: app.test_cli_runner().invoke(
        args=[str(word) for word in words], **more)


@pytest.fixture
def mails(app, db):
    """mails(): what waits in the outbox, as messages."""
    def written():
        with app.app_context():
            cac.mail_reset_links()
            return [cac.write_mail(mail) for mail in db.execute("SELECT * FROM outbox ORDER BY id")]
    return written


def mail_text(message) -> str:
    """The words of a mail."""
    return message.get_body(["plain"]).get_content()


def html_of(message) -> str:
    """The same as HTML."""
    return message.get_body(["html"]).get_content()


def link_in(message) -> str:
    """The path of the first link of a mail, as this site's own address."""
    return "/" + re.search(r"https?://[^/]+/clientes/(\S+)", mail_text(message))[1]


@pytest.fixture
def addresses(app, db, mails):
    """An address of each rule of the application that exists: endpoint: address."""
    app.test_client().send("/olvido", usuario="1001")
    link = link_in(mails()[0])
    db.execute("UPDATE email SET confirmed_at = NULL WHERE customer = 1001")
    email = db.execute("SELECT * FROM email WHERE customer = 1001").fetchone()
    db.execute("INSERT INTO payment (reference, customer, service, purpose, amount, created_at)"
               " VALUES ('CAC1', 1001, 'dineromail', 'balance', 125040, ?)", (cac.now(),))
    with app.app_context():
        confirm = urlsplit(cac.confirmation_link(email.id, email.canonical)).path
        no_more = urlsplit(cac.unsubscribe_link(1001)).path
    return {"cac.new_password": link,
            "cac.confirm_email": confirm.removeprefix("/clientes"),
            "cac.unsubscribe": no_more.removeprefix("/clientes"),
            "cac.voucher": "/comprobantes/100108.pdf", "cac.payment": "/pago/CAC1",
            "cac.account_year": "/cuenta/2026.zip",
            "cac.style_sheet": "/estilo/netone.css",
            "cac.receive_notice": "/aviso/dineromail", "static": "/static/cac.css"}


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, seconds=15):
    """What the condition returns once it is true; it is asked again and again until then."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {condition}")


def answers(address: str) -> bool:
    """Whether a server answers there."""
    try:
        return urllib.request.urlopen(address, timeout=2).status == 200
    except OSError:
        return False


@contextmanager
def running(*command, group=None, output=subprocess.PIPE, **settings):
    """A process of ours with these CAC_… settings and no others, ended afterwards.

    With group=0 it has a process group of its own, which can be killed with all its workers.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CAC_")}
    environment |= {f"CAC_{name.upper()}": str(value) for name, value in settings.items()}
    process = subprocess.Popen(
        [sys.executable, *map(str, command)], cwd=ROOT, env=environment, text=True,
        process_group=group,
        stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
        for pipe in filter(None, (process.stdin, process.stdout)):
            pipe.close()


def program(name: str) -> str:
    """Where a program is; a test that needs it is skipped without, where tests may be skipped."""
    found = shutil.which(name)
    if not found:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse(f"There is no {name}: sudo apt-get install {name}")
    return found


@pytest.fixture(scope="module")
def chromium():
    """Debian's browser."""
    from playwright.sync_api import sync_playwright
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
             "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium"), args=quiet)
        yield browser
        browser.close()


def everything(db) -> list[str]:
    """All that the database holds, to see whether anything was written."""
    return list(db.iterdump())


def pdf_text(answer) -> str:
    """What is read on a PDF."""
    pages = pypdf.PdfReader(io.BytesIO(answer.data)).pages
    return "\n".join(page.extract_text() for page in pages)


@pytest.fixture
def wait(time_machine):
    """wait(minutes=61): so much time goes by."""
    return lambda **time: time_machine.move_to(datetime.now(UTC) + timedelta(**time))


@contextmanager
def serving(database, port=None, started=None, **settings):
    """`serve` on this seeded database, with two workers; the address at which it answers.

    The process is added to the list `started`, for whoever wants to kill it.
    """
    with closing(cac.connect(database)) as db:
        db.execute("DELETE FROM setting WHERE name = 'demo'")  # the mark that serve refuses
    port = port or free_port()
    address = f"http://127.0.0.1:{port}"
    settings = {"database": database, "secret_key": SECRET_KEY, "base_url": address} | settings
    with running("cac.py", "serve", "--port", port, "--workers", 2, **settings) as process:
        if started is not None:
            started.append(process)
        wait_for(lambda: answers(f"{address}/salud"), seconds=60)
        yield address


@pytest.fixture
def shown(visit):
    """shown("Ana", reference): the heading of the payment's page, and the page."""
    def read(who, reference, query=""):
        page = visit(who).page(f"/pago/{reference}{query}")
        return page.h1.get_text(), page
    return read


@pytest.fixture
def do_chores(app):
    """Do what the running service does by itself, until no notice waits to be read."""
    def done():
        with app.app_context():
            cac.settle_due()
            return not cac.fetch_all("SELECT 1 FROM notice WHERE outcome IS NULL")
    return lambda: wait_for(done)


class PostOffice:
    """Keeps what is delivered: who sent it, to whom, and the message."""

    def __init__(self):
        self.delivered, self.answers, self.after_data = [], {}, None
        self.most = 1000    # mails in a connection

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        """Take a sender, or answer what all get."""
        envelope.mail_from, session.mails = address, getattr(session, "mails", 0) + 1
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        """Take a recipient, unless there were too many, or answer what this one gets."""
        envelope.rcpt_tos.append(address)
        too_many = self.answers.get("too many", "421 4.7.0 Too many, call again")
        return self.answers.get(address, "250 OK") if session.mails <= self.most else too_many

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
        """Take a message in; then perhaps say nothing, or die."""
        message = message_from_bytes(envelope.content, policy=policy.default)
        self.delivered.append((envelope.mail_from, envelope.rcpt_tos, message))
        if self.after_data == "silence":
            await asyncio.sleep(60)
        if self.after_data == "death":
            server.transport.abort()
        return self.answers.get("DATA", "250 OK: queued as 4711")

    def recipients(self):
        """To whom it was delivered."""
        return [recipient for _, recipients, _ in self.delivered for recipient in recipients]


@contextmanager
def open_post_office(port, **words):
    """An SMTP server at this port."""
    office = PostOffice()
    controller = Controller(office, hostname="127.0.0.1", port=port, **words)
    controller.start()
    try:
        yield office
    finally:
        controller.stop()


@pytest.fixture
def smtp_port(app):
    """The port where the application hands its mail over; nobody is there at first."""
    port = free_port()
    app.config["SMTP_URL"] = f"smtp://127.0.0.1:{port}"
    return port


@pytest.fixture
def office(smtp_port):
    """The SMTP server to which the application hands its mail."""
    with open_post_office(smtp_port) as office:
        yield office


@pytest.fixture
def post(office):
    """All that is delivered: (sender, recipients, message)."""
    return office.delivered


@pytest.fixture
def send(app):
    """send(seconds): send what is due, so many seconds from now."""
    def sent(seconds=0):
        with clock.travel(time.time() + seconds), app.app_context():
            cac.mail_reset_links()
            cac.send_due_mail()
    return sent


class Books:
    """What the database holds after all."""

    def __init__(self, db):
        self.db = db

    def of(self, who):
        """(balance, amounts of the receipts that the portal wrote)."""
        lines = self.db.execute("SELECT * FROM movement WHERE customer = ?", (CAST[who],))
        lines = lines.fetchall()
        return (sum(line.amount for line in lines),
                [line.amount for line in lines if line.origin == "portal"])

    def attempts(self):
        """The amounts of the payments that were begun."""
        return [row.amount for row in self.db.execute("SELECT amount FROM payment ORDER BY id")]

    def notices(self):
        """All that came, as it is kept."""
        return self.db.execute("SELECT * FROM notice ORDER BY id").fetchall()

    def reviews(self):
        """The references that wait for a person."""
        return [row.reference for row in self.db.execute("SELECT * FROM review ORDER BY id")]


@pytest.fixture
def books(db, run):
    """The ledger and its surroundings; after each test `check` finds no fault in the receipts."""
    yield Books(db)
    found = run("check").output.splitlines()
    assert "ok    no receipt differs from its payment" in found
    assert "ok    no receipt of the portal is without a payment" in found


# --- Paying ---------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Shop:
    """The payment services' stand-ins: where they answer, and our port that they tell notices."""

    address: str
    port: int
    service: str        # which of them is meant

    def control(self, deed, **wish):
        """What the stand-ins answer to a wish of the test."""
        question = urllib.request.Request(
            f"{self.address}/control/{deed}", json.dumps(wish).encode(),
            {"Content-Type": "application/json"})
        with urllib.request.urlopen(question, timeout=60) as answer:
            return json.load(answer)

    def says(self, reference, state=None, amount="1250.40", **more):
        """From now on it has this payment of the reference, credited unless told; its number."""
        state = state or {"dineromail": 2, "mercadopago": "approved"}[self.service]
        wish = {"service": self.service, "reference": reference, "state": state, "amount": amount}
        return self.control("operations", **wish | more)["number"]

    def notify(self, *references, **how):
        """It sends notices of these references; what we answered, each time."""
        return self.control("notify", service=self.service, references=references, **how)

    def fails(self, mode, seconds=0):
        """From now on both fail like this."""
        self.control("faults", mode=mode, seconds=seconds)

    def questions(self):
        """What they were asked so far."""
        with urllib.request.urlopen(f"{self.address}/control/log") as log:
            return json.load(log)


@pytest.fixture(scope="module")
def standins(request):
    """Both payment services, for the whole file; its SERVICE is the one that it means."""
    port = free_port()
    with running("tests/standins.py", "--with-parent", "--account", ACCOUNT, "--key", KEY,
                 "--secret", SECRET, "--token", TOKEN,
                 "--notify", f"http://127.0.0.1:{port}") as process:
        yield Shop(process.stdout.readline().strip(), port, request.module.SERVICE)


@pytest.fixture
def shop(standins):
    """The payment services, in good order at first."""
    standins.fails("ok")
    return standins


@contextmanager
def http(app, port=0):
    """A WSGI application over HTTP; its address."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    server.server_close()


@contextmanager
def dripping(beginning: bytes, drop: bytes):
    """A server that answers this, and then a drop five times a second without end; its port."""
    def drip(caller):
        with caller, suppress(OSError):
            caller.sendall(beginning)
            while not is_over.wait(0.2):
                caller.sendall(drop)

    def listen():
        with suppress(OSError):
            while True:
                Thread(target=drip, args=[listener.accept()[0]], daemon=True).start()
    is_over = Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=listen, daemon=True).start()
        yield listener.getsockname()[1]
        is_over.set()
        listener.shutdown(socket.SHUT_RDWR)     # so that accept() ends


@pytest.fixture
def site(app, shop):
    """The portal where notices are told; no chore runs by itself."""
    with http(app, shop.port) as address:
        yield address


@pytest.fixture
def begin(visit, db, shop):
    """begin("Ana"): the reference of a payment that she has just begun."""
    def begun(who, **fields):
        answer = visit(who).send("/pago", **{"concepto": "saldo", "medio": shop.service} | fields)
        assert answer.status_code == 303
        return db.execute("SELECT reference FROM payment ORDER BY id DESC").fetchone().reference
    return begun


@pytest.fixture
def tell(shop, site, do_chores):
    """tell(reference, state): the service knows it, says so, and is asked; our answers."""
    def told(reference, state=None, times=1, **payment):
        shop.says(reference, state, **payment)
        answers = shop.notify(reference, times=times)
        do_chores()
        return answers
    return told


@pytest.fixture
def come_back(visit, do_chores):
    """come_back("Ana", reference): she comes back, the service is asked; what she reads then."""
    def seen(who, reference):
        customer = visit(who)
        assert customer.get(f"/pago/{reference}?vuelta=1").status_code == 200
        do_chores()
        return text_of(customer.get(f"/pago/{reference}?vuelta=2"))
    return seen


def eight_at_once(deed, arguments):
    """Do it with each argument, eight at a time."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(deed, arguments))
