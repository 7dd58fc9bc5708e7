"""The outbox, against a real SMTP server: what arrives, and what becomes of what cannot be sent."""

import re
import ssl
import subprocess
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
    SECRET_KEY, dripping, free_port, html_of, link_in, mail_text, open_post_office, running,
    serving, wait_for,
)

SEND = "import cac\nwith cac.create_app().app_context():\n    cac.send_due_mail()"


@pytest.fixture
def rows(db):
    """rows("error"): this of each mail of the outbox, in the order of their addresses."""
    return lambda column: [row[0] for row in db.execute(
        f"SELECT {column} FROM outbox ORDER BY recipient, id").fetchall()]


@pytest.fixture
def states(db):
    """states(): (state, why) of each mail as `list mail` shows them."""
    return lambda: [(row.state, row.why) for row in db.execute(
        "SELECT state, why FROM list_mail ORDER BY id").fetchall()]


@pytest.fixture
def fill(app):
    """fill(3): so many mails in the outbox, to 0@example.com and so on."""
    def filled(count, domain="example.com", seconds=0, template="test"):
        recipients = [f"{number}@{domain}" for number in range(count)]
        with time_machine.travel(time.time() + seconds), app.app_context():
            cac.enqueue(cac.get_db(), template, recipients, None, accounts=[])
    return filled


def next_due(rows):
    """In how many seconds the first mail is due; None if none is."""
    due = min(filter(None, rows("due_at")), default=None)
    return due and datetime.fromisoformat(due).timestamp() - time.time()


def raising_at_first(place, error):
    """What is at this place, but that it raises an error when it is first called."""
    module, _, name = place.partition(".")
    real, errors = resolve_name(f"{module}:{name}"), [error]

    def raising(*words):
        if errors:
            raise errors.pop()
        return real(*words)
    return raising


# --- What arrives ---------------------------------------------------------------------------------

def test_a_mail_goes_from_the_customers_brand_to_the_customer(visit, run, send, post):
    run("set", "admin_email", "cobranzas@netone.com.ar")
    visit("Ñandú").send("/clave", clave_actual="demo-2010", clave_nueva="otra clave más larga")
    send()
    [(sender, recipients, mail)] = post
    assert (sender, recipients) == ("cac@example.com", ["nandu@example.com"])
    assert (mail["From"], mail["To"]) == ("TornadoStore <cac@example.com>", "nandu@example.com")
    assert mail["Reply-To"] == "cobranzas@netone.com.ar"
    assert mail["Subject"] == "Cambió la clave de su cuenta de TornadoStore"
    assert 'Ñandú "D\'Ángelo" <b>& Cía.:' in mail_text(mail)


@pytest.mark.parametrize(("sender", "shown"), [
    ("NetOne, Rosario <cac@example.com>", '"NetOne, Rosario" <cac@example.com>'),
    ("Atención al Cliente <cac@example.com>", "Atención al Cliente <cac@example.com>"),
    ('Net "One" SA <cac@example.com>', '"Net \\"One\\" SA" <cac@example.com>'),
    ("cac@example.com", "cac@example.com"), ("<cac@ñandú.com>", "cac@xn--and-6ma2c.com"),
])
def test_a_sender_may_have_any_name(app, run, post, sender, shown):
    app.config["MAIL_FROM"] = sender
    assert run("mail", "test", "eva@example.com").exit_code == 0
    envelope, _, mail = post[0]
    assert (mail["From"], mail["From"].addresses[0].addr_spec) == (shown, envelope)


def test_the_running_service_sends_by_itself_and_each_mail_once(run, database, post, smtp_port):
    customers = [1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1010, 1013]
    run("invite", *customers)
    with serving(database, smtp_url=f"smtp://127.0.0.1:{smtp_port}"):
        wait_for(lambda: len(post) >= len(customers))
        run("password", 1001, "--mail")  # comes after all the others
        wait_for(lambda: "Cambie su clave" in str(post[-1][2]["Subject"]))
    assert len(post) == len(customers) + 1


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
def test_it_goes_by_tls_to_whom_the_certificate_names_and_to_nobody_else(
        app, run, tmp_path, monkeypatch, scheme):
    made = ("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
            " -addext subjectAltName=DNS:localhost -keyout key -out crt")
    subprocess.run(made.split(), cwd=tmp_path, check=True, capture_output=True)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    port = free_port()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "crt"))
    with open_post_office(port, **{"ssl_context" if scheme == "smtps" else "tls_context": tls}):
        for host, said in ("localhost", "took it"), ("127.0.0.1", "certificate verify failed"):
            app.config["SMTP_URL"] = f"{scheme}://{host}:{port}"
            assert said in run("mail", "test", "eva@example.com").output


