"""The outbox, against a real SMTP server: what arrives, and what becomes of what cannot be sent."""

import re
import socket
import time
from contextlib import contextmanager
from email import message_from_bytes, policy
from itertools import pairwise

import cac
import pytest
import time_machine
from aiosmtpd.controller import Controller
from conftest import (
    SECRET_KEY, answers, free_port, link_in, running, serving, text_of, wait_for,
)

SEND = "import cac\nwith cac.create_app().app_context():\n    cac.send_due_mail()"


class PostOffice:
    """Keeps what is delivered: who sent it, to whom, and the message."""

    def __init__(self):
        self.delivered = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
        """Take a message in."""
        message = message_from_bytes(envelope.content, policy=policy.default)
        self.delivered.append((envelope.mail_from, envelope.rcpt_tos, message))
        return "250 OK"


@contextmanager
def open_post_office(port):
    """What is delivered at this port."""
    office = PostOffice()
    controller = Controller(office, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield office.delivered
    finally:
        controller.stop()


@pytest.fixture
def smtp_port(app):
    """The port where the application hands its mail over; nobody is there at first."""
    port = free_port()
    app.config["SMTP_URL"] = f"smtp://127.0.0.1:{port}"
    return port


@pytest.fixture
def post(smtp_port):
    """All that is delivered: (sender, recipients, message)."""
    with open_post_office(smtp_port) as delivered:
        yield delivered


@pytest.fixture
def send(app):
    """send(seconds): send what is due, so many seconds from now."""
    def sent(seconds=0):
        with time_machine.travel(time.time() + seconds), app.app_context():
            cac.send_due_mail()
    return sent


@pytest.fixture
def outbox(db):
    """outbox(): the only mail there, as it is kept."""
    def kept():
        [mail] = db.execute("SELECT * FROM outbox").fetchall()
        return mail
    return kept


class DeafServer:
    """Takes connections and never says a word."""

    def __init__(self, listener):
        listener.settimeout(15)
        self.listener, self.callers = listener, []
        self.url = f"smtp://127.0.0.1:{listener.getsockname()[1]}"

    def wait_for_a_caller(self):
        """Until somebody has connected, and now waits for a word."""
        self.callers.append(self.listener.accept()[0])


@pytest.fixture
def deaf_server():
    """An SMTP server that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = DeafServer(listener)
        yield server
        for caller in server.callers:
            caller.close()


# --- What arrives ---------------------------------------------------------------------------------

def test_a_mail_goes_from_the_company_to_the_customer(browser, send, post):
    browser.send("/olvido", usuario="1001")
    send()
    [(sender, recipients, mail)] = post
    assert (sender, recipients) == ("cac@example.com", ["ana@example.com"])
    assert (mail["From"], mail["To"]) == ("CAC <cac@example.com>", "ana@example.com")
    assert mail["Subject"] == "Cambie su clave de NetOne"


def test_its_link_has_the_public_address_and_works(browser, send, post):
    browser.send("/olvido", usuario="1001")
    send()
    mail = post[0][2]
    assert "http://cac.example.com/clientes/clave/" in mail.get_content()
    assert "Elija una clave nueva" in text_of(browser.get(link_in(mail)))


def test_the_host_that_a_request_names_is_in_no_mail(browser, send, post):
    browser.send("/olvido", usuario="1001")
    browser.get("/olvido", headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    send()
    assert "evil" not in post[0][2].as_string()


def test_accents_arrive(visit, send, post):
    visit("Ñandú").send("/clave", clave_actual="demo-2010", clave_nueva="otra clave más larga")
    send()
    mail = post[0][2]
    assert mail["Subject"] == "Cambió la clave de su cuenta de NetOne"
    assert 'Ñandú "D\'Ángelo" <b>& Cía.:' in mail.get_content()


def test_a_mail_is_sent_once(browser, send, post, outbox):
    browser.send("/olvido", usuario="1001")
    send()
    send(86400)
    assert len(post) == 1
    assert (outbox().due_at, outbox().error, outbox().tries) == (None, None, 1)


def test_the_running_service_sends_by_itself_and_each_mail_once(run, database, post, smtp_port):
    customers = [1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1010, 1013]
    run("invite", *customers)
    with serving(database, smtp_url=f"smtp://127.0.0.1:{smtp_port}"):
        wait_for(lambda: len(post) >= len(customers))
        run("password", 1001, "--mail")  # comes after all the others
        wait_for(lambda: "Cambie su clave" in str(post[-1][2]["Subject"]))
    assert len(post) == len(customers) + 1


# --- What is not in them, and not in the database -------------------------------------------------

@pytest.mark.parametrize("name", ["Ana\r\nBcc: eva@evil.example", "Ana\n\nSubject: Hola"])
def test_a_name_cannot_add_a_header(browser, db, send, post, name):
    db.execute("UPDATE customer SET name = ? WHERE number = 1001", (name,))
    browser.send("/olvido", usuario="1001")
    send()
    [(_, recipients, mail)] = post
    assert (recipients, mail["Bcc"]) == (["ana@example.com"], None)
    assert mail.get_all("Subject") == ["Cambie su clave de NetOne"]


def test_a_name_of_the_company_cannot_add_a_header(browser, run, send, post):
    run("set", "company_name", "NetOne\r\nBcc: eva@evil.example")
    browser.send("/olvido", usuario="1001")
    send()
    assert [recipients for _, recipients, _ in post] in ([], [["ana@example.com"]])
    assert all(mail["Bcc"] is None for _, _, mail in post)


def test_an_address_cannot_add_a_recipient(browser, db, send, post, outbox):
    db.execute("UPDATE email SET address = 'ana@example.com\r\nBcc: eva@evil.example'"
               " WHERE customer = 1001")
    browser.send("/olvido", usuario="1001")
    send()
    assert post == []
    assert outbox().error


def test_no_link_is_in_the_database(browser, database, send, post):
    browser.send("/olvido", usuario="1001")
    send()
    token = re.search(r"/clave/(\S+)", post[0][2].get_content())[1]
    kept = b"".join(file.read_bytes() for file in database.parent.glob("cac.db*"))
    assert b"ana@example.com" in kept
    assert token.split(".")[0].encode() not in kept
    assert token.split(".")[-1].encode() not in kept


def test_the_password_of_smtp_is_in_no_error(app, browser, send, outbox):
    app.config["SMTP_URL"] = f"smtp://cac:topsecret@127.0.0.1:{free_port()}"
    browser.send("/olvido", usuario="1001")
    send()
    assert "topsecret" not in outbox().error


# --- When it cannot be sent -----------------------------------------------------------------------

def test_while_smtp_is_down_the_mail_waits_with_the_error(browser, smtp_port, send, outbox):
    assert browser.send("/olvido", usuario="1001").status_code == 200
    send()
    assert (outbox().sent_at, outbox().tries) == (None, 1)
    assert "refused" in outbox().error
    assert outbox().due_at > cac.now()


def test_it_goes_out_when_smtp_is_back(browser, smtp_port, send, outbox):
    browser.send("/olvido", usuario="1001")
    send()
    with open_post_office(smtp_port) as delivered:
        send(30)
        assert delivered == []  # too early
        send(61)
    assert [recipients for _, recipients, _ in delivered] == [["ana@example.com"]]
    assert outbox().error is None


def test_its_link_is_good_for_an_hour_from_when_it_is_sent(browser, smtp_port, send):
    browser.send("/olvido", usuario="1001")
    send()
    with open_post_office(smtp_port) as delivered:
        send(7200)
    with time_machine.travel(time.time() + 7200 + 3000):
        assert browser.get(link_in(delivered[0][2])).status_code == 200
    with time_machine.travel(time.time() + 7200 + 3700):
        assert browser.get(link_in(delivered[0][2])).status_code == 410


def test_it_is_tried_less_and_less_often_and_given_up_after_three_days(
        browser, smtp_port, send, outbox):
    browser.send("/olvido", usuario="1001")
    tries = []
    for minute in range(0, 4 * 24 * 60, 10):
        before = outbox().tries
        send(60 * minute + 1)
        tries += [minute] * (outbox().tries - before)
    waits = [later - earlier for earlier, later in pairwise(tries)]
    assert waits == sorted(waits)
    assert 2.5 * 24 * 60 < tries[-1] <= 3.5 * 24 * 60
    assert (outbox().due_at, outbox().sent_at) == (None, None)
    assert outbox().error


def test_the_operator_sees_what_was_not_sent(browser, smtp_port, send, run, db):
    browser.send("/olvido", usuario="1001")
    send()
    db.execute("UPDATE outbox SET created_at = ?", (cac.now(-7200),))
    assert "WARN  mails not sent for an hour: 1" in run("check").output


def test_a_mail_that_is_refused_does_not_stop_the_others(browser, db, send, post):
    db.execute("UPDATE email SET address = 'ana' || char(10) WHERE customer = 1001")
    for number in ("1001", "1002"):
        browser.send("/olvido", usuario=number)
    send()
    assert [recipients for _, recipients, _ in post] == [["beto@example.com"]]


def test_a_server_that_never_answers_slows_no_page(browser, database, deaf_server):
    browser.send("/olvido", usuario="1001")
    with serving(database, smtp_url=deaf_server.url) as address:
        deaf_server.wait_for_a_caller()
        began = time.monotonic()
        assert all(answers(f"{address}/ingresar") for _ in range(10))
        assert browser.send("/olvido", usuario="1002").status_code == 200  # writes, too
        assert browser.sign_in("Ana").status_code == 303
        assert time.monotonic() - began < 2


def test_a_mail_whose_worker_is_killed_while_it_sends_goes_out_later(  # noqa: PLR0913, PLR0917
        browser, database, deaf_server, smtp_port, send, outbox):
    browser.send("/olvido", usuario="1001")
    settings = {"database": database, "secret_key": SECRET_KEY, "base_url": "http://cac.example.com",
                "smtp_url": deaf_server.url}
    with running("-c", SEND, **settings) as worker:
        deaf_server.wait_for_a_caller()  # now it is sending
        worker.kill()
        worker.wait()
    assert (outbox().sent_at, outbox().tries) == (None, 1)
    with open_post_office(smtp_port) as delivered:
        send(61)
    assert len(delivered) == 1
