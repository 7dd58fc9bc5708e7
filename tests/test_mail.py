"""The outbox, against a real SMTP server: what arrives, and what becomes of what cannot be sent."""

import re
import socket
import time
from datetime import datetime
from email import policy
from itertools import pairwise
from pkgutil import resolve_name

import cac
import pytest
import time_machine
from aiosmtpd.smtp import AuthResult
from bs4 import BeautifulSoup
from conftest import (
    SECRET_KEY, answers, dripping, free_port, html_of, link_in, mail_text, open_post_office,
    running, serving, text_of, wait_for,
)

SEND = "import cac\nwith cac.create_app().app_context():\n    cac.send_due_mail()"


@pytest.fixture
def outbox(db):
    """outbox(): the only mail there, as it is kept."""
    def kept():
        [mail] = db.execute("SELECT * FROM outbox").fetchall()
        return mail
    return kept


@pytest.fixture
def fill(app):
    """fill(3): so many mails in the outbox, to 0@example.com and so on."""
    def filled(count, domain="example", seconds=0):
        place = "example.com" if domain == "example" else f"{domain}.example"
        recipients = [f"{number}@{place}" for number in range(count)]
        with time_machine.travel(time.time() + seconds), app.app_context():
            cac.enqueue(cac.get_db(), "test", recipients, None)
    return filled


@pytest.fixture
def tries(outbox, db, send):
    """tries(9): seconds at which a mail is tried, at most nine, until it is given up."""
    def tried(most=99):
        moments = [time.time()]
        send()
        while len(moments) < most and (due := next_due(db)):
            moments.append(due + 1)
            send(moments[-1] - time.time())
        return [moment - moments[0] for moment in moments]
    return tried


@pytest.fixture
def outbox_errors(db):
    """outbox_errors(): what went wrong with each mail."""
    return lambda: [row.error for row in db.execute("SELECT error FROM outbox ORDER BY id")]


def raising_at_first(place, error):
    """What is at this place, but that it raises an error when it is first called."""
    module, _, name = place.partition(".")
    found, errors = resolve_name(f"{module}:{name}"), [error]

    def raising(*words):
        if errors:
            raise errors.pop()
        return found(*words)
    return raising


def next_due(db):
    """When the first mail is due, in seconds since 1970; None if none is."""
    due = db.execute("SELECT min(due_at) AS at FROM outbox").fetchone().at
    return due and datetime.fromisoformat(due).timestamp()


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
    assert "http://cac.example.com/clientes/clave/" in mail_text(mail)
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
    assert mail["Subject"] == "Cambió la clave de su cuenta de TornadoStore"
    assert 'Ñandú "D\'Ángelo" <b>& Cía.:' in mail_text(mail)


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
    token = re.search(r"/clave/(\S+)", mail_text(post[0][2]))[1]
    kept = b"".join(file.read_bytes() for file in database.parent.glob("cac.db*"))
    assert b"ana@example.com" in kept
    assert token.split(".")[0].encode() not in kept
    assert token.split(".")[-1].encode() not in kept


def test_the_password_of_smtp_is_in_no_error(app, browser, send, outbox):
    app.config["SMTP_URL"] = f"smtp://cac:topsecret@127.0.0.1:{free_port()}"
    browser.send("/olvido", usuario="1001")
    send()
    assert "topsecret" not in outbox().error


# --- When SMTP is down ----------------------------------------------------------------------------

def test_while_smtp_is_down_the_mail_waits_with_the_error(browser, smtp_port, send, outbox):
    assert browser.send("/olvido", usuario="1001").status_code == 200
    send()
    assert (outbox().sent_at, outbox().tries, outbox().error) == (None, 1, "Connection refused")
    assert outbox().due_at > cac.now()


def test_it_goes_out_when_smtp_is_back(browser, smtp_port, send, outbox):
    browser.send("/olvido", usuario="1001")
    send()
    with open_post_office(smtp_port) as office:
        send(3)
        assert office.delivered == []  # too early
        send(6)
    assert office.recipients() == ["ana@example.com"]
    assert outbox().error is None