# --- What is not in them, and not in the database -------------------------------------------------

@pytest.mark.parametrize("name", ["NetOne\r\nBcc: eva@evil.example", "NetOne\n\nSubject: Hola"])
def test_a_name_cannot_add_a_header(run, db, send, post, name):
    db.execute("UPDATE brand SET name = ?", (name,))
    db.execute("UPDATE customer SET name = ?", (name,))
    run("invite", 1001)
    send()
    for _, recipients, mail in post:
        assert (recipients, mail["Bcc"]) == (["ana@example.com"], None)
        assert len(mail.get_all("Subject")) == 1


@pytest.mark.parametrize("address", [
    "0@example.com\r\nBcc: eva@evil.example", "=?utf-8?q?=5C=40=5B?=x@a.com", "a@b, c@d"])
def test_what_is_no_address_gets_nothing_and_stops_no_other(
        fill, db, send, post, states, address):
    fill(2)
    db.execute("UPDATE outbox SET recipient = ? WHERE id = 1", (address,))
    send()
    send(9 * 86400)
    assert [recipients for _, recipients, _ in post] == [["1@example.com"]]
    why = f"it cannot be sent: ValueError: {address!r} is no e-mail address"
    assert states()[0] == ("given up", why)


def test_no_link_is_in_the_database(browser, database, send, post):
    browser.send("/olvido", usuario="1001")
    send()
    token = re.search(r"/clave/(\S+)", mail_text(post[0][2]))[1]
    kept = b"".join(file.read_bytes() for file in database.parent.glob("cac.db*"))
    assert b"ana@example.com" in kept
    assert not any(part.encode() in kept for part in token.split(".")[::2])


# --- While there is no server ---------------------------------------------------------------------

def test_while_smtp_is_down_mail_waits_with_the_error_and_then_goes_out(
        browser, smtp_port, send, rows):
    assert browser.send("/olvido", usuario="1001").status_code == 200
    send()
    assert [*rows("sent_at"), *rows("tries"), *rows("error")] == [None, 0, "Connection refused"]
    with open_post_office(smtp_port) as office:
        send(cac.OUTAGE_SECONDS - 2)
        assert office.delivered == []  # too early
        send(cac.OUTAGE_SECONDS + 1)
    assert (office.recipients(), rows("error")) == (["ana@example.com"], [None])


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


def test_what_waits_for_three_days_is_given_up(fill, smtp_port, send, states):
    fill(2)
    send(3 * 86400 - 600)
    assert states() == [("waiting", "Connection refused")] * 2
    send(3 * 86400 + 60)
    assert states() == [("given up", "Connection refused")] * 2


def test_who_waits_for_a_link_gets_it_before_all_others(fill, smtp_port, send):
    fill(60)
    fill(1, "late.example", template="reset")
    with open_post_office(smtp_port) as office:
        send()
    assert office.recipients()[:2] == ["0@late.example", "0@example.com"]


@pytest.mark.parametrize(("setting", "value", "why"), [
    ("SMTP_URL", "", "CAC_SMTP_URL is not set"), ("BASE_URL", "", "CAC_BASE_URL is not set")])
def test_while_a_setting_is_missing_all_mail_waits(
        app, fill, office, send, states, setting, value, why):
    fill(2)
    good = app.config[setting]
    app.config[setting] = value
    send()
    assert {state for state, _ in states()} == {"waiting"} and why in states()[0][1]
    app.config[setting] = good
    send(61)
    assert sorted(office.recipients()) == ["0@example.com", "1@example.com"]


# --- When the server refuses ----------------------------------------------------------------------

@pytest.mark.parametrize("said", [
    "550 5.1.1 <0@example.com>: User unknown in relay recipient table", "550 5.2.1 Disabled",
    "550 No such user: sender@example.com", "550 5.1.0 Address rejected"])
