"""The service with two workers, under a flood of notices, and killed again and again meanwhile.

CAC_KILLS says how often it is killed; four times unless told. Both payment services are
tests/standins.py, in a process of its own.
"""

import json
import os
import random
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field

import cac
import pytest
from conftest import (
    ACCOUNT, KEY, SECRET, SECRET_KEY, TOKEN, Books, answers, eight_at_once, running, serving,
    wait_for,
)

pytestmark = pytest.mark.faults
SERVICE = None     # both
KILLS = int(os.environ.get("CAC_KILLS", "4"))


@dataclass
class Paid:
    """A payment that the customer made."""

    service: str
    reference: str
    amount: int             # centavos
    number: str = ""        # Mercado Pago's
    told: list = field(default_factory=list)    # what each of its notices was answered; 0 = nothing

    def subject(self):
        """What its notices name."""
        return self.number or self.reference


@pytest.fixture
def settings(shop):
    """How the portal reaches them, and how it is reached."""
    return {"dineromail_url": shop.address, "dineromail_account": ACCOUNT,
            "dineromail_password": KEY, "mercadopago_url": shop.address,
            "mercadopago_token": TOKEN, "mercadopago_secret": SECRET,
            "base_url": f"http://127.0.0.1:{shop.port}", "secret_key": SECRET_KEY}


@pytest.fixture
def app(app, settings):
    """The application, for the customer and the operator; its chores are off."""
    app.config.update({name.upper(): value for name, value in settings.items()})
    return app


@pytest.fixture
def pay(shop, visit, db):
    """pay("mercadopago", 100): Beto begins such a payment and makes it; no notice is sent yet."""
    beto = visit("Beto")

    def paid(service, amount):
        typed = f"{amount // 100},{amount % 100:02}"
        begun = beto.send("/pago", concepto="adelanto", medio=service, importe=typed)
        assert begun.status_code == 303
        made = db.execute("SELECT reference FROM payment ORDER BY id DESC").fetchone().reference
        state = {"dineromail": 2, "mercadopago": "approved"}[service]
        known = shop.control("operations", service=service, reference=made, state=state,
                             amount=f"{amount // 100}.{amount % 100:02}")
        number = str(known["number"]) if service == "mercadopago" else ""
        return Paid(service, made, amount, number)
    return paid


def tell(shop, payment):
    """Its service sends a notice of a payment."""
    payment.told += shop.control("notify", service=payment.service, references=[payment.reference])


def stored(notice, payment):
    """Whether a stored notice is of this payment, not of one whose number is longer."""
    told = notice.query + bytes(notice.body).decode()
    return re.search(rf"(?<![0-9]){payment.subject()}(?![0-9])", told) is not None


def faults_of_the_ledger(database, settings):
    """What `check` finds wrong with the ledger, as a monitor asks it."""
    with running("cac.py", "check", "--json", database=database, **settings) as process:
        found = json.loads(process.communicate(timeout=30)[0])
    assert len(found) > 20
    return [one["what"] for one in found if one["level"] == "BAD"]


def assert_each_is_credited_once(books, payments):
    """A receipt and a mail for each, of its amount; nothing else, nothing left to a person."""
    expected = sorted(-payment.amount for payment in payments)
    assert sorted(books.of("Beto")[1]) == expected
    assert (books.of("Beto")[0], books.reviews()) == (sum(expected), [])
    mails = books.db.execute("SELECT data FROM outbox WHERE template = 'receipt'").fetchall()
    assert sorted(json.loads(mail.data)["reference"] for mail in mails) == sorted(
        payment.reference for payment in payments)


def assert_no_notice_is_lost(db, payments):
    """Each that was answered 200 is on file and settled; who was told of is credited."""
    notices, credited = Books(db).notices(), {row.reference for row in db.execute(
        "SELECT reference FROM payment WHERE state = 'credited'")}
    assert {notice.outcome for notice in notices} == {"settled"}
    for payment in payments:
        kept = [notice for notice in notices if stored(notice, payment)]
        assert len(kept) >= payment.told.count(200)
        assert payment.reference in credited or not kept


def test_two_hundred_notices_of_twenty_payments_make_twenty_receipts(
        database, settings, shop, pay, db):
    payments = [pay("mercadopago", 100 * pesos) for pesos in range(1, 21)]
    ten_of_each = payments * 10
    random.Random(2010).shuffle(ten_of_each)  # noqa: S311 - chance, not a secret
    with serving(database, shop.port, **settings):
        eight_at_once(lambda payment: tell(shop, payment), ten_of_each)
        assert all(payment.told == [200] * 10 for payment in payments)
        wait_for(lambda: all(one.outcome == "settled" for one in Books(db).notices()), 30)
    assert_each_is_credited_once(Books(db), payments)
    assert faults_of_the_ledger(database, settings) == []


@pytest.fixture
def live_until_killed(database, settings, shop):
    """live_until_killed(notices, chance): serve, while they arrive; SIGKILL at some moment."""
    address = settings["base_url"]
    command = ["cac.py", "serve", "--port", shop.port, "--workers", 2]

    def lived(notices, chance):
        with running(*command, group=0, database=database, **settings) as process, \
                ThreadPoolExecutor(8) as pool:
            if chance.random() < 0.8:  # else notices come, and it is killed, while it starts
                wait_for(lambda: answers(f"{address}/salud"))
            telling = [pool.submit(tell, shop, payment) for payment in notices]
            time.sleep(chance.uniform(0, 0.6))  # when it dies; nothing is waited for
            os.killpg(process.pid, signal.SIGKILL)
            assert [told.result() for told in telling]
        assert not answers(f"{address}/salud")
    return lived


def test_killed_again_and_again_it_credits_each_payment_once(
        database, settings, shop, pay, live_until_killed, db):
    chance, payments, silent = random.Random(2010), [], []  # noqa: S311 - chance, not a secret
    db.execute("DELETE FROM setting WHERE name = 'demo'")  # the mark that serve refuses
    for round_ in range(KILLS):
        amounts = [100 + 10 * round_ + one for one in range(5)]
        new = [pay(service, amount) for service, amount in
               zip(["dineromail", "mercadopago"] * 2, amounts, strict=False)]
        silent.append(pay("mercadopago", amounts[-1]))  # nobody will ever tell us of it
        notices = new * 5 + payments[-4:]
        chance.shuffle(notices)
        live_until_killed(notices, chance)
        payments += new
    assert {0, 200} <= {answer for payment in payments for answer in payment.told}
    # Time goes by for the notices that were being settled when it died: each is tried again later.
    db.execute("UPDATE notice SET query_at = received_at WHERE query_at IS NOT NULL")
    with serving(database, shop.port, **settings):
        wait_for(lambda: not db.execute("SELECT 1 FROM notice WHERE query_at IS NOT NULL"
                                        ).fetchone(), 60)
        assert_no_notice_is_lost(db, payments)
        # Three minutes go by for the payments of which we were never told.
        db.execute("UPDATE payment SET query_at = created_at WHERE state = 'new'")
        wait_for(lambda: not db.execute("SELECT 1 FROM payment WHERE state = 'new'").fetchone(), 60)
    assert_each_is_credited_once(Books(db), payments + silent)
    with closing(cac.connect(database)) as reopened:
        assert reopened.execute("PRAGMA integrity_check").fetchone().integrity_check == "ok"
    assert faults_of_the_ledger(database, settings) == []