def test_its_link_is_good_for_an_hour_from_when_it_is_sent(browser, smtp_port, send):
    browser.send("/olvido", usuario="1001")
    send()
    with open_post_office(smtp_port) as office:
        send(7200)
    link = link_in(office.delivered[0][2])
    with time_machine.travel(time.time() + 7200 + 3000):
        assert browser.get(link).status_code == 200
    with time_machine.travel(time.time() + 7200 + 3700):
        assert browser.get(link).status_code == 410


def test_a_server_that_is_away_is_asked_at_once_and_then_less_and_less_often(
        fill, smtp_port, tries):
    fill(3)
    waits = [later - earlier for earlier, later in pairwise(tries(12))]
    assert waits == sorted(waits)
    assert 4 < waits[0] < 8 and 595 < waits[-1] < 605


def test_however_many_new_mails_come_it_is_asked_every_five_seconds_at_most(
        fill, smtp_port, send, db):
    for second in range(60):
        fill(1, seconds=second)
        send(second)
    assert 10 <= db.execute("SELECT max(tries) AS n FROM outbox").fetchone().n <= 15


def test_what_is_held_for_three_days_is_given_up(fill, smtp_port, send, db, run):
    fill(2)
    send(3 * 86400 + 60)
    assert "given up: 2" in run("mail").output
    assert "Connection refused" in run("mail").output


def test_after_a_day_without_smtp_each_mail_arrives_once_and_in_order(fill, smtp_port, send):
    for hour in range(10):
        fill(20, seconds=3600 * hour)
        send(3600 * hour + 10)
    with open_post_office(smtp_port) as office:
        fill(1, seconds=86400)  # does not overtake the others
        for second in range(20):
            send(86400 + second)
    expected = [f"{number}@example.com" for hour in range(10) for number in range(20)]
    assert office.recipients() == [*expected, "0@example.com"]


def test_a_new_mail_has_what_is_held_tried_with_it_and_overtakes_none(fill, smtp_port, send):
    fill(1, "early")
    send(3000)
    with open_post_office(smtp_port) as office:
        fill(1, "late", seconds=3010)
        send(3012)
        assert office.delivered == []  # the server has a moment to come back
        send(3016)
    assert office.recipients() == ["0@early.example", "0@late.example"]


def test_what_is_mailed_to_nobody_has_nothing_tried(fill, smtp_port, send, db, run):
    fill(1)
    send()
    db.execute("UPDATE outbox SET due_at = ? WHERE held = 1", (cac.now(600),))  # for long
    held_until = next_due(db)
    fill(0)
    assert run("password", "1001").exit_code == 0   # printed
    assert next_due(db) == held_until


def test_who_asks_for_a_link_when_smtp_is_back_gets_it_within_seconds_and_before_all_others(
        fill, database, db, smtp_port, browser):
    with serving(database, smtp_url=f"smtp://127.0.0.1:{smtp_port}"):
        with open_post_office(smtp_port) as office:
            fill(1, "early")
            wait_for(lambda: office.delivered)
        fill(60)  # now that it is dead; more than go out in a round
        wait_for(lambda: (next_due(db) or 0) > time.time())
        db.execute("UPDATE outbox SET due_at = ? WHERE held = 1", (cac.now(600),))  # for long
        with open_post_office(smtp_port) as office:
            browser.send("/olvido", usuario="1001")
            wait_for(lambda: len(office.delivered) > 60)
    assert office.recipients() == ["ana@example.com", *(f"{n}@example.com" for n in range(60))]


# --- When the server refuses, stalls or dies ------------------------------------------------------

def test_who_is_refused_for_good_is_given_up_at_once_and_the_operator_reads_why(
        fill, office, send, run):
    fill(3)
    office.answers["1@example.com"] = "550 5.1.1 No such user here"
    send()
    assert office.recipients() == ["0@example.com", "2@example.com"]
    assert re.search(r"given up: 1\n.*550 5.1.1 No such user here", run("mail").output, re.S)


def test_a_message_that_is_refused_is_given_up_too(fill, office, send, outbox):
    fill(1)
    office.answers["DATA"] = "554 5.7.1 Spam"
    send()
    assert (outbox().due_at, outbox().error) == (None, "554 5.7.1 Spam")


