"""What is outside: mail, payment services and the clock. Nothing of them holds the database."""

import socket
import sqlite3
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer

import cac
import pytest
from argon2 import PasswordHasher
from conftest import PostOffice, free_port, open_post_office, serving, wait_for
from load import SETTINGS, Customer

pytestmark = pytest.mark.faults


@pytest.fixture
def others(database):
    """others(): note whether somebody else may write to the database now."""
    class Others(list):
        """What was seen: '' or why it could not be written."""

        def __call__(self):
            with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as db:
                try:
                    db.execute("BEGIN IMMEDIATE")
                    self.append("")
                except sqlite3.OperationalError as error:
                    self.append(str(error))
    return Others()


@pytest.fixture
def service(others):
    """The address of a payment service that looks whether others may write, then fails."""
    class Answer(BaseHTTPRequestHandler):
        """Any question's."""

        def do_POST(self):
            """Look, and fail."""
            others()
            self.send_error(500)

        def log_message(self, *_):
            """Print nothing."""
    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_while_a_payment_service_is_asked_others_may_write(database, service, others):
    with serving(database, **SETTINGS | {"dineromail_url": service}) as address:
        xml = "<notificacion><operaciones><operacion><id>A</id></operacion></operaciones>"
        assert Customer(address).ask("/aviso/dineromail",
                                     Notificacion=f"{xml}</notificacion>")[0] == 200
        wait_for(lambda: others)
    assert set(others) == {""}


def looking(others):
    """How a post office takes a message in, if it looks whether others may write meanwhile."""
    async def handle(office, *words):
        others()
        return await PostOffice.handle_DATA(office, *words)
    return handle


def test_while_smtp_takes_a_mail_others_may_write(database, others):
    port = free_port()
    smtp = SETTINGS | {"smtp_url": f"smtp://127.0.0.1:{port}"}
    with open_post_office(port) as office, serving(database, **smtp) as address:
        office.__class__ = type("Looking", (type(office),), {"handle_DATA": looking(others)})
        assert Customer(address).send("/olvido", usuario="1001")[0] == 200
        wait_for(lambda: office.delivered)
    assert others == [""]


def test_while_a_password_is_hashed_others_may_write(browser, others, monkeypatch):
    class Looking(PasswordHasher):
        def hash(self, *words):
            return others() or super().hash(*words)

        def verify(self, *words):
            return others() or super().verify(*words)
    monkeypatch.setattr(cac, "HASHER", Looking())
    assert browser.sign_in("Ana").status_code == 303
    changed = browser.send("/clave", clave_actual="demo-2010", clave_nueva="caballo azul 77")
    assert changed.status_code == 303
    assert len(others) >= 3 and set(others) == {""}


def test_a_payment_service_that_never_answers_keeps_nobody_from_a_statement(database):
    with socket.create_server(("127.0.0.1", 0)) as deaf, serving(database, **SETTINGS | {
            "mercadopago_url": f"http://127.0.0.1:{deaf.getsockname()[1]}",
            "mercadopago_token": "TEST-1", "mercadopago_secret": "s3cr3t"}) as address:
        ana, beto, answers = Customer(address), Customer(address), []
        assert (ana.sign_in("Ana")[0], beto.sign_in("Beto")[0]) == (303, 303)

        def begin():
            answers.append(beto.send("/pago", concepto="adelanto", medio="mercadopago",
                                     importe="150,00")[0])
        waiting = threading.Thread(target=begin)
        waiting.start()
        with deaf.accept()[0]:  # now it is asked
            assert ana.ask("/cuenta")[0] == 200 and waiting.is_alive()
            waiting.join()
    assert answers == [503]


CLOCKS = [{"days": -400}, {"hours": -1}, {"hours": 1}, {"days": 400}]


@pytest.mark.parametrize("step", CLOCKS, ids=str)
def test_a_clock_that_jumps_breaks_no_page_and_opens_no_door(visit, browser, wait, step):
    ana = visit("Ana")
    wait(**step)
    assert {ana.get(page).status_code for page in ("/", "/cuenta", "/cuenta.pdf")} <= {200, 302}
    assert browser.sign_in("Beto").status_code == 303
    assert browser.get("/cuenta").status_code == 200