def test_who_is_nobody_is_given_up_at_once(
        fill, office, send, states, rows, said):
    fill(3)
    office.answers["0@example.com"] = said
    send()
    send(86400)
    assert office.recipients() == ["1@example.com", "2@example.com"]
    assert states()[0] == ("given up", said)
    assert rows("bad_address") == [1, 0, 0]


@pytest.mark.parametrize("said", [
    "550 example.com has exceeded the max emails per hour", "550 Relaying denied",
    "550 5.4.5 Daily user sending limit exceeded", "552 5.2.2 Mailbox full", "550 5.3.4 Too big",
    "553 5.1.8 Sender domain not found", "550 SMTP authentication required", "554 Failed",
    "553 sorry, that domain isn't in my list of allowed rcpthosts", "550 blocked: 5.1.1.7",
    "451 4.7.1 Greylisted, try later", "450 Later"])
def test_what_does_not_speak_of_the_recipient_is_tried_again(fill, office, send, states, said):
    fill(2)
    office.answers["0@example.com"] = said
    send()
    assert states()[0] == ("waiting", said)
    assert office.recipients() == ["1@example.com"]     # it delays nobody
    office.answers.clear()
    send(61)
    assert office.recipients() == ["1@example.com", "0@example.com"]


@pytest.mark.parametrize("said", [
    "550 5.4.5 Daily user sending limit exceeded", "421 Busy"])
def test_a_sender_that_is_refused_is_that_of_all_mails_and_none_is_lost(
        fill, office, send, states, said):
    fill(3)
    office.answers["MAIL"] = said
    send()
    assert [why[:len(said)] for _, why in states()] == [said] * 3
    office.answers.clear()
    send(61)
    assert sorted(office.recipients()) == [f"{number}@example.com" for number in range(3)]


def test_who_is_put_off_is_tried_less_and_less_often_and_given_up_after_three_days(
        fill, office, send, rows, states):
    fill(1)
    office.answers["0@example.com"] = "451 4.7.1 Greylisted, try later"
    moments = [0]
    send()
    while due := next_due(rows):
        moments.append(due + 1)
        send(moments[-1])
    waits = [round((later - earlier) / 60) for earlier, later in pairwise(moments)]
    assert waits == sorted(waits) and (waits[0], waits[-1]) == (1, 360)
    assert 3 * 86400 <= moments[-1] < 3.5 * 86400
    assert states() == [("given up", "451 4.7.1 Greylisted, try later")]


@pytest.mark.parametrize("said", ["421 4.7.0 Call again", "452 4.5.3 Too many recipients"])
def test_a_server_that_takes_few_mails_at_once_gets_the_rest_on_new_connections(
        fill, office, send, said):
    fill(7)
    office.most, office.answers["too many"] = 3, said
    for second in (0, 1, 61):
        send(second)
    assert sorted(office.recipients()) == [f"{number}@example.com" for number in range(7)]


@pytest.mark.parametrize("is_taken", [True, False])
def test_an_address_with_accents_arrives_where_the_server_takes_it(
        fill, db, smtp_port, send, rows, is_taken):
    fill(2)
    db.execute("UPDATE outbox SET recipient = 'ñandú@example.com' WHERE id = 1")
    with open_post_office(smtp_port, enable_SMTPUTF8=is_taken) as office:
        send()
    assert office.recipients() == ["ñandú@example.com"] * is_taken + ["1@example.com"]
    assert rows("error")[1] == (None if is_taken else "the server takes no address with accents")


# --- When the server, the worker or a mail breaks -------------------------------------------------

@pytest.mark.parametrize("breaks", ["death", "silence"])
def test_what_was_cut_short_goes_out_again_the_same_and_the_others_before_it(
        fill, office, send, monkeypatch, breaks):
    monkeypatch.setattr(cac, "SMTP_SECONDS", 0.3)
    fill(3)
    office.after_data = breaks
    send()
    office.after_data = None
    send(6)
    send(70)
    assert office.recipients() == [f"{number}@example.com" for number in (0, 1, 2, 0)]
    assert len({str(message["Message-ID"]) for _, _, message in office.delivered}) == 3


@pytest.mark.parametrize("place", ["cac.sha256", "smtplib.SMTP.data"])
@pytest.mark.parametrize("error", [UnicodeError, MemoryError])
def test_whatever_a_mail_raises_it_is_given_up_and_the_others_go_out(
        fill, states, office, send, monkeypatch, caplog, place, error):
    fill(3)
    monkeypatch.setattr(place, raising_at_first(place, error("oh")))
    send()
    send(10)
    assert sorted(office.recipients()) == ["1@example.com", "2@example.com"]
    assert states()[0] == ("given up", f"it cannot be sent: {error.__name__}: oh")
    assert "Traceback" in caplog.text