def test_who_is_put_off_is_tried_less_and_less_often_and_given_up_after_three_days(
        fill, office, tries, outbox):
    fill(1)
    office.answers["0@example.com"] = "451 4.7.1 Greylisted, try later"
    moments = tries()
    waits = [later - earlier for earlier, later in pairwise(moments)]
    assert waits == sorted(waits) and waits[-1] < 6.1 * 3600
    assert 3 * 86400 <= moments[-1] < 3.5 * 86400
    assert (outbox().sent_at, outbox().error) == (None, "451 4.7.1 Greylisted, try later")


def test_who_is_put_off_delays_nobody(fill, office, send):
    fill(3)
    office.answers["0@example.com"] = "451 4.7.1 Greylisted, try later"
    send()
    assert office.recipients() == ["1@example.com", "2@example.com"]
    office.answers.clear()
    send(61)
    assert office.recipients()[2:] == ["0@example.com"]


def test_a_server_that_dies_after_the_message_gets_the_same_one_again_and_then_the_others(
        fill, office, send):
    fill(3)
    office.after_data = "death"
    send()
    office.after_data = None
    send(70)
    assert office.recipients() == [f"{number}@example.com" for number in (0, 0, 1, 2)]
    assert len({str(message["Message-ID"]) for _, _, message in office.delivered}) == 3


def test_a_server_that_takes_few_mails_at_once_gets_the_rest_in_the_next_round(fill, office, send):
    fill(7)
    office.most = 3
    for second in range(3):
        send(second)
    assert office.recipients() == [f"{number}@example.com" for number in range(7)]


def test_a_sender_that_is_refused_stops_all_mails_and_loses_none(fill, office, send, run):
    fill(3)
    office.most = 0
    send()
    assert "421 4.7.0 Too many, call again" in run("mail").output
    office.most = 9
    send(70)
    assert office.recipients() == [f"{number}@example.com" for number in range(3)]


def test_a_server_that_stalls_is_left_alone_and_gets_the_others_later(
        fill, office, send, monkeypatch):
    monkeypatch.setattr(cac, "SMTP_SECONDS", 0.3)
    fill(3)
    office.after_data = "silence"
    send()
    assert len(office.delivered) == 1
    office.after_data = None
    send(70)
    assert office.recipients()[1:] == [f"{number}@example.com" for number in range(3)]


@pytest.mark.parametrize(("beginning", "drop"), [
    (b"", b"2"), (b"220 here\r\n", b"250-A\r\n"),
    (b"220 here\r\n250 here\r\n250 sender\r\n250 recipient\r\n354 go on\r\n25", b"0")])
def test_a_server_that_drips_its_answers_is_left_alone(
        fill, app, send, db, run, monkeypatch, beginning, drop):
    monkeypatch.setattr(cac, "MAIL_SECONDS", 1)
    fill(1)
    began = time.monotonic()
    with dripping(beginning, drop) as port:
        app.config["SMTP_URL"] = f"smtp://127.0.0.1:{port}"
        send()
    assert time.monotonic() - began < 10
    assert "no whole answer in time" in run("mail").output and next_due(db)


def test_a_server_that_drips_its_farewell_holds_up_no_round(fill, app, send, outbox, monkeypatch):
    monkeypatch.setattr(cac, "SMTP_SECONDS", 1)
    fill(1)
    began = time.monotonic()
    taken = b"220 a\r\n250 a\r\n250 a\r\n250 a\r\n354 a\r\n250 taken\r\n"
    with dripping(taken, b"2") as port:
        app.config["SMTP_URL"] = f"smtp://127.0.0.1:{port}"
        send()
    assert time.monotonic() - began < 10 and outbox().sent_at


def test_a_mail_that_cannot_be_written_does_not_stop_the_others(fill, db, office, send, run):
    fill(3)
    db.execute("UPDATE outbox SET template = 'gone' WHERE id = 1")
    db.execute("UPDATE outbox SET data = '[1]' WHERE id = 2")
    send()
    assert office.recipients() == ["2@example.com"]
    assert run("mail").output.count("it cannot be written") == 2


