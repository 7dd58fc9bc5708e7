"""Customers who write to the real server, whatever happens to it, and what they were promised.

An answer of 200 or 303 is a promise: what was sent is in the database, now and after any fault.
"""

import json
import re
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from http.client import HTTPException
from http.cookiejar import CookieJar
from urllib.parse import urlencode

import cac
from conftest import CAST, PASSWORD, running, wait_for

WRITERS = ("Beto", "Caro", "Elena")     # who may all pay in advance
SETTINGS = {"secret_key": "k3y-of-a-test-" * 3, "dineromail_account": "11925320",
            "dineromail_password": "demo-ipn-key", "dineromail_url": "http://127.0.0.1:9"}
GONE = 0                                # in place of a status: nobody answered
MAY_BE_ANSWERED = {200, 303, 503, GONE, 429}    # 429: 300 payments an hour are begun


class Customer:
    """A browser on the real server, with its cookies; redirects are not followed."""

    def __init__(self, address):
        self.address = address
        stay = type("Stay", (urllib.request.HTTPRedirectHandler,),
                    {"redirect_request": lambda *_: None})
        jar = urllib.request.HTTPCookieProcessor(CookieJar())
        self.opener = urllib.request.build_opener(jar, stay)

    def ask(self, path, timeout=20, **fields):
        """(status, headers, text) of a page, or of a form that is sent; GONE = no answer."""
        data = urlencode(fields).encode() if fields else None
        try:
            answer = self.opener.open(self.address + path, data, timeout)
        except urllib.error.HTTPError as error:
            answer = error
        except (OSError, HTTPException):
            return GONE, {}, ""
        try:
            return answer.status, answer.headers, answer.read().decode()
        except (OSError, HTTPException):
            return GONE, {}, ""

    def send(self, path, page=None, **fields):
        """Fill in the form of a page, with its token, and send it."""
        status, headers, text = self.ask(page or path)
        token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', text)
        if status != 200 or not token:
            return status if status == 503 else GONE, headers, text
        return self.ask(path, csrf_token=token[1], **fields)

    def sign_in(self, who):
        """Sign in as one of the cast."""
        return self.send("/ingresar", usuario=CAST[who], clave=PASSWORD)


class Load:
    """What some customers do at once, again and again: the answers, and what is promised."""

    def __init__(self, address, pause=0.0):
        self.address, self.pause = address, pause
        self.answers = []       # (what was done, status), in order
        self.promises = []      # (sql, values): each has to find a row
        self.refusals = []      # (Retry-After, text) of each 503
        self.stopped = threading.Event()

    def note(self, deed, answer, sql, *values):
        """Note an answer, and the promise if it is one."""
        self.answers.append((deed, answer[0]))
        if answer[0] in (200, 303):
            self.promises.append((sql, values))
        elif answer[0] == 503:
            self.refusals.append((answer[1].get("Retry-After"), answer[2]))
        else:
            time.sleep(0.02)    # until somebody answers again

    def name(self, who, number):
        """A word that is written once."""
        return f"{who}{id(self)}X{number}X"

    def change_data(self, customer, who, number):
        """Modificar Datos: another contact."""
        name = self.name(who, number)
        self.note("data", customer.send("/datos", contacto=name),
                  "SELECT 1 FROM event WHERE customer = ? AND new = ?", CAST[who], name)

    def begin_payment(self, customer, who, number):
        """PAGO ONLINE: an advance payment, each of another amount."""
        answer = customer.send("/pago", concepto="adelanto", medio="dineromail",
                               importe=f"{100 + number % 4000},{number % 100:02}")
        reference = (answer[1].get("Location") or "").rpartition("/")[2]
        self.note("payment", answer, "SELECT 1 FROM payment WHERE customer = ? AND reference = ?",
                  CAST[who], reference)

    def notify(self, customer, who, number):
        """A notice of DineroMail's, of a payment that nobody knows."""
        name = self.name(who, number)
        xml = f"<notificacion><operaciones><operacion><id>{name}</id></operacion></operaciones>"
        self.note("notice", customer.ask("/aviso/dineromail", Notificacion=xml + "</notificacion>"),
                  "SELECT 1 FROM notice WHERE instr(CAST(body AS TEXT), ?)", name)

    def live(self, who):
        """One customer's life: signed in once, which a killed server must not forget."""
        customer = Customer(self.address)
        while not self.stopped.is_set() and customer.sign_in(who)[0] != 303:
            time.sleep(0.02)
        for number in range(10**6):
            if self.stopped.is_set():
                return
            deed = (self.change_data, self.begin_payment, self.notify)[number % 3]
            deed(customer, who, number)
            time.sleep(self.pause)

    def statuses(self, since=0):
        """All that was answered, but for so many answers at first."""
        return {status for _, status in self.answers[since:]}

    def go_on(self):
        """Wait until each kind of write is done again, or was done too often in this hour."""
        since = len(self.answers)
        wait_for(lambda: {deed for deed, status in self.answers[since:]
                          if status in (200, 303, 429)} == {"data", "payment", "notice"}, 30)

    def broken(self, database):
        """The promises that were not kept."""
        with closing(cac.connect(database)) as db:
            return [one for one in self.promises if not db.execute(*one).fetchone()]


@contextmanager
def load(address, pause=0.0):
    """Three customers write until the end of the block; their Load."""
    made = Load(address, pause)
    threads = [threading.Thread(target=made.live, args=[who]) for who in WRITERS]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        made.stopped.set()
        for thread in threads:
            thread.join(30)


def faults_of(database, **settings):
    """What `check` finds BAD, as a monitor asks it."""
    with running("cac.py", "check", "--json", database=database, **SETTINGS | settings) as process:
        found = json.loads(process.communicate(timeout=60)[0])
    return [one["what"] for one in found if one["level"] == "BAD"]


def halves(database):
    """Operations of which only a half was saved: the data differ from what the log says."""
    with closing(cac.connect(database)) as db:
        return db.execute("SELECT number, contact, event.new FROM customer JOIN event ON event.id ="
                          " (SELECT max(id) FROM event WHERE customer = number AND"
                          " field = 'contact') WHERE contact IS NOT event.new").fetchall()


def assert_nothing_is_lost(database, made):
    """Every promise kept, nothing half done, no answer but those that may be, `check` content."""
    assert made.statuses() <= MAY_BE_ANSWERED, made.answers
    assert made.promises
    assert all("No se guardó nada" in text and wait for wait, text in made.refusals)
    assert made.broken(database) == []
    assert halves(database) == []
    assert faults_of(database) == []