def test_a_mail_that_cannot_be_written_stops_no_other(fill, db, office, send, states):
    fill(2)
    db.execute("UPDATE outbox SET template = 'gone' WHERE id = 1")
    send()
    assert office.recipients() == ["1@example.com"]
    assert states()[0][0] == "given up" and "it cannot be sent" in states()[0][1]


def test_a_mail_whose_worker_is_killed_while_it_sends_goes_out_later(
        fill, database, office, send, rows, app):
    fill(1)
    office.after_data = "silence"
    settings = {"database": database, "secret_key": SECRET_KEY, "base_url": "http://cac.example.com",
                "smtp_url": app.config["SMTP_URL"], "mail_from": app.config["MAIL_FROM"]}
    with running("-c", SEND, **settings) as worker:
        wait_for(lambda: office.delivered)  # now it waits for the answer
        worker.kill()
        worker.wait()
    assert (rows("sent_at"), rows("error")) == ([None], [cac.CUT_SHORT])
    office.after_data = None
    send(61)
    assert len({str(message["Message-ID"]) for _, _, message in office.delivered}) == 1
    assert rows("sent_at") != [None]


# --- As text and as HTML --------------------------------------------------------------------------

def test_its_html_says_the_same_as_its_text(visit, mails, run):
    run("invite", 1007)
    visit("Ñandú").send("/clave", clave_actual="demo-2010", clave_nueva="otra clave más larga")
    assert "TornadoStore, de NetOne · 4460-1500" in mail_text(mails()[1])
    assert '<div class="brand">TornadoStore</div>' in html_of(mails()[1])
    for mail in mails():
        html = BeautifulSoup(html_of(mail), "html.parser")
        buttons = [(link.text, link.extract()["href"]) for link in html.select("a.button")]
        assert html.h1.extract().text == mail["Subject"]
        said = " ".join(html.find(class_="words").stripped_strings)
        assert set(said.split()) <= set(mail_text(mail).split())
        assert buttons and all(f"{words}:\n{link}\n" in mail_text(mail) for words, link in buttons)


def test_an_address_in_a_name_is_no_link_and_markup_is_escaped(browser, db, mails):
    db.execute("UPDATE customer SET name = '<b> www.evil.example https://evil.example/x'")
    browser.send("/olvido", usuario="1001")
    page = html_of(mails()[0])
    assert "&lt;b&gt; www" in page and "evil.example/x" in page
    assert "evil.example" not in "".join(re.findall('href="[^"]*', page))


def test_every_line_of_it_is_short_and_seven_bits(db, run, send, post):
    db.execute("UPDATE brand SET name = 'Ñandúes, Pingüinos y Compañía de Comunicaciones S. A.'")
    run("invite", 1009)
    send()
    raw = post[0][2].as_bytes(policy=policy.SMTP)
    assert raw.isascii() and max(map(len, raw.split(b"\r\n"))) < 200
    assert all(len(word) <= 75 for word in re.findall(rb"=\?.*?\?=", raw))     # RFC 2047


# --- What the operator sees -----------------------------------------------------------------------

def test_list_mail_shows_what_waits_since_when_and_why_but_no_link_and_no_text(
        browser, smtp_port, send, db):
    browser.send("/olvido", usuario="1001")
    send()
    [row] = db.execute("SELECT * FROM list_mail").fetchall()
    assert row[1:5] == ("waiting", "reset", "ana@example.com", 1001) and row.since <= cac.now()
    assert (row.next_try > cac.now(), row.why) == (True, "Connection refused")
    assert "http" not in str(row) and "Sosa" not in str(row)


def test_mail_retry_makes_all_that_was_not_sent_due_now(fill, office, send, run, rows):
    fill(3)
    office.answers |= {"0@example.com": "550 Full", "1@example.com": "450 Later"}
    send()
    office.answers.clear()
    assert "Due again now: 2." in run("mail", "retry").output
    send(1)
    assert office.recipients() == ["2@example.com", "0@example.com", "1@example.com"]
    assert rows("bad_address") == [0, 0, 0]