def test_an_address_that_mail_programs_read_otherwise_stops_no_other(fill, db, office, send, run):
    fill(2)
    db.execute("UPDATE outbox SET recipient = '=?utf-8?q?=5C=40=5B?=x@a.com' WHERE id = 1")
    send()
    assert office.recipients() == ["1@example.com"]
    assert "it cannot be written: ValueError: '=?utf-8?q?=5C=40=5B?=x@a.com' is no e-mail" in (
        db.execute("SELECT error FROM outbox WHERE id = 1").fetchone().error)


@pytest.mark.parametrize("place", ["cac.mail_headers", "smtplib.SMTP.send_message"])
@pytest.mark.parametrize("error", [AttributeError, UnicodeError, RecursionError, MemoryError])
def test_whatever_a_mail_raises_it_is_given_up_and_the_others_go_out(
        fill, outbox_errors, office, send, monkeypatch, caplog, place, error):
    fill(3)
    monkeypatch.setattr(place, raising_at_first(place, error("oh")))
    send()
    assert office.recipients() == ["1@example.com", "2@example.com"]
    assert re.fullmatch(f"it cannot be (written|sent): {error.__name__}: oh", outbox_errors()[0])
    assert "Traceback" in caplog.text


def test_a_mail_that_was_given_up_is_not_tried_again(fill, db, office, send):
    fill(1)
    db.execute("UPDATE outbox SET recipient = 'a(b)@a.com'")
    send()
    send(9 * 86400)
    assert not office.recipients()
    assert db.execute("SELECT due_at FROM outbox").fetchone().due_at is None


def test_a_server_that_never_answers_slows_no_page(browser, database, deaf_server):
    browser.send("/olvido", usuario="1001")
    with serving(database, smtp_url=deaf_server.url) as address:
        deaf_server.wait_for_a_caller()
        began = time.monotonic()
        assert all(answers(f"{address}/ingresar") for _ in range(10))
        assert browser.send("/olvido", usuario="1002").status_code == 200  # writes, too
        assert browser.sign_in("Ana").status_code == 303
        assert time.monotonic() - began < cac.SMTP_SECONDS


def test_a_mail_whose_worker_is_killed_while_it_sends_goes_out_later(
        fill, database, office, send, outbox, app):
    fill(1)
    office.after_data = "silence"
    settings = {"database": database, "secret_key": SECRET_KEY, "base_url": "http://cac.example.com",
                "smtp_url": app.config["SMTP_URL"], "mail_from": app.config["MAIL_FROM"]}
    with running("-c", SEND, **settings) as worker:
        wait_for(lambda: office.delivered)  # now it waits for the answer
        worker.kill()
        worker.wait()
    assert (outbox().sent_at, outbox().error) == (None, cac.CUT_SHORT)
    office.after_data = None
    send(61)
    assert len({str(message["Message-ID"]) for _, _, message in office.delivered}) == 1
    assert outbox().sent_at


# --- As text and as HTML --------------------------------------------------------------------------

def test_its_html_says_the_same_as_its_text(visit, mails, run):
    run("invite", 1007)
    visit("Ñandú").send("/clave", clave_actual="demo-2010", clave_nueva="otra clave más larga")
    for mail in mails():
        html = BeautifulSoup(html_of(mail), "html.parser")
        buttons = [(link.text, link.extract()["href"]) for link in html.select("a.button")]
        assert html.h1.extract().text == mail["Subject"]
        said = " ".join(html.find(class_="words").stripped_strings)
        assert set(said.split()) <= set(mail_text(mail).split())
        assert buttons and all(f"{words}:\n{link}\n" in mail_text(mail) for words, link in buttons)


def test_it_has_the_name_and_the_colour_of_the_customers_brand(visit, mails):
    visit("Ñandú").send("/clave", clave_actual="demo-2010", clave_nueva="otra clave más larga")
    assert '<div class="brand">TornadoStore</div>' in html_of(mails()[0])
    assert "#b04a00" in html_of(mails()[0])
    assert "TornadoStore, de NetOne · 4460-1500" in mail_text(mails()[0])


def test_a_name_is_escaped_in_its_html(visit, mails):
    visit("Ñandú").send("/clave", clave_actual="demo-2010", clave_nueva="otra clave más larga")
    assert "&lt;b&gt;&amp; Cía.:" in html_of(mails()[0])
    assert "<b>" not in html_of(mails()[0])