def test_check_is_bad_if_mails_were_given_up_for_another_reason_than_their_address(
        fill, office, send, run):
    fill(2)
    office.answers |= {"0@example.com": "550 5.1.1 Nobody", "DATA": "550 Spam"}
    send()
    assert "no mail was given up but for its address" in run("check").output
    send(4 * 86400)
    assert "mails given up, not for their address: 1" in run("check").output


def test_check_counts_customers_all_of_whose_addresses_refuse_mail(run, office, send):
    counts = []
    for dead in (["ines"], ["ines", "estudio"], []):    # hers alone, both of hers, none any more
        office.answers = {f"{name}@example.com": "550 5.1.1 Nobody" for name in dead}
        run("invite", 1009)
        send()
        counts += re.findall("all of whose addresses refuse mail: (.)", run("check").output) or "-"
    assert counts == ["-", "2", "-"]    # the accountant's address is all that 1010 has


def test_mail_test_shows_the_envelope_and_what_the_server_said(office, run, smtp_port):
    result = run("mail", "test", "eva@example.com")
    assert (result.exit_code, office.recipients()) == (0, ["eva@example.com"])
    assert result.output.splitlines() == [
        "from: CAC <cac@example.com>", "to: eva@example.com",
        f"server: smtp://127.0.0.1:{smtp_port}", "the server took it"]
    assert office.delivered[0][2]["Subject"] == "Correo de prueba de NetOne"


@pytest.mark.parametrize(("url", "words"), [
    ("smtp://127.0.0.1:{port}", "550 5.1.1 No such user"),
    ("smtp://127.0.0.1:1", "Connection refused"),
    ("smtp://nobody.invalid", "not known|resolution"),
    ("smtps://127.0.0.1:{port}", "SSL"),
    ("smtp+starttls://127.0.0.1:{port}", "STARTTLS extension not supported"),
    ("smtp://cac:topsecret@127.0.0.1:{port}", "AUTH extension not .*; write smtp.starttls"),
    ("smtp://cac:topsecret@127.0.0.1:99999", "its port"),
    ("smtp://cac:top%C3%B1secret@127.0.0.1:{auth}", "its password cannot be used"),
    ("smtp://cac:topsecret@127.0.0.1:{auth}", "535 5.7.8 Authentication credentials invalid"),
    ("", "CAC_SMTP_URL is not set"),
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
    assert "secret" not in result.stderr and "secret" not in result.output


@pytest.mark.parametrize("sender", ["CAC", "A <a b@x.com>", "a@x.com, b@x.com", "A <a@x..y>"])
def test_a_sender_that_is_no_address_is_refused_at_once(sender):
    with pytest.raises(cac.Refused, match=r"such as CAC <cac@example\.com>"):
        cac.create_app(mail_from=sender)


@pytest.mark.parametrize("letter", "/?#")
def test_a_password_with_letters_of_an_address_is_told_how_to_be_written(letter):
    with pytest.raises(cac.Refused, match="%2F %3F %23") as refused:
        cac.create_app(smtp_url=f"smtp://cac:top{letter}secret@mail.example.com:587")
    assert "secret" not in str(refused.value)


def test_mail_test_needs_an_address_that_is_one(run, office):
    assert "is no e-mail address" in run("mail", "test", "ana@x.com, eva@x.com").stderr
    for words in (), ("test",), ("retry", "a@x.com"):
        assert run("mail", *words).exit_code == 2
    assert run("mail", "test", "--help").exit_code == 0
    assert office.delivered == []
@pytest.mark.parametrize(("beginning", "drop"), [
    (b"", b"2"), (b"", b"220-hello\r\n"), (b"220 here\r\n", b"250-A\r\n"),
    (b"220 here\r\n" + b"250 good\r\n" * 4 + b"354 go on\r\n", b"250-more\r\n")])
def test_a_server_that_drips_its_answers_is_left_alone(
        fill, app, send, states, monkeypatch, beginning, drop):
    monkeypatch.setattr(cac, "CONNECTION_SECONDS", 0.5)
    fill(1)
    began = time.monotonic()
    with dripping(beginning, drop) as port:
        app.config["SMTP_URL"] = f"smtp://127.0.0.1:{port}"
        send()
    assert time.monotonic() - began < 5
    [(state, why)] = states()
    assert state == "waiting" and re.match("no whole answer|Connection unexpectedly closed", why)