def test_an_address_in_a_name_is_no_link(browser, db, mails):
    db.execute("UPDATE customer SET name = 'www.evil.example https://evil.example/x'"
               " WHERE number = 1001")
    browser.send("/olvido", usuario="1001")
    assert "evil.example/x" in html_of(mails()[0])
    assert "evil.example" not in "".join(re.findall('href="[^"]*', html_of(mails()[0])))


def test_nothing_is_loaded_from_anywhere(visit, mails):
    visit("Ana").send("/clave", clave_actual="demo-2010", clave_nueva="otra clave más larga")
    assert not re.search("<img|<link|<script|url\\(|@import|src=", html_of(mails()[0]))


def test_every_line_of_it_is_short_and_seven_bits(browser, send, post):
    browser.send("/olvido", usuario="1009")
    send()
    raw = post[0][2].as_bytes(policy=policy.SMTP.clone(max_line_length=None))
    assert raw.isascii() and max(map(len, raw.split(b"\r\n"))) < 200


# --- What the operator sees -----------------------------------------------------------------------

def test_mail_shows_what_waits_since_when_and_why(fill, smtp_port, send, run):
    fill(2)
    send()
    shown = run("mail").output
    assert "waiting: 2" in shown and shown.count("Connection refused") == 2
    assert "0@example.com" in shown and "sent today: 0" in shown


def test_mail_shows_no_link_and_no_text(browser, smtp_port, send, run):
    browser.send("/olvido", usuario="1001")
    send()
    assert "ana@example.com" in run("mail").output
    assert "http" not in run("mail").output and "Sosa" not in run("mail").output


def test_mail_retry_makes_all_that_was_not_sent_due_now(fill, office, send, run):
    fill(3)
    office.answers |= {"0@example.com": "550 Full", "1@example.com": "450 Later"}
    send()
    office.answers.clear()
    assert "Due again now: 2." in run("mail", "--retry").output
    send(1)
    assert office.recipients() == ["2@example.com", "0@example.com", "1@example.com"]
    assert "sent today: 3" in run("mail").output


def test_mail_test_says_what_the_server_said(office, run):
    result = run("mail", "test", "eva@example.com")
    assert (result.exit_code, office.recipients()) == (0, ["eva@example.com"])
    assert "took the mail to eva@example.com: 250 OK: queued as 4711" in result.output
    assert office.delivered[0][2]["Subject"] == "Correo de prueba de NetOne"


@pytest.mark.parametrize(("url", "words"), [
    ("smtp://127.0.0.1:{port}", "550 5.1.1 No such user"),
    ("smtp://127.0.0.1:1", "Connection refused"),
    ("smtp://nobody.invalid", "not known|resolution"),
    ("smtps://127.0.0.1:{port}", "SSL"),
    ("smtp+starttls://127.0.0.1:{port}", "STARTTLS extension not supported"),
    ("smtp://cac:topsecret@127.0.0.1:{port}", "AUTH extension not supported"),
    ("smtp://cac:topsecret@127.0.0.1:99999", "its port"),
    ("smtp://cac:top%C3%B1secret@127.0.0.1:{auth}", "its password cannot be used"),
    ("smtp://cac:topsecret@127.0.0.1:{auth}", "535 5.7.8 Authentication credentials invalid"),
])
def test_mail_test_says_what_went_wrong_and_no_password(
        app, office, smtp_port, run, url, words):
    office.answers["eva@example.com"] = "550 5.1.1 No such user"
    port = free_port()
    with open_post_office(port, auth_require_tls=False, authenticator=lambda *_: AuthResult(
            success=False, handled=False)):
        app.config["SMTP_URL"] = url.format(port=smtp_port, auth=port)
        result = run("mail", "test", "eva@example.com")
    assert result.exit_code == 1 and re.search(words, result.stderr)
    assert "topsecret" not in result.stderr and "secret" not in result.output
    assert "Nothing was sent." in result.stderr


def test_mail_test_needs_an_address_that_is_one(run, office):
    assert "is no e-mail address" in run("mail", "test", "ana@x.com, eva@x.com").stderr
    assert run("mail", "test").exit_code == 2
    assert run("mail", "test", "--help").exit_code == 0
    assert office.delivered == []
