"""CAC, Centro de Atención al Cliente: where a company's customers look after their account.

They see what they owe, download their invoices, pay on line and keep their own data. One file, one
SQLite database, pages in Spanish. `python cac.py demo` shows it, `python cac.py --help` lists the
commands.

Contents, each part using only those above it:
    Rules        the manual's rules, money and days; pure functions
    Settings     of the process (CAC_…) and of the company (table setting)
    Database     one connection a thread, one way to write, schema and upgrades; log, limits, outbox
    Pages        what pages and commands share: forms, answers, errors; pages without rules
    Sign-in      passwords, sessions, Accesos a su cuenta
    Links        ¿Olvidó su Clave?, invitations, a new password
    Profile      Modificar Datos, confirming an address, what customers changed
    Statement    home, Mi cuenta corriente, ¿Por qué este saldo?
    Documents    CSV, PDF and ZIP; vouchers
    Services     DineroMail and Mercado Pago, as they talk
    Payments     PAGO ONLINE, notices, settling, credit, review
    Transfers    those that customers tell us of: no balance moves
    Mail         writing and sending what the outbox holds; reminders
    Files        CSV and workbooks as programs write them
    Undo         imports one at a time, each kept so that it can be taken back
    Import       a file into rows, rows into the database
    Invoices     a folder of PDFs, each to its voucher
    Upkeep       check, backup, restore
    Commands     what the operator types and no part above owns
    Application  create_app, what every page has, the background thread
    Serving      serve and demo

Words: movement = a line of the statement; voucher = an invoice, a receipt, any comprobante;
balance = the sum of a customer's movements, positive when the customer owes; limit = the DineroMail
limit; number = the user number; attempt = one try to pay on line; notice = what a payment service
tells us unasked; outbox = mails not sent yet; job = what the background thread does over and over.
Amounts are int, in centavos. Times are UTC, dates the day in Argentina, both as text.
"""

import codecs
import csv
import fcntl
import hashlib
import hmac
import html
import io
import ipaddress
import json
import logging
import multiprocessing
import os
import pwd
import re
import secrets
import shutil
import signal
import smtplib
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import unicodedata
import zipfile
from base64 import b32encode, b64encode
from collections import Counter, defaultdict, namedtuple
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default as email_policy
from email.utils import unquote as unquote_name
from functools import cache, lru_cache, partial, wraps
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from itertools import chain, groupby, islice, takewhile
from operator import itemgetter
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit
from xml.etree import ElementTree

import click
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from email_validator import validate_email
from flask import (
    Blueprint, Flask, Response, abort, current_app, flash, g, has_app_context, redirect,
    render_template, request, send_file, session, url_for,
)
from flask.cli import FlaskGroup
from flask.templating import Environment
from flask_login import (
    LoginManager, UserMixin, current_user, login_required, login_user, logout_user,
)
from flask_wtf import CSRFProtect, FlaskForm
from flask_wtf.csrf import CSRFError
from flask_wtf.file import FileField, FileSize
from itsdangerous import BadSignature, URLSafeTimedSerializer
from jinja2 import TemplateError
from markupsafe import Markup
from stdnum.ar import cbu, cuit
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException as HTTPError, NotFound, TooManyRequests
from werkzeug.middleware.proxy_fix import ProxyFix
from wtforms import BooleanField, DateField, FieldList, PasswordField, SelectField, StringField
from wtforms.validators import AnyOf, DataRequired, Length, StopValidation

HERE = Path(__file__).parent
ARGENTINA = timezone(timedelta(hours=-3))  # no summer time since 2009: needs no tz database
log = logging.getLogger("cac")

# === Rules ========================================================================================
# What the manual decided, and how money, days, numbers and addresses are written in Argentina. Pure
# functions: no Flask, no database, no clock.

MAX_AMOUNT = 2**63 - 1              # centavos: what SQLite's INTEGER holds
FIVE_DIGITS_SINCE = "2018-08-06"    # RG 4290: points of sale are printed with five digits
AMOUNT = re.compile(r"(?:\$\s*)?(?:([1-9][0-9]{0,2}(?:\.[0-9]{3})+),([0-9]{1,2})"
                    r"|([0-9]{1,99})(?:[.,]([0-9]{1,2}))?)")
AMBIGUOUS = re.compile(r"(?:\$\s*)?[0-9]{1,3}(?:[.,][0-9]{3})+")


def shows_dineromail(balance: int, limit: int, dm_active: bool) -> bool:
    """Manual, rule 1: the last invoice's type has DM active, and 0 < balance < limit."""
    return dm_active and 0 < balance < limit


def shows_advance_payment(balance: int, limit: int) -> bool:
    """Manual, rule 2: nothing is owed, or more than the limit."""
    return balance <= 0 or balance > limit


class Operation(NamedTuple):
    """A payment as the payment service tells it."""

    reference: str          # ours
    service_payment: str    # the service's own number; '' = none yet
    state: str              # pending | credited | rejected | unknown; else it is odd
    amount: int | None      # centavos; None = it could not be read
    currency: str           # 'ARS', 'USD' …; '' = not told


def verdict(payment, operation: Operation) -> tuple[str, str]:
    """Decide what to do about an operation, and why, for our payment with its state and amount.

    credit | pending | rejected | nothing | review; only an exact match credits. `payment` None =
    the reference is not ours.
    """
    if payment is None:
        return "review", "unknown reference"
    if payment.state == "credited":
        return verdict_after_credit(payment, operation)
    if operation.state in ("pending", "rejected", "unknown"):
        is_news = payment.state not in (operation.state, "review") and operation.state != "unknown"
        return (operation.state if is_news else "nothing"), ""
    if operation.state != "credited":
        return "review", operation.state
    if (operation.amount, operation.currency) != (payment.amount, "ARS"):
        paid = "?" if operation.amount is None else plain_money(operation.amount)
        expected = plain_money(payment.amount)
        return "review", f"paid {operation.currency or '?'} {paid}, expected ARS {expected}"
    return ("credit", "") if operation.service_payment else ("review", "the service gave no number")


def verdict_after_credit(payment, operation: Operation) -> tuple[str, str]:
    """Decide the same once it was credited: the same again is nothing, all else is odd."""
    is_same = operation.service_payment in ("", payment.service_payment)
    if operation.state == "credited" and not is_same:
        return "review", "paid a second time"
    if operation.state == "credited":
        is_exact = (operation.amount, operation.currency) == (payment.amount, "ARS")
        return ("nothing", "") if is_exact else ("review", "another amount after the credit")
    if operation.state == "unknown" or not is_same:
        return "nothing", ""
    return "review", f"{operation.state} after the credit"


def unpaid(debits, balance: int):
    """Yield (debit, what is still owed of it), newest first: payments cancel the oldest."""
    for debit in debits:
        if balance <= 0:
            return
        yield debit, min(debit.amount, balance)
        balance -= debit.amount


def cancellations(amounts: list[int]):
    """Yield (place of the payment, place of the debt, how much): the oldest debts come first."""
    debts = [(index, amount) for index, amount in enumerate(amounts) if amount > 0]
    payments = [(index, -amount) for index, amount in enumerate(amounts) if amount < 0]
    while debts and payments:
        (debt, owed), (payment, paid) = debts.pop(0), payments.pop(0)
        yield payment, debt, min(owed, paid)
        debts[:0] = [(debt, owed - paid)] if owed > paid else []
        payments[:0] = [(payment, paid - owed)] if paid > owed else []


def page_span(count: int, window: int, size: int, page: int | None) -> tuple[int, int, int, int]:
    """Return (rows before it, rows on it, page, pages); a page that does not exist is the last."""
    shown = min(count, window)
    pages = max(1, -(-shown // size))
    page = page if page and 1 <= page <= pages else pages
    skip = count - shown + (page - 1) * size
    return skip, min(size, count - skip), page, pages


def plain_money(amount: int) -> str:
    """Write an amount for a column that already says pesos: 1.234.567,89 or −320,00."""
    pesos, centavos = divmod(abs(amount), 100)
    return f"{'−' if amount < 0 else ''}{pesos:,}".replace(",", ".") + f",{centavos:02}"


def money(amount: int) -> str:
    """Write an amount as read in Argentina, with a no-break space: $ 1.234,56."""
    return f"{'−' if amount < 0 else ''}$\N{NO-BREAK SPACE}{plain_money(abs(amount))}"


def parse_money(text: str) -> int:
    """Return the centavos of what a customer typed; ValueError says, in Spanish, what to do."""
    if AMBIGUOUS.fullmatch(text.strip()):
        raise ValueError("Escriba el importe con centavos, por ejemplo 1.234,00")
    match = AMOUNT.fullmatch(text.strip())
    if not match:
        raise ValueError("Escriba el importe en números, por ejemplo 1500,50")
    pesos, centavos = (match[1] or match[3]).replace(".", ""), match[2] or match[4] or ""
    amount = int(pesos + centavos.ljust(2, "0"))
    if amount > MAX_AMOUNT:
        raise ValueError("Escriba un importe menor")
    return amount


def day(iso: str | None) -> str:
    """Write a date as read in Argentina: 30/11/2026; '' for None."""
    return f"{iso[8:10]}/{iso[5:7]}/{iso[:4]}" if iso else ""


def moment(at: str) -> str:
    """Write a time of the database, which is UTC, as read in Argentina: 22/11/2026 23:30."""
    return datetime.fromisoformat(at).astimezone(ARGENTINA).strftime("%d/%m/%Y %H:%M")


def dialled(number: str) -> str:
    """Write a telephone number as it is dialled from abroad, where its area code is known.

    >>> dialled("(011) 4460-1500 int. 12"), dialled("4460-1500")
    ('+541144601500', '44601500')
    """
    digits = re.sub("[^0-9]", "", number.lower().partition("int")[0])
    if "+" in number:
        return f"+{digits}"
    if len(digits) == 10 and digits[0] != "0":
        return f"+54{digits}"
    is_national = len(digits) == 11 and digits.startswith(("011", "02", "03"))
    return f"+54{digits[1:]}" if is_national else digits


def voucher_number(movement) -> str:
    """Write a voucher's number as it was printed on its date: 0003-00000094 in 2010."""
    digits = 5 if movement.date >= FIVE_DIGITS_SINCE else 4
    return f"{movement.point_of_sale:0{digits}}-{movement.number:08}"


def is_cuit(text: str) -> bool:
    """Tell whether it is a CUIT, with or without dashes."""
    return text.isascii() and cuit.is_valid(text)


def contrast_with_white(colour: str) -> float:
    """Return how well white letters are read on #rrggbb, from 1 to 21; WCAG asks for 4.5."""
    values = [value / 255 for value in bytes.fromhex(colour[1:])]
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
                        for value in values)
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


def is_cbu(text: str) -> bool:
    """Tell whether it is a CBU: 22 digits, two of them check digits."""
    return text.isascii() and cbu.is_valid(text)


def is_local(url: str) -> bool:
    """Tell whether a redirect to it stays on this site, however a browser may read it."""
    return bool(re.fullmatch(r"/(?!/)[\x21-\x5b\x5d-\x7e]*", url))


def customer_number(text: str) -> int | None:
    """Return the user number that was typed: spaces, dots, dashes, leading zeros do not count."""
    if not re.fullmatch(r"[0-9][0-9\s.-]*", text.strip()):
        return None
    digits = re.sub(r"[\s.-]", "", text).lstrip("0")
    return int(digits or 0) if len(digits) < 10 else None


def deliverable(address: str) -> str:
    """Return an address as SMTP takes it, its domain in ASCII; ValueError if it is none."""
    is_address = re.fullmatch(r"""[^\s@,;:<>()[\]\\"\x00-\x1f\x7f-\x9f]+@[\w.-]+""", address)
    if not is_address or "=?" in address:   # an encoded word: mail programs read something else
        raise ValueError(f"{address!r} is no e-mail address")
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"


def canonical_email(text: str) -> str | None:
    """Return the form in which addresses are compared; None if it is not an address."""
    with suppress(ValueError):
        valid = validate_email(deliverable(text) and text, check_deliverability=False)
        local = unicodedata.normalize("NFKC", valid.local_part).casefold()
        return deliverable(f"{local}@{valid.ascii_domain.lower()}")
    return None


def network_of(address: str) -> str:
    """Return what counts as one client's network: an IPv4 address, the /64 of an IPv6 one."""
    with suppress(ValueError):      # of a proxy that tells something else
        ip = ipaddress.ip_address(address.partition("%")[0])
        ip = getattr(ip, "ipv4_mapped", None) or ip
        return str(ip if ip.version == 4 else ipaddress.ip_network(f"{ip}/64", strict=False))
    return address


def plain(text: str) -> str:
    """Return the letters and digits of a text, without accents, in small letters."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", text).casefold()))


def escaped(text) -> str:
    """Escape what commands a terminal, hides words or is no character: strangers may send it."""
    odd = r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
    return re.sub(odd, lambda match: match[0].encode("unicode_escape").decode(), str(text))


# === Settings =====================================================================================
# Of the process: the environment (CAC_…), else the TOML file in CAC_CONFIG, else the default.
# Of the company: the table setting, changed with the command `set`.

SETTINGS = {  # name: (default, what a value looks like, what it is)
    "SECRET_KEY": ("", r".*", "signs cookies and links: 32 random characters or more"),
    "SECRET_KEY_FALLBACKS": ("", r".*", "earlier keys, with commas: what they signed stays good"),
    "DATABASE": ("cac.db", r".+", "the SQLite file"),
    "DOCUMENTS": ("documents", r".+", "folder of the vouchers' PDFs"),
    "BASE_URL": ("", r"\S*", "public address, for the links in mails and the way back"),
    "PROXIES": ("0", r"[0-9]", "how many proxies in front are trusted for X-Forwarded-…, 0 to 9"),
    "SMTP_URL": ("", r"((smtp|smtps|smtp\+starttls)://([^/?#\s]*@)?[^/?#:@\s]+(:[0-9]{1,5})?/?)?",
                 "smtp://user:password@host:587, smtps:…, smtp+starttls:…; / ? # are %2F %3F %23"),
    "MAIL_FROM": ("CAC <no-responder@localhost>",
                  r"""([^\r\n@<]*<)?[^\s@,;:<>()[\]\\"]+@[\w-]+(\.[\w-]+)*>?""",
                  "sender of the mails, such as CAC <cac@example.com>"),
    "DINEROMAIL_URL": ("https://argentina.dineromail.com", r"https?://\S+",
                       "base address of DineroMail, such as https://argentina.dineromail.com"),
    "DINEROMAIL_ACCOUNT": ("", r"([0-9]{8})?",
                           "all 8 digits, without the slash; without it DineroMail is not offered"),
    "DINEROMAIL_PASSWORD": ("", r".*", "the IPN key, with which operations are queried"),
    "MERCADOPAGO_URL": ("https://api.mercadopago.com", r"https?://\S+",
                        "base address of Mercado Pago, such as https://api.mercadopago.com"),
    "MERCADOPAGO_TOKEN": ("", r".*", "access token; without it Mercado Pago is not offered"),
    "MERCADOPAGO_SECRET": ("", r".*", "with which its notices are signed"),
    "JOBS": ("on", r"on|off", "off = this process does no jobs (mail, payments …): another has to"),
    "LITESTREAM": ("off", r"on|off", "on = Litestream copies the database and empties its -wal"),
    "DEMO": ("", r".*", "set by the demo alone: the folder of its mails"),
}
SECRETS = {"SECRET_KEY", "SECRET_KEY_FALLBACKS", "SMTP_URL", "DINEROMAIL_PASSWORD",
           "MERCADOPAGO_TOKEN", "MERCADOPAGO_SECRET"}
KINDS_OF_SETTING = {  # of the company: (what a value looks like, what `set` says that it takes)
    "text": (r".*\S.*", "a line of text"),
    "count": (r"[1-9][0-9]{0,5}", "a whole number from 1 to 999999"),
    "length": (r"[89]|[1-5][0-9]|6[0-4]", "a whole number from 8 to 64"),
    "hour": (r"off|1?[0-9]|2[0-3]", "an hour from 0 to 23, or off"),
    "money": (r".*", "an amount such as 5000,00"), "email": (r".*", "an e-mail address"),
    "cuit": (r".*", "a CUIT with the right check digit"),
    # and of bank accounts and brands
    "cbu": (r".*", "a CBU: 22 digits, two of them check digits"),
    "alias": (r"([A-Za-z0-9.-]{6,20})?", "an alias of 6 to 20 letters, digits, dots, or nothing"),
    "code": (r"[a-z0-9][a-z0-9-]{0,29}", "at most 30 small letters, digits and dashes"),
    "website": (r"(https?://[^\s\"<>]+)?", "an address that begins with https://, or nothing"),
    "colour": (r"#[0-9a-f]{6}", "a colour such as #0b57a4, dark enough for white letters on it"),
}


def echo(text="", *, err: bool = False) -> None:
    """Print what a command says, whatever strangers wrote into it."""
    click.echo("\n".join(map(escaped, str(text).split("\n"))), err=err)


class Refused(click.ClickException):
    """What is refused, and why: nothing was changed. A command ends with exit code 1."""

    def show(self, file=None) -> None:
        echo(f"Error: {self.message}", err=True)


def configure(app: Flask, **given) -> None:
    """Read the process's settings; `given`, in lower case, wins."""
    config, file = app.config, os.environ.get("CAC_CONFIG", "").strip()
    config.from_mapping({name: default for name, (default, _, _) in SETTINGS.items()})
    if file and (Path(file).exists() or not click.get_current_context(silent=True)):
        try:    # else `init` is about to make it, and `command` refuses all others
            values = tomllib.loads(Path(file).read_text(encoding="utf-8"))
            values = {name.upper().removeprefix("CAC_"): ",".join(value) if isinstance(value, list)
                      else str(value).strip() for name, value in values.items()}
            if unknown := values.keys() - SETTINGS.keys():
                raise ValueError(f"no such setting: {', '.join(sorted(unknown))}")
        except (OSError, ValueError) as error:
            raise Refused(f"CAC_CONFIG: {file}: {error}") from error
        config.from_mapping(values)
    config.from_prefixed_env("CAC", loads=str.strip)
    config.from_mapping({name.upper(): value for name, value in given.items()})
    for name, (_, pattern, about) in SETTINGS.items():
        if not re.fullmatch(pattern, config[name]):
            raise Refused(f"CAC_{name}: {about}.")
    config["SECRET_KEY_FALLBACKS"] = [*filter(None, config["SECRET_KEY_FALLBACKS"].split(","))]


def unsafe_settings(config) -> list[str]:
    """Return what keeps the portal from serving customers, a line each."""
    def is_weak(key):
        sample = re.search("change.?(me|this)|cambi[ae]|example|ejemplo|insecure", key.lower())
        return not re.fullmatch(r"\S{32,}", key) or len(set(key)) < 8 or sample

    how = ("32 random characters or more; make one with"
           " python3 -c 'import secrets; print(secrets.token_urlsafe(48))'")
    return [advice for is_wrong, advice in (
        (is_weak(config["SECRET_KEY"]), f"CAC_SECRET_KEY: needs {how}"),
        (any(map(is_weak, config["SECRET_KEY_FALLBACKS"])),
         f"CAC_SECRET_KEY_FALLBACKS: each needs {how}"),
        (config["DINEROMAIL_ACCOUNT"] and not config["DINEROMAIL_PASSWORD"],
         "CAC_DINEROMAIL_PASSWORD: without it no payment can be confirmed"),
        (not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", config["BASE_URL"]),
         "CAC_BASE_URL: the public address, as https://www.example.com/clientes/"),
        (config["DEMO"], "CAC_DEMO: is for the demo alone")) if is_wrong]


def parse_setting(kind: str, text: str) -> str:
    """Return what `set` stores of a company's setting; ValueError says what it takes."""
    pattern, takes = KINDS_OF_SETTING[kind]
    with suppress(ValueError):
        if kind == "money":
            return str(parse_money(text))
        if kind in ("cuit", "cbu"):
            return {"cuit": cuit, "cbu": cbu}[kind].validate(text)
        if kind == "colour" and contrast_with_white(text) < 4.5:
            raise ValueError
        if canonical_email(text) if kind == "email" else re.fullmatch(pattern, text):
            return text
    raise ValueError(takes)


# === Database =====================================================================================
# A connection for each thread, one way to write, schema and upgrades; and what every part writes.
# Writes are short, and never wait for the network.

SCHEMA_VERSION = 1
UPGRADES = {}           # version: the SQL statements that bring a database there from the last
PATIENCE_SECONDS = 5    # how long a write waits for the others, then it is refused
BESIDE = "-shm", "-wal" # SQLite's files beside a database; without the first, it reads the second
LOCAL = threading.local()       # this thread's connection, and the file that it has open
WRITING = threading.RLock()     # one thread of a process waits for SQLite's lock: that is fair
LIMITS = {              # what: (how often, in how many seconds)
    "sign-in": (10, 900),       # refused passwords of an account, from clients it does not know
    "network": (200, 900),      # refused passwords from one network
    "password": (10, 900),      # refused current passwords of who is signed in
    "refused": (1, 900),        # lines about refused tries in an account's log, a network
    "reset": (3, 3600),         # links to choose a password that an account asks for
    "forgot": (20, 3600),       # and those that a network asks for
    "emails": (30, 3600),       # changes of e-mails: each is mailed to every address
    "confirmation": (5, 3600),  # links to confirm an address that are sent again
    "payment": (300, 3600),     # payments begun: each is asked about
    "transfer": (10, 3600),     # transfers reported: a person looks for each
    "download": (600, 3600),
    "notice": (6000, 3600),     # from a network
}


def now(seconds: float = 0) -> str:
    """Return the time, so many seconds from now, as the database keeps it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def age_of(at: str) -> float:
    """Return the seconds since a time of the database; 0 if it is to come: a clock was ahead."""
    return max(0, (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds())


def retry_at(since: str, first: int, give_up: int) -> str | None:
    """Return when to try again: after as long as it waited, at most six hours; None = give up."""
    age = age_of(since)
    return now(min(max(age, first), 6 * 3600)) if age < give_up else None


def today() -> str:
    """Return the day in Argentina."""
    return datetime.now(ARGENTINA).date().isoformat()


@cache
def row_type(*columns: str):
    """Return a named tuple for these columns: templates read it faster than sqlite3.Row."""
    return namedtuple("Row", columns, rename=True)


def make_row(cursor, values: tuple):
    """Return a row of a query, whose columns are its attributes."""
    return row_type(*map(itemgetter(0), cursor.description))._make(values)


def connect(path) -> sqlite3.Connection:
    """Open a database as all of CAC does: what is committed survives a power cut."""
    db = sqlite3.connect(path, isolation_level=None, cached_statements=256)
    for pragma in (f"busy_timeout = {PATIENCE_SECONDS * 1000}", "journal_mode = WAL",
                   "synchronous = FULL", "foreign_keys = ON"):
        db.execute(f"PRAGMA {pragma}")
    db.row_factory = make_row
    return db


def open_readonly(path) -> sqlite3.Connection:
    """Open a database to look at it and change nothing."""
    db = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)
    db.row_factory = make_row
    return db


def inode_of(path) -> int | None:
    """Return which file has this name; None if there is none."""
    with suppress(FileNotFoundError):
        return Path(path).stat().st_ino
    return None


def get_db() -> sqlite3.Connection:
    """Return this thread's connection; Refused if there is no database.

    If another file was put in its place, the -wal of the old one must not be taken for the new
    one's: it goes into the old file, and both names beside it are freed.
    """
    if db := g.get("db"):
        return db
    path = current_app.config["DATABASE"]
    file = path, inode_of(path)
    if not file[1]:
        raise Refused(f"There is no database at {path}: `python cac.py init` makes one.")
    opened = getattr(LOCAL, "file", None)
    if opened != file:
        if opened and opened[0] == path:
            with suppress(sqlite3.Error):
                LOCAL.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            for name, inode in LOCAL.beside.items():
                if inode and inode_of(name) == inode:   # no other thread was faster
                    Path(name).unlink()
        LOCAL.file, LOCAL.db = None, connect(path)
        LOCAL.beside = {f"{path}{suffix}": inode_of(f"{path}{suffix}") for suffix in BESIDE}
        if inode_of(path) != file[1]:
            raise sqlite3.OperationalError("the database's file was exchanged just now")
        LOCAL.file = file
        if current_app.config["LITESTREAM"] == "on":    # else its copy loses rows, and says nothing
            LOCAL.db.execute("PRAGMA wal_autocheckpoint = 0")
    g.db = LOCAL.db
    return g.db


def fetch_one(sql: str, *values):
    """Return the first row of a query, or None."""
    return get_db().execute(sql, values).fetchone()


def fetch_all(sql: str, *values) -> list:
    """Return all rows. Their columns are looked up once, which halves the time."""
    cursor = get_db().execute(sql, values)
    cursor.row_factory = None
    return list(map(row_type(*map(itemgetter(0), cursor.description))._make, cursor))


@contextmanager
def transaction(db=None, kind: str = "IMMEDIATE", patience: float = PATIENCE_SECONDS):
    """Do all or nothing. IMMEDIATE is to write; DEFERRED to read all from one moment."""
    db, is_writing = db or get_db(), kind == "IMMEDIATE"
    if is_writing and not WRITING.acquire(timeout=patience):
        raise sqlite3.OperationalError("database is locked, and another thread waits for it")
    try:
        if is_writing:
            db.execute(f"PRAGMA busy_timeout = {patience * 1000:.0f}")
        db.execute(f"BEGIN {kind}")
        try:
            yield db
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
    finally:
        if is_writing:
            WRITING.release()


def known_version(db) -> int:
    """Return a database's version, this program's or older; else Refused."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if not version:
        raise Refused("It is no CAC database. Nothing was changed.")
    if version > SCHEMA_VERSION:
        raise Refused(f"The database has version {version}, this program knows {SCHEMA_VERSION}:"
                      " use a newer program. Nothing was changed.")
    return version


def former(path: Path) -> Path:
    """Return a dated name beside a database, for what it was."""
    return path.with_name(f"{path.name}.before-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}")


def move_beside(old: Path, new: Path) -> None:
    """Rename what a crash left beside a database: it would spoil another one of that name."""
    for suffix in BESIDE:
        with suppress(FileNotFoundError):
            Path(f"{old}{suffix}").rename(f"{new}{suffix}")


def make_database(path: Path, *scripts: str) -> None:
    """Make a database from these SQL files, which nobody else may read."""
    if not path.exists():
        move_beside(path, former(path))
    with atomic_write(path) as draft, closing(sqlite3.connect(draft)) as db:
        db.executescript("".join((HERE / name).read_text(encoding="utf-8") for name in scripts))


def is_demo_data(db) -> bool:
    return bool(db.execute("SELECT 1 FROM setting WHERE name = 'demo'").fetchone())


def company():
    """Return the company's settings as attributes; money and counts are int."""
    if "company" not in g:
        g.company = SimpleNamespace(**dict(fetch_all("""
            SELECT name, iif(kind IN ('money', 'count', 'length'), CAST(value AS INTEGER), value)
            FROM setting""")))
    return g.company


def emails_of(number: int, *, only_confirmed: bool = False) -> list[str]:
    """Return a customer's addresses, the oldest first, with those that are being replaced."""
    return [row.address for row in fetch_all(
        "SELECT address FROM email WHERE customer = ? AND (confirmed_at IS NOT NULL OR NOT ?)"
        " ORDER BY id", number, only_confirmed)]


def client_address() -> str:
    """Return the client's address, without a port; '' if there is no request, or it is not told."""
    address = request.remote_addr or "" if request else ""
    match = re.fullmatch(r"\[(.*)\](?::[0-9]+)?|([0-9.]+):[0-9]+", address)
    return match[1] or match[2] if match else address


def log_event(db, customer: int, kind: str, actor: str = "customer", **change) -> None:
    """Write in the account's log what happened; `change` may have field, old and new."""
    row = {"at": now(), "customer": customer, "kind": kind, "actor": actor,
           "address": client_address(), "field": None, "old": None, "new": None} | change
    db.execute("INSERT INTO event (at, customer, kind, actor, address, field, old, new)"
               " VALUES (:at, :customer, :kind, :actor, :address, :field, :old, :new)", row)
    log.info("event=%s customer=%s actor=%s address=%s", kind, customer, actor, row["address"])


def seconds_to_wait(db, what: str, who, uses: int = 1) -> int:
    """Count uses of what LIMITS limits; return how long to wait if there were too many, else 0."""
    times, seconds = LIMITS[what]
    row = db.execute(
        "INSERT INTO throttle VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET"
        " count = iif(started_at BETWEEN ?4 AND ?2, count, 0) + ?3,"
        " started_at = iif(started_at BETWEEN ?4 AND ?2, started_at, ?2) RETURNING *",
        (f"{what}:{who}", now(), uses, now(-seconds))).fetchone()
    return max(1, int(seconds - age_of(row.started_at))) if row.count > times else 0


def allow(db, what: str, who, uses: int = 1) -> None:
    """Count uses of what LIMITS limits; TooManyRequests, told to error.html, if too many."""
    if wait := seconds_to_wait(db, what, who, uses):
        log.warning("event=throttled what=%s who=%s address=%s", what, who, client_address())
        raise TooManyRequests(what, retry_after=wait)


def enqueue(db, template: str, recipients, customer: int, **data) -> None:
    """Put a mail for each recipient in the outbox; templates/mail/ tells what `data` it needs."""
    db.executemany(
        "INSERT INTO outbox (template, recipient, customer, data, created_at, due_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [(template, to, customer, json.dumps(data), now(), now()) for to in recipients])


def sha256(content: str | bytes) -> str:
    """Return the hash of a token, or of what a file holds, in hex."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def counted(count: int, what: str) -> str:
    """Say how many there are, as the operator reads it: 1 line, 20 lines."""
    return f"{count} {what}{'s' * (count != 1)}"


@contextmanager
def refused_by(place, outcome: str = "Nothing was changed."):
    """Refuse, in a sentence, what cannot be done there: no space, no permission, damaged."""
    try:
        yield
    except Refused as error:
        raise Refused(f"{place}: {error.message}") from error
    except (OSError, sqlite3.Error) as error:
        raise Refused(f"{place}: {getattr(error, 'strerror', None) or error}. {outcome}") from error


def give_to_owner(path: Path) -> None:
    """Give what root makes to whom its folder belongs: the service has to read it."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def private_folder(path: Path) -> None:
    """Make sure of a folder; a new one only its owner may read."""
    if not path.exists():
        path.mkdir(mode=0o700, parents=True)
        give_to_owner(path)


@contextmanager
def atomic_write(target: Path):
    """Yield a draft, its owner's alone, that becomes `target` once it is whole and on the disk."""
    handle, name = tempfile.mkstemp(".new", f".{target.name}.", target.parent)
    folder, draft = os.open(target.parent, os.O_RDONLY), Path(name)
    try:
        yield draft
        give_to_owner(draft)
        os.fsync(handle)
        draft.rename(target)
        os.fsync(folder)    # that has the new name, whatever happens to the power
    finally:
        os.close(handle)
        os.close(folder)
        draft.unlink(missing_ok=True)


# === Pages ========================================================================================
# What all pages and commands share: forms, answers, errors; and the pages that follow no rule.
# A form that is not right is shown again, with 422; the words of errors are in error.html.

STATIC_SECONDS = 365 * 86400            # what never changes under its address is kept by browsers
FORMULA = re.compile(r"[=+@\t\r\n\0]|-(?![0-9]+,[0-9]{2}$)")      # an amount is none
NUMBER = click.IntRange(1, 999999999)   # a user number
PUBLIC_FORMS = {"cac.sign_in", "cac.choose_account", "cac.forgot", "cac.new_password",
                "cac.confirm_email"}    # for all others one has to be signed in

bp = Blueprint("cac", __name__, cli_group=None)


class Form(FlaskForm):
    """What all forms share: WTForms speaks Spanish where no message of ours does."""

    class Meta(FlaskForm.Meta):
        locales = ["es"]

    def problems(self) -> list[tuple[str, str]]:
        """Return (the field's id, what to do) for the summary on top."""
        parts = [(part.id, part) for field in self for part in getattr(field, "entries", [field])]
        parts += [(f"{field.id}-0", field) for field in self if isinstance(field, FieldList)]
        return [(id_, error) for id_, part in parts for error in part.errors
                if isinstance(error, str)]  # the rest of a list's are its parts' own, again


def is_visible(form, field):
    """Validate a free text: one line, nothing in it that commands a terminal or hides words."""
    if field.data != field.object_data and escaped(field.data) != field.data:
        raise StopValidation("Escriba el texto en una sola línea, sin caracteres de control")


def text_field(label: str, most: int, *validators) -> StringField:
    """Return a field for a line of text of at most so many characters."""
    validators += (Length(max=most, message=f"Escriba {most} caracteres o menos"),)
    return StringField(label, validators, filters=[lambda text: (text or "").strip()])


def password_field(label: str, *validators) -> PasswordField:
    """Return a field for a password, which may hold spaces at its ends."""
    length = Length(max=256, message="La clave tiene 256 caracteres o menos")
    return PasswordField(label, [*validators, length])


def form_page(template: str, form: Form, **values):
    """Show a page with a form: new, or to be corrected."""
    return render_template(template, form=form, **values), 422 if form.problems() else 200


def done(message: str, page: str, **values) -> Response:
    """Go to that page, which says first what was done."""
    flash(message)
    return redirect(url_for(f".{page}", **values), 303)


def is_page(url: str) -> bool:
    """Tell whether it is a page of this site, and one that can be asked for."""
    path = unquote(urlsplit(url).path).removeprefix(request.script_root) if is_local(url) else ""
    return bool(path) and current_app.create_url_adapter(request).test(path, "GET")


def came_from() -> str | None:
    """Return the page of this site that the browser came from, if it tells."""
    with suppress(ValueError):
        url = urlsplit(request.referrer or "")
        page = f"{url.path}?{url.query}".removesuffix("?")
        return page if is_page(page) else None
    return None


def csv_file(head: tuple, rows) -> bytes:
    """Write rows of texts for a spreadsheet, none a formula: UTF-8 with BOM, semicolons."""
    file, is_formula = io.StringIO(), FORMULA.match
    csv.writer(file, delimiter=";").writerows(
        [f"'{cell}" if is_formula(cell) else cell for cell in row] for row in (head, *rows))
    return file.getvalue().encode("utf-8-sig")


def command(name: str, example: str):
    """Make a function a command whose help ends with an example."""
    def decorate(function):
        @wraps(function)
        def refusing(**options):
            """Refuse what SQLite cannot do without a trace; a missing CAC_CONFIG, too."""
            file = os.environ.get("CAC_CONFIG", "").strip()
            if file and name != "init" and not Path(file).exists():
                raise Refused(f"CAC_CONFIG: {file}: there is no such file.")
            try:
                return function(**options)
            except sqlite3.Error as error:
                raise Refused(f"The database: {error}. Nothing was changed.") from error
        return bp.cli.command(name, epilog=f"Example: python cac.py {example}")(refusing)
    return decorate


def known_customer(number: int):
    """Return the customer; Refused if there is none."""
    customer = fetch_one("SELECT * FROM customer WHERE number = ?", number)
    if not customer:
        raise Refused(f"There is no customer {number}. Nothing was changed.")
    return customer


def print_rows(rows: list, nothing: str) -> None:
    """Print rows of a query, or dicts, under the names of their columns."""
    from tabulate import tabulate
    dicts = (row if isinstance(row, dict) else row._asdict() for row in rows)
    rows = [{name: "" if value is None else escaped(value) for name, value in row.items()}
            for row in dicts]
    echo(tabulate(rows, headers="keys", disable_numparse=True) if rows else nothing)


def error_page(status: int, kind: str = "", wait: int = 0, **headers):
    """Show the page of an error, whose kind error.html may know; `wait` is in seconds."""
    values = {"kind": kind, "status": status, "minutes": -(-wait // 60)}
    try:
        page = render_template("error.html", **values)
    except (sqlite3.Error, Refused):  # not even the company's name can be read
        page = current_app.jinja_env.get_template("down.html").render(values)
    return page, status, headers


@bp.app_errorhandler(HTTPError)
def http_error(error):
    """Show what Flask, or a view, refused; its description may be a kind that error.html knows."""
    if error.code < 400:  # Werkzeug's redirects
        return error
    is_old = isinstance(error, CSRFError)
    if is_old and not current_user.is_authenticated and request.endpoint not in PUBLIC_FORMS:
        return current_app.login_manager.unauthorized()     # the session ended, the token with it
    kind = "old form" if is_old else error.description
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    page = error_page(error.code, kind, getattr(error, "retry_after", None) or 0, **headers)
    if error.code != 404 or g.get("customer"):
        log.warning("event=denied status=%s method=%s page=%s customer=%s address=%s", error.code,
                    request.method, request.endpoint, g.get("customer"), client_address())
    return page


@bp.app_errorhandler(Refused)
@bp.app_errorhandler(Exception)
def fault(error):
    """Show that something is wrong: 503 if the database is locked, full, gone or damaged."""
    is_database = isinstance(error, Refused | sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.IntegrityError | sqlite3.ProgrammingError)
    if is_database and getattr(error, "sqlite_errorname", "") != "SQLITE_ERROR":  # = our own SQL
        log.error("event=database-error page=%s error=%s", request.endpoint, error)
        return error_page(503, **{"Retry-After": 60})
    log.error("event=fault page=%s", request.endpoint, exc_info=error)
    return error_page(500)


@bp.get("/noticias")
@login_required
def news():
    """Noticias, the newest first."""
    return render_template(
        "news.html", news=fetch_all("SELECT * FROM news ORDER BY date DESC, id DESC"))


@bp.get("/servicios")
@login_required
def services():
    """Servicios: what the customer has contracted."""
    rows = fetch_all("SELECT * FROM service WHERE customer = ? ORDER BY name", current_user.number)
    return render_template("services.html", services=rows)


@bp.get("/preguntas")
def questions():
    """Preguntas frecuentes: the manual's, answered for this portal."""
    return render_template("questions.html")


@bp.get("/contacto")
def contact():
    """Contáctenos."""
    return render_template("contact.html")


@cache
def static_text(name: str) -> str:
    """Return what is in a file of static/."""
    return (HERE / "static" / name).read_text(encoding="utf-8")


NO_BRAND = row_type("code", "name", "website", "colour", "position")(
    "cac", "CAC", "", "#0b57a4", 0)     # until `setup` has made one


def all_brands() -> list:
    """Return the brands, from left to right in the bar."""
    return fetch_all("SELECT * FROM brand ORDER BY position") or [NO_BRAND]


@cache
def brand_mark(brand) -> Markup:
    """Return a brand's mark: static/brands/CODE.svg if there is one, else its initials."""
    with suppress(OSError):
        return Markup(static_text(f"brands/{brand.code}.svg").strip())  # noqa: S704 - a file of ours
    initials = "".join(word[0] for word in re.findall(r"\w+", brand.name)[:2]).upper()
    return Markup('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32"'
                  ' height="32" rx="7" fill="{}"/><text x="16" y="21.5" text-anchor="middle"'
                  ' font-family="system-ui, sans-serif" font-size="15" font-weight="700"'
                  ' fill="#fff">{}</text></svg>').format(brand.colour, initials)


@bp.get("/estilo/<code>.<any(css, svg):kind>")
def style_sheet(code, kind):
    """The style sheet in a brand's colour, or its mark; browsers keep them."""
    brand = next((brand for brand in all_brands() if brand.code == code), None) or abort(404)
    text = brand_mark(brand) if kind == "svg" else (
        f"{static_text('cac.css')}\n:root {{ --brand: {brand.colour}; }}\n")
    return Response(text, mimetype={"svg": "image/svg+xml", "css": "text/css"}[kind],
                    headers={"Cache-Control": f"public, max-age={STATIC_SECONDS}"})


@bp.get("/salud")
def health():
    """For monitors: whether the database answers, and can be written, as the jobs do."""
    beat = None
    with suppress(sqlite3.Error, Refused):
        beat = fetch_one("SELECT value FROM setting WHERE name = 'jobs_at'").value
    if beat is None or not current_app.config["SECRET_KEY"]:    # without it nobody could sign in
        return {"status": "unavailable"}, 503
    started = current_app.extensions.get("cac.jobs")
    if started and age_of(max(started, beat)) > 60:     # nothing can be written
        return {"status": "jobs are late"}, 503
    return {"status": "ok"}


@bp.get("/demo/correo")
def demo_mail():
    """The mails of the demo, the newest first; a portal that serves customers has no such page."""
    folder = current_app.config["DEMO"] or abort(404)
    files = sorted(Path(folder).glob("*.eml"), key=lambda file: file.stat().st_mtime_ns)
    mails = [message_from_bytes(file.read_bytes(), policy=email_policy) for file in files[::-1]]
    return render_template("demo_mail.html", mails=mails)


# === Sign-in ======================================================================================
# Passwords, sessions, Accesos a su cuenta. The database keeps only the hash of a session's token.
# A try to show a password is counted in the table throttle before anything is hashed.

BROWSERS = {"Edg": "Edge", "OPR": "Opera", "SamsungBrowser": "Samsung", "Firefox": "Firefox",
            "FxiOS": "Firefox", "CriOS": "Chrome", "Chrome": "Chrome", "Safari": "Safari"}
SYSTEMS = {"Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows",
           "Mac OS": "Mac", "CrOS": "Chromebook", "Linux": "Linux"}
HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)  # OWASP's minimum: 30 ms
NOBODY = HASHER.hash("")        # it takes as long to refuse an unknown user
IDLE_SECONDS = 30 * 60
SESSION_SECONDS = 8 * 3600                      # however busy
FORGET_TRIES = """DELETE FROM throttle WHERE key IN ('sign-in:' || ?1, 'password:' || ?1)
    OR key GLOB 'sign-in:' || ?1 || '@*' OR key GLOB 'password:' || ?1 || '@*'"""
NEW_SERIAL = "UPDATE customer SET link_serial = link_serial + 1 WHERE number = ? RETURNING *"
TRIED = 3           # accounts that a password is compared with, and hashes that a refusal costs

login_manager = LoginManager()
login_manager.session_protection = None         # it would believe any X-Forwarded-For
csrf = CSRFProtect()
HASHING = ThreadPoolExecutor(2, initializer=os.nice, initargs=[10])     # a flood delays no page


class SignedIn(UserMixin):
    """Who makes this request: the columns of `customer` and of `session`, and its token."""

    def __init__(self, customer, token: str):
        vars(self).update(customer._asdict(), customer=customer, token=token, id=token)


def device(agent: str) -> str:
    """Name the browser and the system of a User-Agent, as far as they are known."""
    names = [next((name for mark, name in known.items() if mark in agent), "")
             for known in (BROWSERS, SYSTEMS)]
    return " en ".join(filter(None, names)) or "Otro navegador"


def normalized(password: str) -> str:
    """Make the two ways in which keyboards write ñ the same (NIST 800-63B)."""
    return unicodedata.normalize("NFKC", password)


def hash_password(password: str) -> str:
    return HASHING.submit(HASHER.hash, normalized(password)).result()


def is_password_of(customer, password: str) -> bool:
    """Tell whether an active customer has this password. It costs one hash, also for None."""
    hashed = customer and customer.password
    try:
        HASHING.submit(HASHER.verify, hashed or NOBODY, normalized(password)).result()
    except (VerificationError, InvalidHashError):
        return False
    return bool(hashed and customer.active)


def match_password(what: str, name, customers: list, password: str) -> list:
    """Return those whose password it is; TooManyRequests if there were too many tries at `what`.

    Where a customer signed in lately tries are counted apart: strangers lock nobody out.
    """
    network, numbers = network_of(client_address()), [customer.number for customer in customers]
    known = {(row.customer, network_of(row.address)) for row in fetch_all(
        """SELECT DISTINCT customer, address FROM event WHERE kind = 'sign-in' AND at > ?
        AND customer IN (SELECT value FROM json_each(?))""",
        now(-180 * 86400), json.dumps(numbers))}
    keys = {number: f"{number}@{network}" if (number, network) in known else number
            for number in numbers}
    with transaction() as db:
        allow(db, "network", network)   # first: a network that has to wait makes no account wait
        customers = [customer for customer in customers
                     if not seconds_to_wait(db, what, keys[customer.number])]
        if not customers:
            allow(db, what, keys[numbers[0]] if numbers else name)
    matches = [customer for customer in customers[:TRIED] if is_password_of(customer, password)]
    if not matches:     # whoever has the name, a refusal costs as much
        for _ in range(TRIED - len(customers)):
            is_password_of(None, password)
        return []
    matches += [customer for customer in customers[TRIED:] if is_password_of(customer, password)]
    with transaction() as db:
        db.executemany("DELETE FROM throttle WHERE key = ?",
                       [(f"{what}:{keys[customer.number]}",) for customer in matches])
        db.execute("UPDATE throttle SET count = count - 1 WHERE key = ? AND count > 0",
                   (f"network:{network}",))
    return matches


def open_session(customer, accounts: str = "{}") -> None:
    """Sign a customer in under a new token, if the row's password is still the one on file."""
    token, agent = secrets.token_urlsafe(32), request.user_agent.string[:200]
    close_session()
    with transaction() as db:
        db.execute("INSERT INTO session SELECT ?1, number, ?2, ?2, ?3, ?4, ?5 FROM customer"
                   " WHERE number = ?6 AND password = ?7 AND active = 1",
                   (sha256(token), now(), client_address(), agent, accounts, customer.number,
                    customer.password))
        log_event(db, customer.number, "sign-in", new=device(agent))
    login_user(SignedIn(customer, token))


def close_session() -> None:
    """End this browser's session, here and for every copy of its cookie."""
    if current_user.is_authenticated:
        with transaction() as db:
            db.execute("DELETE FROM session WHERE token_hash = ?", (sha256(current_user.token),))
            log_event(db, current_user.number, "sign-out")
        logout_user()
    session.clear()


@login_manager.user_loader
def signed_in(token: str) -> SignedIn | None:
    """Return who holds this token; None if it was ended or is old, or the customer is blocked."""
    row = fetch_one("""SELECT customer.*, brand.colour, session.seen_at, session.created_at,
        session.accounts, coalesce(
            (SELECT address FROM email WHERE email.customer = number AND confirmed_at IS NULL
             ORDER BY id DESC LIMIT 1),
            iif(EXISTS (SELECT 1 FROM email WHERE email.customer = number), NULL, '')
        ) AS unconfirmed_email  -- '' = there is no address at all
        FROM session JOIN customer ON customer.number = session.customer
        JOIN brand ON brand.code = brand
        WHERE token_hash = ? AND active = 1 AND seen_at > ? AND created_at > ?""",
        sha256(token), now(-IDLE_SECONDS), now(-SESSION_SECONDS))
    g.customer = row.number if row else None
    if row and age_of(row.seen_at) > 5 * 60:    # pages do not wait to write it
        with suppress(sqlite3.OperationalError), transaction(patience=0) as db:
            db.execute("UPDATE session SET seen_at = ? WHERE token_hash = ?",
                       (now(), sha256(token)))
    return SignedIn(row, token) if row else None


@login_manager.unauthorized_handler
def ask_to_sign_in():
    """Lead to Ingrese a su Cuenta, and back afterwards: to the page of the form, if it was one."""
    is_form = request.method == "POST" and request.endpoint != "cac.sign_out"
    if "_user_id" in session or is_form:
        session.clear()
        lost = ": lo que escribió no se guardó" * is_form
        flash(f"Su sesión venció{lost}. Ingrese de nuevo.", "attention" if is_form else "info")
    here = request.script_root + request.full_path.rstrip("?")
    target = None if request.path == "/" else here if is_page(here) else came_from()
    return redirect(url_for("cac.sign_in", next=target), 303 if is_form else 302)


class SignInForm(Form):
    usuario = text_field("Usuario", 254, DataRequired("Escriba su usuario"))
    clave = password_field("Clave", DataRequired("Escriba su clave"))


@bp.route("/ingresar", methods=["GET", "POST"])
def sign_in():
    """Ingrese a su Cuenta. Unknown, wrong, blocked and without password look and cost the same."""
    if request.method == "GET" and current_user.is_authenticated:
        return redirect(url_for(".home"))
    form = SignInForm(data={"usuario": session.get("usuario")})     # who just chose a password
    if not form.validate_on_submit():
        return form_page("sign_in.html", form)
    name, target = form.usuario.data, request.args.get("next", "")
    number, digits = customer_number(name), re.sub(r"[\s.-]", "", name)
    customers = fetch_all("""SELECT * FROM customer WHERE number = ?1 OR cuit = ?2 OR number IN (
            SELECT customer FROM email WHERE canonical = ?3 AND confirmed_at IS NOT NULL)
        ORDER BY number = ?1 DESC, active AND password IS NOT NULL DESC, number LIMIT 20""",
        number, digits, canonical_email(name))
    matches = match_password("sign-in", number or sha256(name), customers, form.clave.data)
    if len(matches) > 1:
        accounts = json.dumps({customer.number: customer.link_serial for customer in matches})
        session["choice"] = now(5 * 60), accounts, target
        return redirect(url_for(".choose_account"), 303)
    if not matches:
        log.warning("event=sign-in-refused customer=%s address=%s", number, client_address())
        who = f"{number or sha256(name)}@{network_of(client_address())}"
        with transaction() as db:   # for an unknown user a count is written as well
            is_flood = seconds_to_wait(db, "refused", who)
            for customer in [] if is_flood else customers[:TRIED]:
                log_event(db, customer.number, "refused", new=device(request.user_agent.string))
        return render_template("sign_in.html", form=form, refused=True), 401
    [customer] = matches
    open_session(customer)
    if HASHER.check_needs_rehash(customer.password):
        hashed = hash_password(form.clave.data)
        with transaction() as db:
            db.execute("UPDATE customer SET password = ? WHERE number = ? AND password = ?",
                       (hashed, customer.number, customer.password))
    return redirect(target if is_page(target) else url_for(".home"), 303)


@bp.route("/ingresar/cuenta", methods=["GET", "POST"])
def choose_account():
    """Choose among the accounts that the password opened: at first, or to change without it."""
    until, accounts, target = session.get("choice") or ("", "{}", "")
    if until < now():   # by now they are in the session's row; a new link_serial ends that
        accounts, target = getattr(current_user, "accounts", "{}"), ""
    customers = {str(customer.number): customer for customer in fetch_all(
        "SELECT customer.* FROM customer JOIN json_each(?) ON key = number AND value = link_serial"
        " WHERE active = 1", accounts)}
    if not customers:
        return redirect(url_for(".sign_in"))
    if request.method == "GET":
        return render_template("choose_account.html", customers=customers.values())
    open_session(customers.get(request.form.get("usuario")) or abort(400, "old form"), accounts)
    return redirect(target if is_page(target) else url_for(".home"), 303)


@bp.post("/salir")
@login_required
def sign_out():
    """Salir."""
    close_session()
    answer = done("Salió de su cuenta.", "sign_in")
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


@bp.get("/accesos")
@login_required
def accesses():
    """Accesos a su cuenta: the open sessions, and the log of the last year, newest first."""
    number, since = current_user.number, now(-365 * 86400)
    sessions = fetch_all("""SELECT substr(token_hash, 1, 16) AS id, * FROM session
        WHERE customer = ? AND seen_at > ? AND created_at > ? ORDER BY seen_at DESC""",
        number, now(-IDLE_SECONDS), now(-SESSION_SECONDS))
    lines = """SELECT max(at) AS at, count(*) AS times, max(id) AS id, kind, actor, address, field,
        old, new FROM event WHERE customer = ? AND at > ?
        GROUP BY kind, actor, address, field, old, new, substr(at, 1, 15)"""    # of ten minutes
    total = fetch_one(f"SELECT count(*) AS n FROM ({lines})", number, since).n
    page = request.args.get("pagina", 1, type=int)
    skip, length, page, pages = page_span(total, total, company().page_size, page)
    events = fetch_all(f"{lines} ORDER BY 1 DESC, 3 DESC LIMIT ? OFFSET ?", number, since,
                       length, skip)
    return render_template("accesses.html", sessions=sessions, events=events, page=page,
                           pages=pages, here=sha256(current_user.token)[:16])


@bp.post("/accesos")
@login_required
def close_sessions():
    """Close one of the customer's other sessions, or all of them."""
    number, here = current_user.number, sha256(current_user.token)
    chosen = request.form.get("sesion", "")
    with transaction() as db:
        closed = db.execute("""DELETE FROM session WHERE customer = ? AND token_hash <> ?
            AND ? IN ('otras', substr(token_hash, 1, 16))""", (number, here, chosen)).rowcount
        if closed:
            log_event(db, number, "session-closed")
        if chosen == "otras":   # nor does another account's session change to this one
            db.execute(NEW_SERIAL, (number,))
    return done(f"Sesiones cerradas: {closed}.", "accesses")


@command("sign-out", "sign-out --all")
@click.argument("number", type=NUMBER, required=False)
@click.option("--all", "everybody", is_flag=True, help="Everybody's sessions.")
def sign_out_command(number, everybody):
    """End the open sessions of a customer, or of all."""
    if everybody == bool(number):
        raise click.UsageError("Give a user number, or --all.")
    if number:
        known_customer(number)
    with transaction() as db:
        ended = db.execute("DELETE FROM session WHERE customer = coalesce(?, customer)"
                           " RETURNING customer", (number,)).fetchall()
        db.execute(NEW_SERIAL, (number,))
        for customer in {row.customer for row in ended}:
            log_event(db, customer, "sessions-ended", "operator")
    echo(f"Sessions ended: {len(ended)}.")


# === Links ========================================================================================
# ¿Olvidó su Clave?, invitations, choosing and changing a password. What is mailed is signed, for
# one purpose and some time; a link to choose a password is good while the customer has its serial.

LIFETIMES = {"new_password": 3600, "confirm_email": 3 * 86400,   # of a link to each page, seconds
             "unsubscribe": 20 * 365 * 86400}           # an old mail's link is as good as a new one
INVITATION_SECONDS = 7 * 86400
LOCAL_WORDS = """aguante argentina avellaneda belgrano boca bocajuniors bostero buenosaires campeon
    clave clientes contraseña contrasena dulcedeleche elmasgrande empresa estudiantes gallina hola
    huracan independiente laplata maradona messi miclave mifamilia millonario miperro newells peron
    platense quilmes racing racingclub river riverplate rosariocentral sanlorenzo selección
    seleccion teamomucho tequiero usuario vamosboca vamosriver verano""".split()   # new to zxcvbn


def absolute(endpoint: str, **values) -> str:
    """Return a page's public address, whatever host the request named."""
    base = urlsplit(current_app.config["BASE_URL"])
    if not base.netloc:
        raise Refused("CAC_BASE_URL is not set: links cannot be made.")
    urls = current_app.url_map.bind(base.netloc, base.path or "/", url_scheme=base.scheme)
    return urls.build(f"cac.{endpoint}", values, force_external=True)


def signer(page: str) -> URLSafeTimedSerializer:
    """Return what signs the tokens of links to a page, and of no other."""
    config = current_app.config
    if not config["SECRET_KEY"]:
        raise Refused("CAC_SECRET_KEY is not set: links cannot be signed.")
    keys = [*config["SECRET_KEY_FALLBACKS"], config["SECRET_KEY"]]
    return URLSafeTimedSerializer(keys, salt=f"cac.{page}.v1")


def signed_link(page: str, *values, seconds: int | None = None) -> str:
    """Return a link to a page with these values signed, good for so many seconds from now."""
    return absolute(page, token=signer(page).dumps([*values, seconds or LIFETIMES[page]]))


password_link = partial(signed_link, "new_password")        # (number, link_serial)
confirmation_link = partial(signed_link, "confirm_email")   # (id, canonical)
unsubscribe_link = partial(signed_link, "unsubscribe")      # (number)


def signed_values(page: str, token: str) -> list | None:
    """Return what a link to this page holds; None if we did not make it, or too long ago."""
    try:
        (*values, seconds), made = signer(page).loads(token, return_timestamp=True)
    except BadSignature:
        return None
    return values if time.time() - made.timestamp() <= seconds else None


def new_link(db, customer, kind: str, **who) -> dict:
    """Return what the mail of a new link to choose a password needs; earlier ones die."""
    serial = db.execute(NEW_SERIAL, (customer.number,)).fetchone().link_serial
    log_event(db, customer.number, kind, **who)
    return {"number": customer.number, "name": customer.name, "serial": serial}


class ForgotForm(Form):
    usuario = text_field("Usuario", 60)
    email = text_field("Correo electrónico", 254)

    def validate_usuario(self, field):
        if not field.data and not self.email.data:
            raise StopValidation("Escriba su usuario o uno de sus correos")


@bp.route("/olvido", methods=["GET", "POST"])
def forgot():
    """¿Olvidó su Clave? Who asks is written down and looked up later, so the time tells nothing."""
    form = ForgotForm()
    if not form.validate_on_submit():
        return form_page("forgot.html", form)
    network = network_of(client_address())
    with transaction() as db:
        if not seconds_to_wait(db, "forgot", network):
            db.execute("INSERT INTO forgotten (at, address, usuario, email) VALUES (?, ?, ?, ?)",
                       (now(), network, form.usuario.data, form.email.data))
    log.info("event=link-asked address=%s", client_address())
    return render_template("forgot_sent.html")


def mail_reset_links() -> None:
    """Mail links to those who asked for one (job); after an hour nobody waits for it any more."""
    times, seconds = LIMITS["reset"]
    for asked in fetch_all("SELECT * FROM forgotten ORDER BY id LIMIT 50"):
        with transaction() as db:   # of its own: what cannot be looked up is not tried for ever
            db.execute("DELETE FROM forgotten WHERE id = ?", (asked.id,))
        if age_of(asked.at) > LIFETIMES["new_password"]:
            continue
        rows = fetch_all("""SELECT customer.number, name, email.address AS recipient FROM customer
            JOIN email ON email.customer = number AND confirmed_at IS NOT NULL
            WHERE active = 1 AND (number = ? OR cuit = ? OR canonical = ?) AND ? > (
                SELECT count(*) FROM event WHERE event.customer = number AND at > ?
                AND kind = 'reset' AND actor = 'customer')
            ORDER BY number, email.id""", customer_number(asked.usuario),
            re.sub(r"[\s.-]", "", asked.usuario), canonical_email(asked.email or asked.usuario),
            times, now(-seconds))
        mails = defaultdict(list)
        for row in rows:    # addresses that only look alike, as ﬁ and fi, get a mail each
            mails[row.recipient.lower()].append(row)
        with transaction() as db:
            accounts = {number: new_link(db, row, "reset", address=asked.address)
                        for number, row in {row.number: row for row in rows}.items()}
            for group in mails.values():
                enqueue(db, "reset", [group[0].recipient], group[0].number,
                        accounts=[accounts[row.number] for row in group])


class NewPasswordForm(Form):
    clave_nueva = password_field("Clave nueva", DataRequired("Escriba una clave nueva"))

    def validate_clave_nueva(self, field):
        from zxcvbn import zxcvbn   # 3 of 4: not guessed in 10^8 tries by who knows the customer
        password, minimum = normalized(field.data), max(8, company().password_min)
        if len(password) < minimum:
            raise StopValidation(f"La clave nueva debe tener {minimum} caracteres o más")
        name, number, tax_id = self.customer.name, self.customer.number, self.customer.cuit or ""
        known = [name, str(number), tax_id, cuit.format(tax_id), *emails_of(number),
                 company().company_name, company().company_legal_name,
                 *(brand.name for brand in fetch_all("SELECT name FROM brand"))]
        words = [*known, *re.findall(r"\w{3,}", " ".join(known))]
        words += [*map(plain, words), *LOCAL_WORDS]
        if zxcvbn(password[:72], user_inputs=words)["score"] < 3:   # it takes no longer ones
            raise StopValidation("Elija una clave menos común: por ejemplo, una frase de cuatro"
                                 " palabras, sin su nombre ni otros datos suyos")


class PasswordForm(NewPasswordForm):
    clave_actual = password_field("Clave actual", DataRequired("Escriba su clave actual"))

    def validate_clave_actual(self, field):
        if not match_password("password", None, [self.customer], field.data):
            raise StopValidation("La clave actual no coincide")
        if normalized(field.data) == normalized(self.clave_nueva.data or ""):
            raise StopValidation("La clave nueva debe ser distinta de la actual")


def save_password(customer, password: str):
    """Save a password; return the customer's new row, or None if it was replaced meanwhile."""
    hashed = hash_password(password)
    with transaction() as db:
        saved = db.execute(
            "UPDATE customer SET password = ?1, link_serial = link_serial + 1 WHERE number = ?2"
            " AND active = 1 AND link_serial = ?3 RETURNING *",
            (hashed, customer.number, customer.link_serial)).fetchone()
        if saved:
            db.execute("DELETE FROM session WHERE customer = ?", (saved.number,))
            db.execute(FORGET_TRIES, (saved.number,))
            enqueue(db, "password_changed", emails_of(saved.number), saved.number, name=saved.name)
            log_event(db, saved.number, "password")
    return saved


@bp.route("/clave/<token>", methods=["GET", "POST"])
def new_password(token):
    """A password chosen by a link: to look at it changes nothing, to choose uses it up."""
    signed = signed_values("new_password", token) or abort(410)
    form = NewPasswordForm()
    form.customer = fetch_one("SELECT * FROM customer WHERE number = ? AND link_serial = ?"
                              " AND active = 1", *signed) or abort(410)
    if not form.validate_on_submit():
        return form_page("new_password.html", form, customer=form.customer)
    if not save_password(form.customer, form.clave_nueva.data):
        abort(410)  # another tab was faster
    session["usuario"] = str(form.customer.number)
    return done("Cambió su clave. Ya puede ingresar.", "sign_in")


@bp.route("/clave", methods=["GET", "POST"])
@login_required
def password():
    """Cambiar Clave: the other sessions end, this one goes on under a new token."""
    form = PasswordForm()
    form.customer = current_user.customer
    if not form.validate_on_submit():
        return form_page("password.html", form)
    saved = save_password(form.customer, form.clave_nueva.data) or abort(400, "old form")
    open_session(saved)
    return done("Cambió su clave. Cerramos sus otras sesiones.", "home")


def customer_command(kind: str, text: str, words: str, *statements: str) -> None:
    """Make a command that changes a customer by these statements, and logs it."""
    def change(number):
        customer = known_customer(number)
        with transaction() as db:
            for statement in statements:
                db.execute(statement, (number,))
            log_event(db, number, kind, "operator")
        echo(f"{number} {customer.name} {words}.")
    change.__doc__ = text
    command(kind, f"{kind} 1001")(click.argument("number", type=NUMBER)(change))


customer_command("unlock", "Let a customer who tried too often try again at once.",
                 "may try again", FORGET_TRIES)
customer_command("block", "Keep a customer out: sessions end at once, links are dead.",
                 "is blocked", "UPDATE customer SET active = 0 WHERE number = ?", NEW_SERIAL,
                 "DELETE FROM session WHERE customer = ?")
customer_command("unblock", "Let a blocked customer in again, with the password of before.",
                 "may sign in again", "UPDATE customer SET active = 1 WHERE number = ?")


def operator_link(db, number: int, kind: str, *, by_mail: bool = True):
    """Make a link, and mail it to all confirmed addresses; return (its serial, the addresses)."""
    customer = known_customer(number)
    recipients = emails_of(number, only_confirmed=True) if by_mail else []
    if not customer.active or (by_mail and not recipients):
        raise Refused(f"Customer {number} is blocked, or has no e-mail. Nothing was changed.")
    account = new_link(db, customer, kind, actor="operator")
    enqueue(db, kind, recipients, number, accounts=[account])
    return account["serial"], recipients


@command("invite", "invite --new")
@click.argument("numbers", type=NUMBER, nargs=-1)
@click.option("--new", is_flag=True, help="All with an e-mail and no password, not invited yet.")
def invite(numbers, new):
    """Mail customers their user number and a link to choose a password, good for 7 days."""
    if new == bool(numbers):
        raise click.UsageError("Give user numbers, or --new.")
    if new:
        numbers = [row.number for row in fetch_all("""SELECT number FROM customer
            WHERE active = 1 AND password IS NULL
            AND number NOT IN (SELECT customer FROM event WHERE kind = 'invite')
            AND number IN (SELECT customer FROM email WHERE confirmed_at IS NOT NULL)
            ORDER BY number""")]
    with transaction() as db:
        for number in dict.fromkeys(numbers):
            operator_link(db, number, "invite")
    echo(f"Invited: {len(set(numbers))}. The running service sends the mails.")


@command("password", "password 1001 --mail")
@click.argument("number", type=NUMBER)
@click.option("--mail", is_flag=True, help="Mail it to the customer instead of printing it.")
def password_link_command(number, mail):
    """Print a link with which the customer chooses a password, good for 60 minutes."""
    with transaction() as db:
        serial, recipients = operator_link(db, number, "reset", by_mail=mail)
        link = password_link(number, serial)    # Refused if no link can be made
    echo(f"The running service sends it to {', '.join(recipients)}." if mail else link)


# === Profile ======================================================================================
# Modificar Datos: what customers may change, how an address is confirmed, what the ERP hears of it.

PROVINCES = re.split(r"\|\s*", """Buenos Aires|Ciudad Autónoma de Buenos Aires|Catamarca|Chaco|
    Chubut|Córdoba|Corrientes|Entre Ríos|Formosa|Jujuy|La Pampa|La Rioja|Mendoza|Misiones|Neuquén|
    Río Negro|Salta|San Juan|San Luis|Santa Cruz|Santa Fe|Santiago del Estero|Tierra del Fuego|
    Tucumán""")
PROFILE_COLUMNS = {"contacto": "contact", "domicilio": "address", "localidad": "city",
                   "provincia": "province", "codigo_postal": "postal_code",
                   "avisos": "wants_reminders"}
SWITCH = {False: "no", True: "sí"}


def written_as(is_good, message: str):
    """Make a validator; what is on file may stay, although it was imported in another form."""
    def validate(form, field):
        if field.data not in ("", field.object_data) and not is_good(field.data):
            raise StopValidation(message)
    return validate


few = written_as(lambda texts: len(list(filter(None, texts))) <= 8, "Deje 8 o menos")


class ProfileForm(Form):
    emails = FieldList(text_field("Correo", 254, written_as(
        canonical_email, "Escriba un correo con el formato nombre@ejemplo.com")),
        min_entries=1, validators=[few])
    telefonos = FieldList(text_field("Teléfono", 40, written_as(
        re.compile(r"[0-9\s()+./-]{6,40}").fullmatch,
        "Escriba código de área y número, por ejemplo 11 4567-8901")),
        min_entries=1, validators=[few])
    contacto = text_field("Persona de contacto", 80, is_visible)
    domicilio = text_field("Calle y número", 120, is_visible)
    localidad = text_field("Localidad", 80, is_visible)
    provincia = SelectField("Provincia", validate_choice=False, validators=[
        written_as(PROVINCES.__contains__, "Elija una provincia de la lista")])
    codigo_postal = text_field("Código postal", 8, written_as(
        re.compile("[0-9]{4}|[A-Za-z][0-9]{4}[A-Za-z]{3}").fullmatch,
        "Escriba el código postal como 1650 o B1650ABC"))
    avisos = BooleanField("Quiero recibir avisos de comprobantes y vencimientos")
    clave_actual = password_field("Clave actual")

    def __init__(self, customer):
        """A list that is not sent stays, and the box, if `avisos_visto` does not say it was off."""
        self.customer = customer
        self.rows = fetch_all("SELECT * FROM email WHERE customer = ? ORDER BY id", customer.number)
        self.emails_on_file = [row.address for row in self.rows if not row.replaced_at]
        self.phones_on_file = [row.number for row in fetch_all(
            "SELECT number FROM phone WHERE customer = ? ORDER BY id", customer.number)]
        lists = {"emails": self.emails_on_file, "telefonos": self.phones_on_file}
        sent = request.form.copy() if self.is_submitted() else MultiDict()
        for name, values in lists.items() if sent else ():
            if not any(re.fullmatch(f"{name}-[0-9]+", key) for key in sent):
                sent.update({f"{name}-{n}": value for n, value in enumerate(values)})
        if sent and customer.wants_reminders and "avisos_visto" not in sent:
            sent["avisos"] = "y"
        super().__init__(sent or None, data={
            **{name: [*values, ""] for name, values in lists.items()},
            **{field: getattr(customer, column) for field, column in PROFILE_COLUMNS.items()}})
        self.provincia.choices = sorted({"", customer.province, *PROVINCES})

    def typed_emails(self) -> dict[str | None, str]:
        """Return each address by its canonical form; None = not an address."""
        return {canonical_email(text): text for text in self.emails.data if text}

    def validate_emails(self, field):
        if self.emails_on_file and not any(field.data):
            raise StopValidation("Deje al menos un correo")

    def validate_clave_actual(self, field):
        """Asked for when the addresses change: who changes them can take the account over."""
        if self.typed_emails().keys() == set(map(canonical_email, self.emails_on_file)):
            return
        if not field.data:
            raise StopValidation("Para cambiar sus correos, escriba su clave actual")
        if not match_password("password", None, [self.customer], field.data):
            raise StopValidation("La clave actual no coincide")


@bp.route("/datos", methods=["GET", "POST"])
@login_required
def profile():
    """Modificar Datos: save what was changed and log each change."""
    form, number = ProfileForm(current_user.customer), current_user.number
    if not form.validate_on_submit():
        return form_page("profile.html", form)
    with transaction() as db:
        is_to_confirm = save_emails(db, current_user, form.rows, form.typed_emails())
        for field, column in PROFILE_COLUMNS.items():
            old, new = getattr(current_user, column), form[field].data
            if new != old:
                db.execute(f"UPDATE customer SET {column} = ? WHERE number = ?", (new, number))
                log_event(db, number, "data", field=column, old=SWITCH.get(old, old),
                          new=SWITCH.get(new, new))
        old, new = form.phones_on_file, dict.fromkeys(filter(None, form.telefonos.data))
        for phone in set(old) - new.keys():
            db.execute("DELETE FROM phone WHERE customer = ? AND number = ?", (number, phone))
            log_event(db, number, "data", field="phone", old=phone)
        for phone in (phone for phone in new if phone not in old):
            db.execute("INSERT OR IGNORE INTO phone (customer, number) VALUES (?, ?)",
                       (number, phone))
            log_event(db, number, "data", field="phone", new=phone)
    more = " Le enviamos un enlace al correo nuevo." * is_to_confirm
    return done(f"Guardamos sus datos.{more}", "profile")


def save_emails(db, customer, rows: list, typed: dict) -> bool:
    """Make this the list; return whether any is to be confirmed. Until then the old ones count."""
    number, before = customer.number, {row.canonical: row for row in rows if not row.replaced_at}
    if typed.keys() == before.keys():
        return False
    allow(db, "emails", number)
    db.execute("UPDATE customer SET link_serial = link_serial + 1 WHERE number = ?", (number,))
    enqueue(db, "emails_changed", [row.address for row in rows if row.confirmed_at], number,
            name=customer.name)
    added = [db.execute("""INSERT INTO email (customer, address, canonical) VALUES (?, ?, ?)
        ON CONFLICT DO UPDATE SET address = excluded.address, replaced_at = NULL RETURNING *""",
        (number, address, canonical)).fetchone()
        for canonical, address in typed.items() if canonical not in before]
    for row in added:
        log_event(db, number, "data", field="email", new=row.address)
        if not row.confirmed_at:
            enqueue(db, "confirm_email", [row.address], number, name=customer.name, email=row.id,
                    canonical=row.canonical)
    for row in [row for canonical, row in before.items() if canonical not in typed]:
        db.execute("UPDATE email SET replaced_at = ? WHERE id = ?", (now(), row.id))
        log_event(db, number, "data", field="email", old=row.address)
    forget_replaced_emails(db, number)
    return not all(row.confirmed_at for row in added)


def forget_replaced_emails(db, number: int) -> None:
    """Forget the addresses that left a customer's list, unless they are the only confirmed ones."""
    db.execute("""DELETE FROM email WHERE customer = ?1 AND replaced_at IS NOT NULL AND (
        confirmed_at IS NULL OR EXISTS (SELECT 1 FROM email WHERE customer = ?1
            AND replaced_at IS NULL AND confirmed_at IS NOT NULL))""", (number,))


@bp.post("/datos/reenviar")
@login_required
def resend_confirmation():
    """Send the link to confirm an address again."""
    row = fetch_one(
        "SELECT * FROM email WHERE customer = ? AND canonical = ? AND confirmed_at IS NULL",
        current_user.number, canonical_email(request.form.get("correo", ""))
        ) or abort(400, "old form")
    with transaction() as db:
        allow(db, "confirmation", current_user.number)
        enqueue(db, "confirm_email", [row.address], current_user.number, name=current_user.name,
                email=row.id, canonical=row.canonical)
    flash(f"Enviamos otro enlace a {row.address}. Vence en 3 días.", "ok")
    return redirect(came_from() or url_for(".profile"), 303)


@bp.route("/confirmar/<token>", methods=["GET", "POST"])
def confirm_email(token):
    """Confirm a new address, by the link that was sent to it."""
    signed = signed_values("confirm_email", token) or abort(410, "email")
    email = fetch_one("SELECT * FROM email WHERE id = ? AND canonical = ? AND confirmed_at IS NULL",
                      *signed) or abort(410, "email")
    form = Form()
    if not form.validate_on_submit():
        return form_page("confirm_email.html", form, email=email)
    with transaction() as db:
        db.execute("UPDATE email SET confirmed_at = ? WHERE id = ? AND canonical = ?",
                   (now(), *signed))
        forget_replaced_emails(db, email.customer)
        log_event(db, email.customer, "email-confirmed", new=email.address)
    return done("Confirmó su correo.", "home")


@bp.route("/avisos/<token>", methods=["GET", "POST"])
@csrf.exempt
def unsubscribe(token):
    """No more reminders, by the link in each: to look at it changes nothing. The link is enough."""
    signed = signed_values("unsubscribe", token) or abort(404)
    customer = fetch_one("SELECT * FROM customer WHERE number = ?", *signed) or abort(404)
    if request.method == "POST" and customer.wants_reminders:
        with transaction() as db:
            db.execute("UPDATE customer SET wants_reminders = 0 WHERE number = ?", signed)
            log_event(db, *signed, "data", field="wants_reminders", old="sí", new="no")
    is_off = request.method == "POST" or not customer.wants_reminders
    return render_template("unsubscribe.html", customer=customer, is_off=is_off)


@command("export", "export changes --since 2026-11-01")
@click.argument("what", type=click.Choice(["changes"]))
@click.option("--since", type=click.DateTime(["%Y-%m-%d", "%d/%m/%Y"]), help="From this day on.")
def export(what, since):
    """Print, as CSV, what customers changed on the site, for the accounting program."""
    fields = {column: field for field, column in PROFILE_COLUMNS.items()} | {
        "email": "emails", "phone": "telefonos"}    # as in the import
    rows = fetch_all("""SELECT datetime(at, '-3 hours') AS at, customer, name, field, old, new
        FROM event JOIN customer ON number = customer
        WHERE kind = 'data' AND actor = 'customer' AND date(at, '-3 hours') >= ?
        ORDER BY event.id""", f"{since:%Y-%m-%d}" if since else "0000")
    click.echo(csv_file(
        ("fecha", "hora", "usuario", "nombre", "campo", "anterior", "nuevo"),
        [(day(row.at), row.at[11:], str(row.customer), row.name, fields.get(row.field, row.field),
          row.old or "", row.new or "") for row in rows]), nl=False)


# === Statement ====================================================================================
# What a customer owes and why: home, Mi cuenta corriente, ¿Por qué este saldo? Pages, files, mails
# and the payment page ask the same functions.

LEDGER = "SELECT count(*) AS n, coalesce(sum(amount), 0) AS balance FROM movement"
TOTAL = f"{LEDGER} WHERE customer = ?"
VOUCHER = """
    SELECT movement.*, voucher_type.name AS type_name, letter, kind FROM movement
    JOIN voucher_type ON voucher_type.code = movement.type"""
IS_INVOICE = "voucher_type.kind IN ('invoice', 'debit note', 'credit note')"
LINES = f"""
    SELECT *, 0 AS balance, 0 AS rest, NULL AS days     -- statement_part fills in these three
    FROM ({VOUCHER}) WHERE customer = ? ORDER BY date DESC, id DESC LIMIT ? OFFSET ?"""
NEWEST = """
    SELECT coalesce(sum(amount), 0) AS amount FROM (
        SELECT amount FROM movement WHERE customer = ? ORDER BY date DESC, id DESC LIMIT ?)"""
LAST_DUE = """
    SELECT max(due_date) AS date FROM (
        SELECT amount, due_date FROM movement WHERE customer = ?
        ORDER BY date DESC, id DESC LIMIT -1 OFFSET ?) WHERE amount > 0"""
MONTHS = """
    SELECT date(?2, 'start of month', -value || ' months') AS month, (
        SELECT coalesce(sum(amount), 0) FROM movement WHERE customer = ?1 AND date <
        iif(value, date(?2, 'start of month', (1 - value) || ' months'), '9999')) AS balance
    FROM json_each('[11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]')"""
RECENT_LINES = 12                       # movements that ¿Por qué este saldo? explains in any case


class OpenItem(NamedTuple):
    """What is left to pay of a voucher."""

    movement: tuple | None      # None = all that is older than the statement's window, added up
    rest: int                   # centavos
    days: int | None            # until it is due, negative = overdue; None = no due date


class Statement(NamedTuple):
    """Some consecutive movements of a customer."""

    lines: list         # movements, oldest first, with `balance` after it, and `rest`, `days` open
    opening: int        # balance before the first line
    closing: int        # balance after the last line
    balance: int        # of all movements: what the customer owes
    open_items: list    # of all movements, too
    page: int = 1
    pages: int = 1


class Explained(NamedTuple):
    """What became of a movement."""

    movement: tuple | None      # None = all before the first line, added up
    amount: int                 # positive = owed
    against: list               # (movement, amount): what it cancelled, or what cancelled it
    rest: int                   # what is left of it, still owed or in favour


def balance_of(number: int) -> int:
    """Return what a customer owes: the sum of the ledger."""
    return fetch_one(TOTAL, number).balance


def open_items(number: int, balance: int) -> list[OpenItem]:
    """Return what is to be paid, oldest first: the newest debits that make up the balance."""
    def days_until(due_date):
        return due_date and (date.fromisoformat(due_date) - date.fromisoformat(today())).days

    window = company().statement_window
    debits = (row for row in get_db().execute(LINES, (number, window, 0)) if row.amount > 0)
    items = [OpenItem(debit, rest, days_until(debit.due_date))
             for debit, rest in unpaid(debits, balance)]
    if older := max(balance, 0) - sum(item.rest for item in items):
        days = days_until(fetch_one(LAST_DUE, number, window).date)
        items.append(OpenItem(None, older, days if (days or 0) < 0 else None))
    return items[::-1]


def split_by_due(items: list[OpenItem]) -> tuple[int, int, str | None]:
    """Return what is overdue, what is due next, and on which day."""
    dated = [item for item in items if item.days is not None]
    overdue = sum(item.rest for item in dated if item.days < 0)
    coming = [item for item in dated if item.days >= 0]
    first = min((item.days for item in coming), default=None)
    due_next = [item for item in coming if item.days == first]
    day_next = due_next[0].movement.due_date if due_next else None
    return overdue, sum(item.rest for item in due_next), day_next


def statement_part(number: int, balance: int, length: int, newer: int) -> Statement:
    """Return `length` movements, after which `newer` more have come; no others are read."""
    items = open_items(number, balance)
    open_of = {item.movement.id: item[1:] for item in items if item.movement}
    lines, closing = [], balance - (fetch_one(NEWEST, number, newer).amount if newer else 0)
    opening = closing
    for row in fetch_all(LINES, number, length, newer):
        rest, days = open_of.get(row.id, (0, None))
        lines.append(row._make((*row[:-3], opening, rest, days)))   # _replace takes far longer
        opening -= row.amount
    return Statement(lines[::-1], opening, closing, balance, items)


def statement(number: int, window: int | None = None, size: int | None = None,
              page: int | None = None) -> Statement:
    """Return a page of the last `window` movements; the newest page unless another is asked.

    Without a window it is the one of the settings, without a size all of it is one page.
    """
    window = window or company().statement_window
    with transaction(kind="DEFERRED"):
        count, balance = fetch_one(TOTAL, number)
        skip, length, page, pages = page_span(count, window, size or window, page)
        part = statement_part(number, balance, length, count - skip - length)
    return part._replace(page=page, pages=pages)


def by_month(lines: list):
    """Group a statement's lines: (month, its lines)."""
    return groupby(lines, lambda line: line.date[:7])


def explanation(found: Statement) -> list[Explained]:
    """Return what was paid with what: the opening balance and each line, oldest first."""
    movements = [None, *found.lines]
    amounts = [found.opening, *(line.amount for line in found.lines)]
    against = [[] for _ in amounts]
    for payment, debt, amount in cancellations(amounts):
        against[payment].append((movements[debt], amount))
        against[debt].append((movements[payment], amount))
    return [Explained(movement, amount, parts, abs(amount) - sum(part for _, part in parts))
            for movement, amount, parts in zip(movements, amounts, against, strict=True)]


def reported_transfers(number: int) -> list:
    """Return the transfers that a customer told us of and that wait, or were answered lately."""
    return fetch_all("SELECT * FROM transfer_shown WHERE customer = ? ORDER BY id", number)


def has_pdf(movement) -> bool:
    """Whether a voucher can be downloaded: it is stored, or electronic, or a receipt of ours."""
    return bool(movement.document or movement.cae or movement.origin == "portal")


@bp.get("/")
@login_required
def home():
    """Bienvenido/a: the balance, what is open, the last movements, the manual's groups, news."""
    found = statement(current_user.number, window=5)
    news = fetch_all("SELECT * FROM news ORDER BY date DESC, id DESC LIMIT 3")
    return render_template("home.html", found=found, open_items=found.open_items, news=news,
                           transfers=reported_transfers(current_user.number))


@bp.get("/cuenta")
@login_required
def account():
    """Mi cuenta corriente: a page of the last movements, oldest first."""
    page = request.args.get("pagina", type=int)
    found = statement(current_user.number, size=company().page_size, page=page)
    if "pagina" in request.args and page != found.page:
        return redirect(url_for(".account"))
    years = fetch_all("SELECT DISTINCT substr(date, 1, 4) AS year FROM movement"
                      " WHERE customer = ? ORDER BY year DESC", current_user.number)
    return render_template("account.html", found=found, open_items=found.open_items, years=years)


@bp.get("/cuenta/saldo")
@login_required
def balance():
    """¿Por qué este saldo? What is open and the last movements, with what was paid with what."""
    found = statement(current_user.number)
    lines = explanation(found)
    recent = max(len(lines) - RECENT_LINES, 1)
    shown = [line for n, line in enumerate(lines) if line.rest or n >= recent]
    others = found.balance - sum(line.amount for line in shown)
    months = fetch_all(MONTHS, current_user.number, today())
    return render_template("balance.html", found=found, open_items=found.open_items, lines=shown,
                           others=others, months=months)

# === Documents ====================================================================================
# What is downloaded. fpdf2 is imported only here, where it is needed: it costs 300 ms and 22 MB.

QR_SINCE = "2021-03-01"             # RG 4892: older vouchers have no QR
MAKING = threading.Semaphore(2)         # documents at a time in a process
ASKED = threading.BoundedSemaphore(8)   # and with those that wait: the other threads show pages
FONT = "helvetica"                  # built into every reader; shows Windows-1252
LINE_HEIGHT = 4.4                   # of tables, in mm, as all that follows


def statement_rows(found: Statement, show):
    """Yield the head, and the lines between two balances; `show` writes amounts."""
    yield "Fecha", "Comprobante", "Número", "Detalle", "Debe", "Haber", "Saldo"
    yield "", "Saldo anterior", "", "", "", "", show(found.opening)
    for line in found.lines:
        amounts = (show(line.amount), "") if line.amount >= 0 else ("", show(-line.amount))
        yield (day(line.date), line.type_name, voucher_number(line), line.detail, *amounts,
               show(line.balance))
    yield "", "Saldo", "", "", "", "", show(found.closing)


def statement_csv(found: Statement) -> bytes:
    """Return the statement for a spreadsheet, with amounts as they are read here: 1234,56."""
    head, *rows = statement_rows(
        found, lambda amount: plain_money(amount).replace(".", "").replace("−", "-"))
    return csv_file(head, rows)


def nearest_letter(error: UnicodeEncodeError) -> tuple[str, int]:
    """Return L for Ł and r for ř, which Windows-1252 lacks; nothing for 😀."""
    name = unicodedata.name(error.object[error.start], "").partition(" WITH ")[0]
    with suppress(KeyError):
        return unicodedata.lookup(name).encode("ascii", "ignore").decode(), error.start + 1
    return "", error.start + 1


codecs.register_error("nearest", nearest_letter)


def on_paper(text: str) -> str:
    """Return what the font shows of a text."""
    text = unicodedata.normalize("NFC", text[:500]).replace("−", "-")
    return text.encode("cp1252", "nearest").decode("cp1252")


def new_pdf(title: str, colour: str, foot: str):
    """Return an A4 page with the brand's colour on top; each has `foot` and its number below."""
    from fpdf import FPDF

    class Paper(FPDF):
        def header(self):
            self.set_fill_color(colour)
            self.rect(0, 0, 210, 4, style="F")

        def footer(self):
            self.set_font(FONT, "", 8)
            self.text(15, 290, on_paper(foot))
            self.set_xy(150, 287)
            self.cell(45, 4, f"Página {self.page_no()} de {{nb}}", align="R")

    pdf = Paper()
    pdf.core_fonts_encoding = "cp1252"
    pdf.set_title(title)
    pdf.set_lang("es-AR")
    pdf.set_margin(15)
    pdf.add_page()
    return pdf


def write_lines(pdf, template: str, **values) -> None:
    """Write the lines of a template in templates/paper/, each with its place and size."""
    text = current_app.jinja_env.get_template(f"paper/{template}.txt").render(values)
    for *place, style, line in re.findall(r"^(\d+) (\d+|\+) (\d+) ([B-]) *(.*)$", text, re.M):
        x, y, size = (pdf.get_y() if number == "+" else int(number) for number in place)
        pdf.set_xy(x, y)
        if line:
            pdf.set_font(FONT, style.strip("-"), size)
            pdf.multi_cell(195 - x if x > 90 else 80, size * 0.45, on_paper(line), new_y="NEXT",
                           align="L")


def write_table(pdf, y: float, widths: tuple, rows: list[tuple]) -> None:
    """Write rows of texts, or figures where narrow; the first is the head, which pages repeat."""
    def write(row, style=""):
        nonlocal y
        cells = [[text] if pdf.get_string_width(text) < width - 2
                 else [line.encode("latin-1").decode("cp1252")  # fpdf2 has encoded it by then
                       for line in pdf.multi_cell(width, text=text, dry_run=True, output="LINES")]
                 for text, width in zip(map(on_paper, row), widths, strict=True)]
        height = 1.2 + LINE_HEIGHT * max(map(len, cells))
        if y + height > 281:
            pdf.add_page()
            y = 15
            write(rows[0], "B")
        pdf.set_font(style=style)
        x = 15
        for width, lines in zip(widths, cells, strict=True):
            is_figure = width <= 30 and x > 15
            for number, line in enumerate(filter(None, lines)):
                indent = width - 1 - pdf.get_string_width(line) if is_figure else 1
                pdf.text(x + indent, y + 3.9 + LINE_HEIGHT * number, line)
            x += width
        y += height
        pdf.line(15, y, 195, y)

    pdf.set_font(FONT, "", 8 if len(widths) > 2 else 10)
    write(rows[0], "B")
    for row in rows[1:]:
        write(row)


def statement_pdf(customer, found: Statement, year: int | None = None) -> bytes:
    """Return the statement on paper, of a year or of the last movements: the balance first."""
    title, until = "Cuenta corriente", today()
    if year:
        title, until = f"{title} {year}", min(until, f"{year}-12-31")
    period = "Sin movimientos" if not found.lines else (
        f"Movimientos del {day(found.lines[0].date)} al {day(found.lines[-1].date)}")
    tax_number = f" · CUIT {cuit.format(customer.cuit)}" if is_cuit(customer.cuit or "") else ""
    pdf = new_pdf(title, customer.colour,
                  f"{customer.name[:50]} · usuario {customer.number}{tax_number} · {period}")
    write_lines(pdf, "statement", company=company(), customer=customer, title=title,
                period=period, until=until, balance=found.closing)
    write_table(pdf, 58, (18, 49, 51, 21, 21, 20), [
        (date, f"{voucher} {number}".strip(), *rest)
        for date, voucher, number, *rest in statement_rows(found, plain_money)])
    return bytes(pdf.output())


def qr_address(customer, voucher) -> str:
    """Return the address in AFIP's QR: JSON in base64, numbers as numbers (RG 4892)."""
    total, kind = abs(voucher.amount), 80 if len(customer.cuit or "") == 11 else 96     # or a DNI
    receiver = {"tipoDocRec": kind, "nroDocRec": int(customer.cuit)} if customer.cuit else {}
    fields = {
        "ver": 1, "fecha": voucher.date, "cuit": int(company().company_cuit),
        "ptoVta": voucher.point_of_sale, "tipoCmp": voucher.type, "nroCmp": voucher.number,
        "importe": total / 100 if total % 100 else total // 100, "moneda": "PES", "ctz": 1,
        **receiver, "tipoCodAut": "E", "codAut": int(voucher.cae)}
    code = b64encode(json.dumps(fields, separators=(",", ":")).encode()).decode()
    return f"https://www.afip.gob.ar/fe/qr/?p={code}"


def voucher_pdf(customer, voucher) -> bytes:
    """Return a copy of a voucher that is not stored: an electronic one, or a receipt of ours."""
    import segno
    title, total = f"{voucher.type_name} {voucher_number(voucher)}", money(abs(voucher.amount))
    legend, more = ("Documento no válido como factura.", "") if not voucher.cae else (
        "Copia de consulta.", "El comprobante original es el que emitió la empresa.")
    pdf = new_pdf(title, customer.colour, f"{title}. {legend} {more}")
    pdf.rect(97, 14, 14, 15)
    pdf.line(15, 52, 195, 52)
    write_lines(pdf, "voucher", company=company(), customer=customer, voucher=voucher,
                legend=legend, more=more)
    write_table(pdf, 84, (150, 30), [
        ("Detalle", "Importe"), (voucher.detail or voucher.type_name, total), ("Total", total)])
    if voucher.cae and voucher.date >= QR_SINCE:    # a fixed mask: the best one is slow to find
        file = io.BytesIO()
        segno.make(qr_address(customer, voucher), error="m", mask=2, boost_error=False).save(
            file, kind="png", scale=4, border=0)
        pdf.image(file, 15, 240, 34)
    return bytes(pdf.output())


def document_name(voucher) -> str:
    """Return what a voucher's file is called on the customer's disk."""
    return f"{voucher.type_name} {voucher_number(voucher)}.pdf".replace(" ", "-")


def document(customer, voucher) -> bytes:
    """Return a voucher's PDF: as it is stored, or named by its SHA-256, else a copy; or 404."""
    if voucher.document is None:
        return voucher_pdf(customer, voucher) if has_pdf(voucher) else abort(404)
    folder, file = Path(current_app.config["DOCUMENTS"]), Path(voucher.document)
    with suppress(OSError):
        content = (folder / file.name).read_bytes()
        is_whole = len(file.stem) != 64 or sha256(content) == file.stem
        if content.startswith(b"%PDF-") and is_whole:
            return content
    log.error("event=document-missing name=%r folder=%s", voucher.document, folder)
    return abort(404, "document")


def year_zip(customer, year: int, found: Statement):
    """Return a year's statement, and its vouchers; a file on disk, however many they are."""
    file, without = tempfile.TemporaryFile(), []  # noqa: SIM115 - closed when it was sent
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"cuenta-corriente-{year}.csv", statement_csv(found))
        archive.writestr(f"cuenta-corriente-{year}.pdf", statement_pdf(customer, found, year))
        for line in found.lines:
            try:
                archive.writestr(document_name(line), document(customer, line))
            except NotFound:
                without.append(document_name(line))
        if without:
            archive.writestr("LEAME.txt", "\r\n".join([
                "Estos comprobantes no tienen PDF en el sitio. Si necesita uno, escríbanos:",
                *without, ""]))
    file.seek(0)
    return file


def download(make, name: str) -> Response:
    """Return a file that `make` makes, in its turn; counted, and told in the account's log."""
    with suppress(sqlite3.OperationalError), transaction(patience=1) as db:     # it may be locked
        allow(db, "download", current_user.number)
    if not ASKED.acquire(blocking=False):
        abort(503)
    try:
        with MAKING:
            content = make()
    finally:
        ASKED.release()
    if not fetch_one("SELECT 1 FROM event WHERE customer = ? AND at > ? AND kind = 'download'"
                     " AND new = ?", current_user.number, now(-600), name):
        with suppress(sqlite3.OperationalError), transaction(patience=1) as db:
            log_event(db, current_user.number, "download", new=name)
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    return send_file(file, as_attachment=True, download_name=name)


@bp.get("/cuenta.csv", endpoint="account_csv")
@bp.get("/cuenta.pdf", endpoint="account_pdf")
@login_required
def account_file():
    """The same movements for a spreadsheet, or on paper; the file's name says which days."""
    found, ending = statement(current_user.number), request.path[-3:]
    days = f"-{found.lines[0].date}-al-{found.lines[-1].date}" if found.lines else ""
    return download(
        lambda: statement_csv(found) if ending == "csv" else statement_pdf(current_user, found),
        f"cuenta-corriente-{current_user.number}{days}.{ending}")


@bp.get("/cuenta/<int(fixed_digits=4):year>.zip")
@login_required
def account_year(year):
    """A year's statement and vouchers, in one file."""
    found = statement(current_user.number, window=sys.maxsize)
    lines = [line for line in found.lines if line.date[:4] == f"{year:04}"] or abort(404)
    found = found._replace(lines=lines, opening=lines[0].balance - lines[0].amount,
                           closing=lines[-1].balance)
    return download(lambda: year_zip(current_user, year, found),
                    f"cuenta-corriente-{current_user.number}-{year}.zip")


@bp.get("/comprobantes/<int(max=9999999999999):voucher>.pdf")
@login_required
def voucher(voucher):
    """One of the customer's own vouchers: as it is stored, else a copy."""
    row = fetch_one(f"{VOUCHER} WHERE movement.id = ? AND customer = ?", voucher,
                    current_user.number) or abort(404)
    return download(lambda: document(current_user, row), document_name(row))

# === Services =====================================================================================
# The payment services, as they talk: where to pay, what their notices mean, how to ask them.

SERVICE_SECONDS = 4                 # to connect, and then to the last byte of the answer


class ServiceError(Exception):
    """A payment service could not be asked, or its answer not be read: ask again later."""


class RefusalError(ServiceError):
    """It answered, and refused: a wrong token, a wrong amount. A person has to see to it."""


def note_error(service: str, error: ServiceError) -> None:
    log.warning("event=service-error service=%s error=%s", service, error)
    if isinstance(error, RefusalError):
        with transaction() as db:
            db.execute("UPDATE setting SET value = ? WHERE name = 'service_refusal'",
                       (f"{now()}: {SERVICES[service].label}: {error}",))


@contextmanager
def time_limit(connection, seconds: float):
    """Hang up a connection, of HTTP or SMTP, after so many seconds: TimeoutError.

    The timeout of its socket does not do: it begins again with each byte.
    """
    first, is_over = connection.sock, []

    def hang_up():
        is_over.append(True)
        with suppress(OSError, TypeError):  # it is over, there is none yet, or it changes to TLS
            socket.socket.shutdown(connection.sock or first, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, hang_up)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if is_over:
            raise TimeoutError(f"no whole answer in {seconds:.1f} seconds")


def fetch(url: str, read, data: bytes | None = None, headers: dict | None = None):
    """Return what `read` makes of the answer to a GET or, with `data`, a POST."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    try:
        with closing(kind(parts.netloc, timeout=SERVICE_SECONDS)) as connection:
            connection.connect()
            with time_limit(connection, SERVICE_SECONDS):
                connection.request(
                    "POST" if data else "GET", parts._replace(scheme="", netloc="").geturl(), data,
                    {"User-Agent": "CAC"} | (headers or {}))
                reply = connection.getresponse()
                answer = reply.read(256 * 1024)
        if not 200 <= reply.status < 300:   # an answer from elsewhere is none either
            kind = RefusalError if reply.status in (400, 401, 403, 422) else ServiceError
            words = " ".join(answer[:300].decode("utf-8", "replace").split())
            raise kind(f"HTTP {reply.status}: {words}")
        return read(answer)
    except (OSError, HTTPException, ValueError) as error:
        raise ServiceError(f"{type(error).__name__}: {error}") from error


def read_xml(body: bytes):
    """Return the tree of DineroMail's XML, damaged as seen in the wild; tags in lower case."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("latin-1")
    text = html.unescape(text) if text.lstrip().startswith("&lt;") else text
    text = re.sub(r"^\s*<\?\s*xml[^>]*>", "", text, flags=re.I).strip()
    if "<!" in text:    # what is not declared cannot expand
        raise ValueError("it has declarations")
    text = re.sub(r"&(?!(#\d+|#x[0-9a-fA-F]+|amp|lt|gt|quot|apos);)", "&amp;", text)
    try:
        tree = ElementTree.fromstring(text)  # noqa: S314 - it has no declarations
    except ElementTree.ParseError as error:
        raise ValueError(f"it is no XML: {error}") from error
    for element in tree.iter():
        element.tag = element.tag.lower()
    return tree


def read_json(body: bytes) -> dict:
    if not isinstance(value := json.loads(body), dict):
        raise ValueError("it is no JSON object")
    return value


def centavos(decimal: str) -> int | None:
    """Return the centavos of an amount with a decimal point; None if it is not exactly one."""
    match = re.fullmatch(r"([0-9]{1,13})(?:\.([0-9]{1,2})0*)?", decimal)
    return int(match[1] + (match[2] or "").ljust(2, "0")) if match else None


class DineroMail:
    """Checkout of generation 1 and IPN v2, after DineroMail's manual of July 2011.

    Both services have `subjects`, what a notice names, PermissionError if it is forged;
    `look_up`, which asks about that; and `query`, which asks about a reference of ours.
    """

    label = "DineroMail"            # its name on pages and receipts
    setting = "DINEROMAIL_ACCOUNT"  # without which it is not offered
    states = {"1": "pending", "2": "credited", "3": "rejected"}     # ESTADO
    currencies = {"1": "ARS", "2": "USD"}                           # MONEDA

    def __init__(self, config):
        self.base = config["DINEROMAIL_URL"].rstrip("/")
        self.account, self.key = config["DINEROMAIL_ACCOUNT"][:-1], config["DINEROMAIL_PASSWORD"]

    def checkout(self, payment) -> tuple[str, dict]:
        """Return the address of the form that leads to the checkout, and its fields."""
        back = absolute("payment", reference=payment.reference, vuelta=1)
        return f"{self.base}/Shop/Shop_Ingreso.asp", {
            "NombreItem": f"{company().company_name}, usuario {payment.customer}",
            "TipoMoneda": "1", "PrecioItem": f"{payment.amount // 100}.{payment.amount % 100:02}",
            "E_Comercio": self.account, "NroItem": f"CC-{payment.customer}",
            "trx_id": payment.reference, "image_url": "http://", "DireccionExito": back,
            "DireccionFracaso": back, "DireccionEnvio": "0", "Mensaje": "0", "MediosPago": ""}

    def subjects(self, headers, query: str, body: bytes) -> list[str]:
        """Return the references that a notice names; ValueError if it cannot be read."""
        text = body.decode("latin-1")
        name, _, value = text.partition("=")
        pairs = ([(name, value)] if re.match(r"\s*(<|&lt;)", value)     # it is not encoded at all
                 else parse_qsl(text, encoding="latin-1"))
        fields = {name.lower(): value for name, value in pairs}
        if "notificacion" not in fields:
            raise ValueError("it has no field Notificacion")
        tree = read_xml(fields["notificacion"].encode("latin-1"))
        references = [(element.text or "").strip()
                      for element in tree.iterfind("operaciones/operacion/id")]
        if not 1 <= len(references) <= 100 or not all(0 < len(one) <= 64 for one in references):
            raise ValueError("it names no operation, too many, or an impossible one")
        return references

    def query(self, *references: str) -> list[Operation]:
        """Ask about all these in one question. MONTO is what was paid, before their fees."""
        ids = "".join(f"<ID>{html.escape(one, quote=False)}</ID>" for one in references)
        question = (f"<REPORTE><NROCTA>{self.account}</NROCTA><DETALLE><CONSULTA>"
                    f"<CLAVE>{html.escape(self.key, quote=False)}</CLAVE><TIPO>1</TIPO>"
                    f"<OPERACIONES>{ids}</OPERACIONES></CONSULTA></DETALLE></REPORTE>")
        report = fetch(f"{self.base}/Vender/Consulta_IPN.asp", read_xml,
                       urlencode({"DATA": question}).encode(),
                       {"Content-Type": "application/x-www-form-urlencoded"})
        outcome = report.findtext("estadoreporte", "").strip()
        if outcome not in ("1", "8"):   # 8 = it knows no such operation
            raise RefusalError(f"ESTADOREPORTE {outcome[:20]!r}")
        operations = []
        for element in report.iterfind("detalle/operaciones/operacion"):
            reference, number, state, amount = (element.findtext(tag, "").strip() for tag in
                                                ("id", "numtransaccion", "estado", "monto"))
            codes = {(code.text or "").strip() for code in element.iterfind("items/item/moneda")}
            currency = self.currencies.get(codes.pop(), "?") if len(codes) == 1 else ""
            state = self.states.get(state, f"unknown state {state}")
            if reference.upper() not in map(str.upper, references):
                reference, state = references[0], f"the answer was about {reference}"
            operations.append(Operation(reference, number, state, centavos(amount), currency))
        return operations

    look_up = query


class MercadoPago:
    """Checkout Pro: a preference, a signed notice of a payment's id, a query about it."""

    label, setting = "Mercado Pago", "MERCADOPAGO_TOKEN"
    states = {"approved": "credited", "pending": "pending", "in_process": "pending",
              "authorized": "pending", "rejected": "rejected", "cancelled": "rejected"}

    def __init__(self, config):
        self.base = config["MERCADOPAGO_URL"].rstrip("/")
        self.token, self.secret = config["MERCADOPAGO_TOKEN"], config["MERCADOPAGO_SECRET"]

    def ask(self, path: str, data: bytes | None = None, **headers) -> dict:
        headers |= {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        return fetch(self.base + path, read_json, data, headers)

    def checkout(self, payment) -> str:
        """Make the preference of a payment, always the same; return where it leads."""
        back = absolute("payment", reference=payment.reference, vuelta=1)
        item = {"id": f"CC-{payment.customer}", "currency_id": "ARS", "quantity": 1,
                "title": f"{company().company_name}, usuario {payment.customer}",
                "unit_price": payment.amount / 100}
        preference = {"items": [item], "external_reference": payment.reference,
                      "back_urls": {"success": back, "pending": back, "failure": back},
                      "auto_return": "approved", "notification_url": absolute(
                          "receive_notice", service="mercadopago", source_news="webhooks")}
        answer = self.ask("/checkout/preferences", json.dumps(preference).encode(),
                          **{"X-Idempotency-Key": payment.reference})
        if not re.fullmatch(r"https?://[!-~]+", address := str(answer.get("init_point", ""))):
            raise ServiceError("the preference has no address")
        return address

    def is_genuine(self, headers, *ids: str) -> bool:
        """Tell whether one of these ids is signed with our secret; '' = no id was signed."""
        pairs = (part.partition("=") for part in headers.get("x-signature", "").split(","))
        signature = {name.strip(): value.strip() for name, _, value in pairs}
        for id_ in ids:
            parts = (("id", id_), ("request-id", headers.get("x-request-id", "")),
                     ("ts", signature.get("ts", "")))
            manifest = "".join(f"{name}:{value};" for name, value in parts if value)
            expected = hmac.new(self.secret.encode(), manifest.encode(), "sha256").hexdigest()
            if hmac.compare_digest(expected.encode(), signature.get("v1", "").encode()):
                return bool(self.secret)
        return False

    def subjects(self, headers, query: str, body: bytes) -> list[str]:
        """Return the id of the payment that a notice names; [] if it is not of a payment.

        It is signed as it came or in lower case, in the old form (`topic`) perhaps not at all.
        """
        fields = dict(parse_qsl(query))
        subject = fields.get("data.id") or fields.get("id", "")
        if not self.is_genuine(headers, subject, subject.lower(), fields.get("data.id", "")):
            raise PermissionError("its signature is wrong")
        told = fields if subject else read_json(body) | fields
        subject = subject or str(told.get("data", {}).get("id", ""))
        if (told.get("type") or told.get("topic")) != "payment":
            return []
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,30}", subject):
            raise ValueError("it names no payment, or an impossible one")
        return [subject]

    def look_up(self, number: str) -> list[Operation]:
        operation = self.read_payment(self.ask(f"/v1/payments/{number}"))
        if operation.service_payment != number:
            raise ServiceError("the answer is about another payment")
        return [operation]

    def query(self, reference: str) -> list[Operation]:
        """Ask about our reference: a refused payment may be followed by another."""
        answer = self.ask(f"/v1/payments/search?{urlencode({'external_reference': reference})}")
        operations = map(self.read_payment, answer.get("results") or [])
        return [one for one in operations if one.reference.upper() == reference.upper()]

    def read_payment(self, payment: dict) -> Operation:
        """Read a payment of theirs. Money given back in part is a state of its own."""
        number, status, reference, amount, currency = (str(payment.get(name) or "") for name in (
            "id", "status", "external_reference", "transaction_amount", "currency_id"))
        is_refunded = payment.get("status_detail") == "partially_refunded"
        state = "partially refunded" if is_refunded else self.states.get(status, status)
        return Operation(reference, number, state, centavos(amount), currency)


SERVICES = {"mercadopago": MercadoPago, "dineromail": DineroMail}   # in the order of the buttons


def payment_service(name: str):
    return SERVICES[name](current_app.config)


@bp.app_errorhandler(ServiceError)
def no_service(error):
    """Say that a payment cannot be begun now: only Mercado Pago is asked meanwhile."""
    note_error("mercadopago", error)
    return error_page(503, "no service", **{"Retry-After": 60})

# === Payments =====================================================================================
# PAGO ONLINE. A notice, or the customer coming back, is only a hint: what counts is the service's
# own answer, which the background thread asks for.

MIN_PAYMENT = 100                   # centavos: the least advance payment
FIRST_QUERY_SECONDS = 180           # then a new payment of which no notice came is asked about
REFRESHES = {"new": 15, "pending": 15, "rejected": 3}   # of its page, after 2, 4, 6… seconds
GIVE_UP_SECONDS = 30 * 86400
NOTICES_WAITING = 20_000            # then no more are taken: payments are asked about anyway


def payment_offer(number: int):
    """Return what the payment page offers a customer now, with all it was decided from."""
    last = fetch_one("SELECT type_name, dineromail FROM last_invoice WHERE customer = ?", number)
    balance, limit = balance_of(number), company().dm_limit
    dm_active = bool(last and last.dineromail)
    services = {name: service.label for name, service in SERVICES.items()
                if current_app.config[service.setting]}
    why_not = {"saldo": "no service", "adelanto": "no service"}     # see _why_not.html
    if services:
        why_not["adelanto"] = "" if shows_advance_payment(balance, limit) else "balance first"
        why_not["saldo"] = ("" if shows_dineromail(balance, limit, dm_active) else "nothing due"
                            if balance <= 0 else "above limit" if balance > limit
                            else "at limit" if balance == limit else "voucher type")
    return SimpleNamespace(balance=balance, limit=limit, dm_active=dm_active, services=services,
                           why_not=why_not, last_invoice=last.type_name if last else "none")


def check_amount(field, least: int, most: int) -> None:
    """Refuse what was typed if it is no amount, or not one from `least` to `most` centavos."""
    try:
        amount = parse_money(field.data or "")
    except ValueError as error:
        raise StopValidation(str(error) if field.data else "Escriba el importe") from error
    if not least <= amount <= most:
        raise StopValidation(f"Escriba un importe de {money(least)} a {money(most)}")


class PaymentForm(Form):
    concepto = StringField(validators=[AnyOf(["saldo", "adelanto"], "Elija qué quiere pagar")])
    medio = StringField(validators=[AnyOf(list(SERVICES), "Elija con qué quiere pagar")])
    importe = text_field("Importe a pagar", 30)

    def validate_importe(self, field):
        if self.concepto.data == "adelanto":
            check_amount(field, MIN_PAYMENT, company().dm_limit)


@bp.route("/pago", methods=["GET", "POST"])
@login_required
def pay():
    """PAGO ONLINE: the balance, where to deposit it, and the buttons that the rules allow."""
    number = current_user.number
    form, offer = PaymentForm(), payment_offer(number)
    if request.method == "POST":
        is_absent = form.medio.data in SERVICES and form.medio.data not in offer.services
        if is_absent or offer.why_not.get(form.concepto.data):
            abort(403)
        if form.validate():
            purpose, amount = (("balance", offer.balance) if form.concepto.data == "saldo"
                               else ("advance", parse_money(form.importe.data)))
            reference = begin_payment(number, form.medio.data, purpose, amount)
            return redirect(url_for(".payment", reference=reference), 303)
    under_way = fetch_all("""
        SELECT * FROM payment_shown WHERE customer = ?1 AND (
            state = 'pending' OR (state = 'review' AND is_in_review)
            OR (state = 'new' AND hidden_at IS NULL AND (purpose = 'advance' OR amount = ?2)))
        ORDER BY id""", number, offer.balance)
    return form_page("pay.html", form, offer=offer, under_way=under_way,
                     accounts=fetch_all("SELECT * FROM bank_account ORDER BY id"),
                     labels={name: service.label for name, service in SERVICES.items()},
                     open_items=open_items(number, offer.balance),
                     transfers=reported_transfers(number))


def begin_payment(number: int, service: str, purpose: str, amount: int) -> str:
    """Commit a payment, or take up the same one while it is new; return its reference."""
    with transaction() as db:
        allow(db, "payment", number)
        begun = db.execute("""
            INSERT INTO payment (reference, customer, service, purpose, amount, created_at,
                                 query_at) VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (customer, service, purpose, amount) WHERE state = 'new' DO UPDATE
            SET created_at = excluded.created_at, query_at = excluded.query_at, hidden_at = NULL
            RETURNING *""",
            ("CAC" + b32encode(secrets.token_bytes(10)).decode(), number, service, purpose, amount,
             now(), now(FIRST_QUERY_SECONDS))).fetchone()
    if service == "mercadopago":
        address = payment_service(service).checkout(begun)
        with transaction() as db:
            db.execute("UPDATE payment SET checkout_url = ? WHERE id = ? AND state = 'new'",
                       (address, begun.id))
    return begun.reference


@bp.route("/pago/<reference>", methods=["GET", "POST"])
@login_required
def payment(reference):
    """A payment: the way to the service, then what became of it. POST is "no lo hice"."""
    number, turn = current_user.number, max(request.args.get("vuelta", 1, type=int), 1)
    if request.method == "POST":
        with transaction() as db:
            db.execute("UPDATE payment SET hidden_at = ? WHERE reference = ? AND customer = ?"
                       " RETURNING 1", (now(), reference, number)).fetchone() or abort(404)
        return redirect(url_for(".pay"), 303)
    if is_back := "vuelta" in request.args:
        with suppress(sqlite3.OperationalError), transaction(patience=1) as db:
            db.execute("UPDATE payment SET query_at = ?1 WHERE reference = ?2 AND customer = ?3"
                       " AND query_at > ?1 AND coalesce(queried_at, '') < ?4",
                       (now(), reference, number, now(-5)))     # no more often
    row = fetch_one("SELECT * FROM payment_shown WHERE reference = ? AND customer = ?",
                    reference, number) or abort(404)
    service, checkout, balance = payment_service(row.service), None, balance_of(number)
    is_outdated = row.purpose == "balance" and row.amount != balance
    if row.state == "new" and not (is_back or is_outdated):     # (address, fields of a form)
        checkout = (service.checkout(row) if row.service == "dineromail"
                    else row.checkout_url and (row.checkout_url, None))
    page = render_template(
        "payment.html", payment=row, label=service.label, is_back=is_back, balance=balance,
        is_outdated=is_outdated, checkout=checkout,
        receipt=row.movement and fetch_one(f"{VOUCHER} WHERE movement.id = ?", row.movement))
    if turn > REFRESHES.get(row.state, 0) or not (is_back or row.state == "pending"):
        return page
    again = url_for(".payment", reference=reference, vuelta=turn + 1)
    return page, {"Refresh": f"{2 * turn}; url={again}"}


def credit(db, payment, operation: Operation) -> None:
    """Write the receipt of a payment in the ledger.

    Its number is the payment's, if that is free: after a restore the same numbers come again, and
    the accounting program may have sent the old ones back.
    """
    detail = f"Pago con {SERVICES[payment.service].label} {operation.service_payment}"
    receipt = db.execute(
        "INSERT INTO movement (customer, date, type, point_of_sale, number, detail, amount, origin)"
        " VALUES (?1, ?2, 900, 0, coalesce((SELECT max(number) + 1 FROM movement WHERE"
        " customer = ?1 AND type = 900 AND point_of_sale = 0 AND number >= ?3), ?3),"
        " ?4, ?5, 'portal')",
        (payment.customer, today(), payment.id, detail, -payment.amount)).lastrowid
    db.execute("UPDATE payment SET state = 'credited', service_payment = ?, movement = ?,"
               " query_at = NULL WHERE id = ?", (operation.service_payment, receipt, payment.id))
    log_event(db, payment.customer, "payment", "service", field=payment.reference,
              new=plain_money(payment.amount))
    recipients = emails_of(payment.customer, only_confirmed=True)
    enqueue(db, "receipt", recipients, payment.customer, detail=detail, amount=payment.amount,
            reference=payment.reference)


def act_on(db, service: str, operations: list[Operation]) -> None:
    """Do what the verdict on each operation says, in a transaction of the caller's."""
    # The refused first: of several payments for a reference, one that may yet succeed counts.
    for operation in sorted(operations, key=lambda operation: operation.state != "rejected"):
        reference, number = operation.reference, operation.service_payment
        payment = fetch_one("SELECT * FROM payment WHERE reference = ?", reference)
        if service == "mercadopago" and not payment:
            continue    # the shop's other sales: its notices tell of them, too
        payment = payment if payment and payment.service == service else None
        owner = fetch_one("SELECT reference FROM payment WHERE service = ? AND service_payment = ?",
                          service, number)
        deed, why = verdict(payment, operation)
        # Two that make up the amount are a person's, too: each may be given back on its own.
        parts = [one.amount or 0 for one in operations if (one.state, one.currency, one.reference)
                 == ("credited", "ARS", reference)]
        if deed == "review" and payment and len(parts) == 2 and sum(parts) == payment.amount:
            why = f"two payments that add up to ARS {plain_money(payment.amount)}"
        if deed == "credit" and owner:
            deed, why = "review", f"it was credited as {owner.reference} already"
        if deed == "credit":
            credit(db, payment, operation)
        elif deed == "review" and (payment or operation.state == "credited"):
            log.warning("event=review service=%s reference=%r why=%r", service, reference, why)
            db.execute("INSERT OR IGNORE INTO review (at, service, reference, service_payment,"
                       " reason) VALUES (?, ?, ?, ?, ?)",
                       (now(), service, reference, number, why[:200]))
            db.execute("UPDATE payment SET state = 'review' WHERE id = ? AND state <> 'credited'",
                       (payment and payment.id,))
        elif deed in ("pending", "rejected"):
            db.execute("UPDATE payment SET state = ?, query_at = coalesce(query_at,"
                       " iif(state = 'expired', ?, NULL)) WHERE id = ?",
                       (deed, now(FIRST_QUERY_SECONDS), payment.id))


def settle(row, *, is_notice: bool = False) -> None:
    """Ask the service about a payment, or what a notice names, and act on its answer."""
    service = payment_service(row.service)
    with transaction() as db:   # the next query is planned, unless the payment was begun anew
        if is_notice:
            db.execute("UPDATE notice SET query_at = ?, outcome = 'not settled yet' WHERE id = ?",
                       (retry_at(row.received_at, 15, GIVE_UP_SECONDS), row.id))
        else:
            later = retry_at(row.created_at, FIRST_QUERY_SECONDS, GIVE_UP_SECONDS)
            db.execute("UPDATE payment SET queried_at = ?1, query_at = ?2, state ="
                       " iif(?2 IS NULL AND state IN ('new', 'pending'), 'expired', state)"
                       " WHERE id = ?3 AND created_at = ?4 AND query_at IS NOT NULL",
                       (now(), later, row.id, row.created_at))
    operations = (service.look_up(*json.loads(row.subjects)) if is_notice
                  else service.query(row.reference))
    with transaction() as db:
        act_on(db, row.service, operations)
        if is_notice:
            db.execute("UPDATE notice SET query_at = NULL, outcome = 'settled' WHERE id = ?",
                       (row.id,))


def settle_due() -> None:
    """Settle what is due, payments first, as strangers send notices; ask who stalls once."""
    deadline, stalled = time.monotonic() + 5, set()     # then the other jobs have their turn
    for table, row in [(name, row) for name in ("payment", "notice") for row in fetch_all(
            f"SELECT * FROM {name} WHERE query_at <= ? ORDER BY query_at, id LIMIT 500", now())]:
        began = time.monotonic()
        if began > deadline or row.service in stalled:
            continue
        try:
            settle(row, is_notice=table == "notice")
        except ServiceError as error:
            note_error(row.service, error)
        except Exception:  # whatever it was, the others go on, and it is tried again later
            log.exception("event=settle-failed %s=%s service=%s", table, row.id, row.service)
        if time.monotonic() - began > 1:
            stalled.add(row.service)


@bp.post(f"/aviso/<any({', '.join(SERVICES)}):service>")
@csrf.exempt
def receive_notice(service):
    """Store what a payment service tells; in a moment the service itself is asked about it."""
    request.max_content_length = 64 * 1024
    query, body = request.query_string.decode("latin-1"), request.get_data()
    subjects, status, outcome = [], 200, None
    try:
        subjects = payment_service(service).subjects(request.headers, query, body)
        outcome = None if subjects else "ignored: it is not of a payment"
    except (PermissionError, ValueError) as error:
        status = 401 if isinstance(error, PermissionError) else 400
        outcome = f"refused: {error}"
    with transaction() as db:
        allow(db, "notice", network_of(client_address()))
        if fetch_one("SELECT count(*) AS n FROM notice WHERE query_at >= ''").n >= NOTICES_WAITING:
            abort(503)
        db.execute("INSERT INTO notice (service, received_at, address, query, body, subjects,"
                   " query_at, outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6, iif(?7 IS NULL, ?2, NULL),"
                   " ?7)", (service, now(), client_address(), query[:1000], body[:1000],
                            json.dumps(subjects), outcome))     # anybody may have sent it
    if status != 200:
        log.warning("event=notice-refused service=%s why=%r", service, outcome)
    return Response("OK" if status == 200 else "refused", status, mimetype="text/plain")


@command("settle", "settle --pending")
@click.argument("reference", required=False)
@click.option("--pending", is_flag=True, help="All payments that are new or pending.")
def settle_command(reference, pending):
    """Ask the payment service what became of a payment, or of all that wait."""
    if pending == bool(reference):
        raise click.UsageError("Give a reference, or --pending.")
    rows, failed = fetch_all("SELECT * FROM payment WHERE reference = ?1 OR (?1 IS NULL AND state"
                             " IN ('new', 'pending')) ORDER BY id", reference), 0
    if not rows and reference:
        raise Refused(f"There is no payment {reference}. Nothing was changed.")
    for row in rows:
        try:
            settle(row)
            state = fetch_one("SELECT state FROM payment WHERE id = ?", row.id).state
            echo(f"{row.reference}: {state}")
        except ServiceError as error:
            failed += 1
            echo(f"{row.reference}: {error}", err=True)
    if not rows:
        echo("No payment is pending.")
    elif failed == len(rows):
        raise Refused("None could be asked, nothing was changed. Try again later.")


@command("resolve", "resolve 7")
@click.argument("line", type=click.IntRange(1), metavar="ID")
def resolve(line):
    """Take a line off the review: a person has looked at it, and done what was to do."""
    with transaction() as db:
        if not db.execute("UPDATE review SET closed_at = ? WHERE id = ? AND closed_at IS NULL",
                          (now(), line)).rowcount:
            raise Refused(f"There is no line {line} to review. Nothing was changed.")
    echo(f"{line} is closed. The ledger is as it was.")


@command("customer", "customer 1004")
@click.argument("number", type=NUMBER)
def customer(number):
    """Show a customer, and why each payment button shows or not."""
    offer = payment_offer(number)
    echo(current_app.jinja_env.get_template("command/customer.txt").render(
        row=known_customer(number), offer=offer, emails=emails_of(number),
        advance=shows_advance_payment(offer.balance, offer.limit)))

# === Transfers ====================================================================================
# Transfers and deposits that customers tell us of. No balance moves: a person, or an imported
# receipt, says that one arrived; a trigger writes the mail.

PROOF_BYTES = 5 * 2**20             # of the file that comes with a transfer
PROOFS = {".pdf": b"%PDF-", ".png": b"\x89PNG\r\n\x1a\n", ".jpg": b"\xff\xd8\xff"}  # beginnings


class TransferForm(Form):
    fecha = DateField("Fecha de la transferencia", [DataRequired(
        "Escriba la fecha, por ejemplo 28/11/2026")], format=["%Y-%m-%d", "%d/%m/%Y"])
    importe = text_field("Importe", 30)
    cuenta = SelectField("Cuenta a la que transfirió", validate_choice=False)
    nota = text_field("Nota (opcional)", 200)
    archivo = FileField("Comprobante (opcional)", [FileSize(
        PROOF_BYTES, message="Elija un archivo de 5 MB o menos, por ejemplo una captura")])

    def validate_fecha(self, field):
        if not 0 <= (date.fromisoformat(today()) - field.data).days <= 365:
            raise StopValidation("Escriba una fecha de los últimos 12 meses, hasta hoy")

    def validate_importe(self, field):
        check_amount(field, 1, 10**15 - 1)

    def validate_cuenta(self, field):
        if field.data not in dict(field.choices):
            raise StopValidation("Elija una de nuestras cuentas")

    def validate_archivo(self, field):
        self.content = field.data.read() if field.data else b""
        self.kind = next((ending for ending, beginning in PROOFS.items()
                          if self.content.startswith(beginning)), None)
        if field.data and not self.kind:
            raise StopValidation("Elija un archivo PDF, JPEG o PNG")


@bp.route("/pago/informar", methods=["GET", "POST"])
@login_required
def report_transfer():
    """Informar una transferencia: no balance moves, a person or an import looks for it."""
    form, number = TransferForm(), current_user.number
    accounts = {str(row.id): row for row in fetch_all("SELECT * FROM bank_account ORDER BY id")}
    form.cuenta.choices = [(id_, f"{row.bank}, {row.account}") for id_, row in accounts.items()]
    if not form.validate_on_submit():
        return form_page("transfer.html", form)
    with transaction() as db:
        allow(db, "transfer", number)
    row = {"date": form.fecha.data.isoformat(), "amount": parse_money(form.importe.data),
           "cbu": accounts[form.cuenta.data].cbu, "note": " ".join(form.nota.data.split()),
           "document": form.kind and sha256(form.content) + form.kind}
    if row["document"]:
        folder = Path(current_app.config["DOCUMENTS"])
        private_folder(folder)
        with atomic_write(folder / row["document"]) as draft:
            draft.write_bytes(form.content)
    with transaction() as db:
        new = db.execute("INSERT INTO transfer (told_at, customer, date, amount, cbu, note,"
                         " document) VALUES (:now, :customer, :date, :amount, :cbu, :note,"
                         " :document) ON CONFLICT DO NOTHING",
                         row | {"now": now(), "customer": number})
        if new.rowcount:    # else it is a second click
            log_event(db, number, "transfer", new=money(row["amount"]))
            enqueue(db, "transfer_told", filter(None, [company().admin_email]), number, **row,
                    id=new.lastrowid, name=current_user.name, user=number,
                    account=dict(form.cuenta.choices)[form.cuenta.data])
    return done("Gracias por avisar. Verificamos la transferencia y le escribimos.", "pay")


@command("transfer", "transfer 7 reject --reason 'No figura en el extracto.'")
@click.argument("line", type=click.IntRange(1), metavar="ID")
@click.argument("answer", type=click.Choice(["accept", "reject"]))
@click.option("--reason", default="", help="For the customer, in the mail.")
def answer_transfer(line, answer, reason):
    """Say that a transfer arrived, or that it did not. The customer gets a mail."""
    with transaction() as db:
        if not db.execute("UPDATE transfer SET state = ?, closed_at = ?, reason = ?"
                          " WHERE id = ? AND state = 'told'",
                          (f"{answer}ed", now(), reason, line)).rowcount:
            raise Refused(f"No transfer {line} waits for an answer. Nothing was changed.")
    log.info("event=transfer-%sed transfer=%s", answer, line)
    echo(f"Transfer {line} is {answer}ed. The ledger is as it was.")

# === Mail =========================================================================================
# Reminders, and the sending of what the outbox holds. A mail is written when it is sent, of what is
# so then; its row is claimed before, so that a dead process neither loses nor repeats another one.

SMTP_SECONDS, CONNECTION_SECONDS = 10, 15   # for each answer of the server, for all of them
SMTP_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
ROUND_SECONDS = 5                   # of sending, or reminding: then other jobs have their turn
OUTAGE_SECONDS = 30                 # between tries of a server that takes no mail
GIVE_UP_MAIL_SECONDS = 3 * 86400
KEEP_MAIL_SECONDS = 30 * 86400      # once it is sent, skipped or given up
CUT_SHORT = "it was cut short while it was sent: it may have arrived"
ABOUT_US = re.compile(r"\b(quota|exceed\w*|limit\w*|max|rate|too many|relay\w*|sender|polic\w+|spam"
                      r"|block\w*|black\w*|list\w*|rcpthosts|authent\w+|authori\w+|denied)\b", re.I)
REMINDER_KINDS = "new", "due", "overdue", "overdue-15", "overdue-30"


class SkippedMail(Exception):  # noqa: N818 - it is no error
    """Why a mail is not needed any more."""


class MailRefused(Exception):  # noqa: N818
    """A server's refusal: (its words, whether it is about the recipient, whether it is final)."""


def open_lines(kind: str, number: int, movements: list[int]) -> list[tuple]:
    """Return (voucher, what is owed of it) of those of which the reminder is still to tell."""
    vouchers = fetch_all(f"{VOUCHER} WHERE customer = ? AND movement.id IN (SELECT value FROM"
                         " json_each(?)) ORDER BY date, movement.id", number, json.dumps(movements))
    if kind == "new":
        return [(voucher, voucher.amount) for voucher in vouchers]
    owed = {item.movement.id: item.rest for item in open_items(number, balance_of(number))
            if item.movement}
    return [(voucher, owed[voucher.id]) for voucher in vouchers
            if voucher.id in owed and (voucher.due_date >= today()) == (kind == "due")]


def unsent_reminders():
    """Yield (kind, customer's number, open lines) of what customers were not told of yet."""
    rows = fetch_all("SELECT * FROM due_reminder WHERE ? BETWEEN since AND until"
                     " ORDER BY kind, customer", today())
    for (kind, number), group in groupby(rows, key=lambda row: (row.kind, row.customer)):
        if lines := open_lines(kind, number, [row.movement for row in group]):
            yield kind, number, lines


def remind(kind: str, number: int, lines: list) -> bool:
    """Enqueue one mail about these vouchers; False if another process told all of it just now."""
    with transaction() as db:
        new = [voucher.id for voucher, _ in lines if db.execute(
            "INSERT INTO reminder VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (number, voucher.type, voucher.point_of_sale, voucher.number, kind, now())).rowcount]
        if new:
            enqueue(db, kind.partition("-")[0], emails_of(number, only_confirmed=True), number,
                    kind=kind, movements=new)
    return bool(new)


def remind_daily() -> None:
    """Remind customers once a day, from the hour on that the setting says, until all are told."""
    hour, day_done = company().notify_hour, company().notified_on
    if hour == "off" or datetime.now(ARGENTINA).hour < int(hour) or day_done == today():
        return
    deadline = time.monotonic() + ROUND_SECONDS
    for reminder in unsent_reminders():
        if time.monotonic() > deadline:
            return
        remind(*reminder)
    with transaction() as db:
        db.execute("UPDATE setting SET value = ? WHERE name = 'notified_on'", (today(),))


def reminder_values(mail, kind: str, movements: list[int]) -> dict:
    """Return what a reminder tells, as it is now; SkippedMail if that is nothing any more."""
    customer = fetch_one("SELECT * FROM customer WHERE number = ? AND active = 1"
                         " AND wants_reminders = 1", mail.customer)
    if not customer:
        raise SkippedMail("the customer was blocked, or wants no reminders any more")
    lines = open_lines(kind, mail.customer, movements)
    if not lines:
        raise SkippedMail("it was paid meanwhile, fell due, or is no longer on file")
    return {"name": customer.name, "lines": lines, "total": sum(owed for _, owed in lines),
            "balance": balance_of(mail.customer), "unsubscribe": unsubscribe_link(mail.customer)}


def write_mail(mail) -> EmailMessage:
    """Write the message of a row of the outbox. Links are signed here: no secret is ever stored."""
    data, templates, us = json.loads(mail.data), current_app.jinja_env, company()
    brand = fetch_one("SELECT brand.* FROM brand LEFT JOIN customer ON customer.brand = brand.code"
                      " AND customer.number = ? ORDER BY customer.number IS NULL, position",
                      mail.customer)
    values = {"company": us, "brand": brand, "absolute": absolute, "site": absolute("home"),
              "password_link": password_link, "confirmation_link": confirmation_link,
              "INVITATION_SECONDS": INVITATION_SECONDS, **data}
    if "movements" in data:
        values |= reminder_values(mail, data["kind"], data["movements"])
    text = templates.get_template(f"mail/{mail.template}.txt").render(values)
    subject, _, text = text.partition("\n")
    text = re.sub(r"\n\s*\n", "\n\n", text.strip())
    name, _, sender = current_app.config["MAIL_FROM"].rpartition("<")
    name = brand.name if mail.customer else unquote_name(name.strip())
    local, _, domain = deliverable(sender.strip(" >")).rpartition("@")
    serial = f"{mail.id}.{sha256(mail.created_at + mail.recipient)[:16]}"
    message = EmailMessage()
    message["Subject"] = " ".join(subject.split())  # no no-break space: it would be encoded
    message["From"], message["To"] = Address(name, local, domain), deliverable(mail.recipient)
    message["Date"], message["Message-ID"] = datetime.now(ARGENTINA), f"<{serial}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    if us.admin_email:
        message["Reply-To"] = us.admin_email
    if "unsubscribe" in values:     # RFC 8058
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message["List-Unsubscribe"] = f"<{values['unsubscribe']}>"
        link = message["List-Unsubscribe"]  # folded, it would be encoded, and programs not find it
        link.fold = lambda *, policy: f"{link.name}: {link}{policy.linesep}"
    message.set_content(text + "\n", cte="quoted-printable")
    page = templates.get_template("mail/layout.html").render(values, subject=subject, text=text)
    message.add_alternative(page, "html", cte="quoted-printable")
    return message


@contextmanager
def mail_server():
    """Yield a function that hands a message over; OSError, ValueError or Refused if none can be."""
    url, tls = urlsplit(current_app.config["SMTP_URL"]), ssl.create_default_context()
    if not url.hostname:
        if not current_app.config["DEMO"]:
            raise Refused("CAC_SMTP_URL is not set")
        return (yield keep_demo_mail)
    smtp = (smtplib.SMTP_SSL(timeout=SMTP_SECONDS, context=tls) if url.scheme == "smtps"
            else smtplib.SMTP(timeout=SMTP_SECONDS))
    smtp._host = url.hostname   # whom the certificate has to name: connect() does not set it
    with closing(smtp), time_limit(smtp, CONNECTION_SECONDS):   # a tarpit holds up no other job
        code, said = smtp.connect(url.hostname, url.port or SMTP_PORTS[url.scheme])
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)
        if url.scheme == "smtp+starttls":
            smtp.starttls(context=tls)
        if url.username:
            smtp.login(unquote(url.username), unquote(url.password or ""))
        yield partial(deliver, smtp)
        with suppress(OSError):     # whatever it says now, it has the mail
            smtp.quit()
    return None


def keep_demo_mail(message: EmailMessage) -> str:
    """Print a mail of the demo, and keep it for the page /demo/correo."""
    name = f"{int(time.time())}-{message['Message-ID'].strip('<>')}.eml"
    Path(current_app.config["DEMO"], name).write_bytes(message.as_bytes())
    text = message.get_body(["plain"]).get_content()
    echo(f"\n--- mail to {message['To']}: {message['Subject']}\n\n{text}---")
    return "kept for /demo/correo"


def deliver(smtp, message: EmailMessage) -> str:
    """Hand a message over; OSError if the server takes no other now, either."""
    smtp.rset()     # whatever happened to the mail before
    try:
        smtp.send_message(message)
        return "the server took it"
    except smtplib.SMTPNotSupportedError as error:
        raise MailRefused("the server takes no address with accents", True, True) from error
    except smtplib.SMTPRecipientsRefused as error:
        [(code, said)], is_rcpt = error.recipients.values(), True
    except smtplib.SMTPDataError as error:
        (code, said), is_rcpt = error.args, False
    words = f"{code} {said.decode('utf-8', 'replace')}"
    if code in (421, 452):
        raise ConnectionError(words)
    raise refusal(words, is_rcpt=is_rcpt)


def refusal(words: str, *, is_rcpt: bool) -> MailRefused:
    """Judge a refusal: is it about the recipient, or about us, as quota and policy; is it final?"""
    plain_words = re.sub(r"\S*@\S*", "", words)
    match = re.search(r"(?<![\d.])[45](\.\d{1,3}\.\d{1,3})(?![\d.])", plain_words)
    code = match[1] if match else ".0.0"
    if code in (".0.0", ".1.0"):    # those say nothing
        is_final = about_recipient = (is_rcpt and words[:3] in ("450", "550", "553")
                                      and not ABOUT_US.search(plain_words))
    else:
        about_recipient = bool(re.match(r"\.1\.(?![78]$)|\.2\.", code))
        is_final = code.startswith(".1.") or code == ".2.1"     # .2.2: it is full
    return MailRefused(words, about_recipient, about_recipient and is_final and words[0] == "5")


def smtp_words(error: Exception) -> str:
    """Say what went wrong with the server, without its password."""
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return "CAC_SMTP_URL: its port, its user or its password cannot be used"
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if isinstance(error, smtplib.SMTPResponseException):
        words = f"{error.smtp_code} {error.smtp_error.decode('utf-8', 'replace')}"
    if re.search("must issue a starttls|auth extension not supported", words, re.I):
        words += "; write smtp+starttls:// in CAC_SMTP_URL"
    return words


def send_mail(send, mail) -> None:
    """Send a mail and write down what became of it; OSError or Refused if no other can be sent."""
    retry, trouble = retry_at(mail.created_at, 60, GIVE_UP_MAIL_SECONDS), None
    with transaction() as db:   # whoever dies after this leaves it to be tried again
        if not db.execute("UPDATE outbox SET tries = tries + 1, due_at = ?, error = ?"
                          " WHERE id = ? AND tries = ? AND due_at IS NOT NULL",
                          (retry, CUT_SHORT, mail.id, mail.tries)).rowcount:
            return
    row = {"due_at": None, "sent_at": None, "skipped": None, "error": None, "bad_address": False}
    try:
        send(write_mail(mail))
        row["sent_at"] = now()
    except SkippedMail as why:
        row["skipped"] = str(why)
    except MailRefused as refused:
        row["error"], row["bad_address"], is_final = refused.args
        row["due_at"] = None if is_final else retry
    except sqlite3.Error:
        raise
    except Exception as error:  # whatever it is, the mails behind it have to go out
        if isinstance(error, (OSError, Refused)) and not isinstance(error, TemplateError):
            trouble, row["due_at"], row["error"] = error, retry, smtp_words(error)
        else:
            log.exception("event=mail-fault mail=%s", mail.id)
            words = f"it cannot be sent: {type(error).__name__}: {error}"
            row["error"] = words.encode("utf-8", "backslashreplace").decode()
    log.info("event=mail mail=%s template=%s sent_at=%s due_at=%s", mail.id, mail.template,
             row["sent_at"], row["due_at"])
    with transaction() as db:
        db.execute("UPDATE outbox SET due_at = :due_at, sent_at = :sent_at, skipped = :skipped,"
                   " error = :error, bad_address = :bad_address WHERE id = :id AND sent_at IS NULL",
                   row | {"id": mail.id})
    if trouble:
        raise trouble


def send_due_mail() -> None:
    """Send what is due, awaited links first; while there is no server, all of it waits."""
    due = fetch_all("SELECT * FROM outbox WHERE due_at <= ? ORDER BY"
                    " template IN ('reset', 'confirm_email') DESC, tries, id LIMIT 50", now())
    if not due:
        return
    deadline, taken = time.monotonic() + ROUND_SECONDS, 0
    try:
        with mail_server() as send:
            for mail in takewhile(lambda _: time.monotonic() < deadline, due):
                send_mail(send, mail)
                taken += 1
    except (OSError, ValueError, Refused) as error:
        if taken:
            return
        log.warning("event=mail-waits why=%r", smtp_words(error))
        with transaction() as db:
            db.execute("UPDATE outbox SET error = ?1, due_at = iif(created_at > ?2, ?3, NULL)"
                       " WHERE due_at <= ?3",
                       (smtp_words(error), now(-GIVE_UP_MAIL_SECONDS), now(OUTAGE_SECONDS)))


@command("mail", "mail test ana@example.com")
@click.argument("action", type=click.Choice(["test", "retry"]))
@click.argument("address", required=False)
def mail(action, address):
    """Send a test mail to an ADDRESS and tell all; or retry at once what waits or was given up."""
    if (action == "test") != bool(address):
        raise click.UsageError("Say test ADDRESS, or retry.")
    if action == "retry":
        with transaction() as db:
            due = db.execute("UPDATE outbox SET due_at = ?, bad_address = 0"
                             " WHERE sent_at IS NULL AND skipped IS NULL", (now(),)).rowcount
        return echo(f"Due again now: {due}. The running service sends them.")
    if not canonical_email(address):
        raise Refused(f"{address!r} is no e-mail address. Nothing was sent.")
    message = write_mail(fetch_one("SELECT 0 AS id, 'test' AS template, '{}' AS data, NULL AS"
                                   " customer, ? AS recipient, ? AS created_at", address, now()))
    url = urlsplit(current_app.config["SMTP_URL"])
    echo(f"from: {message['From']}\nto: {message['To']}\n"
         f"server: {url.scheme}://{url.netloc.rpartition('@')[2]}")
    try:
        with mail_server() as send:
            return echo(send(message))
    except MailRefused as refused:
        raise Refused(f"{refused.args[0]}. Nothing was sent.") from refused
    except (OSError, ValueError) as error:
        raise Refused(f"{smtp_words(error)}. Nothing was sent.") from error


@command("notify", "notify --dry-run")
@click.option("--dry-run", is_flag=True, help="List what would be told, and change nothing.")
def notify(dry_run):
    """Mail customers what is new, falls due within 3 days or is overdue, each thing once."""
    sent = [reminder for reminder in unsent_reminders() if dry_run or remind(*reminder)]
    if dry_run and sent:
        print_rows([{"kind": kind, "customer": number, "due": voucher.due_date,
                     "voucher": f"{voucher.type_name} {voucher_number(voucher)}",
                     "amount": plain_money(owed)}
                    for kind, number, lines in sent for voucher, owed in lines], "")
    counts = Counter(kind for kind, _, _ in sent)
    what = "Customers that would be told" if dry_run else "Customers told"
    echo(f"{what}: " + ", ".join(f"{kind} {counts[kind]}" for kind in REMINDER_KINDS))

# === Files ========================================================================================
# A file of another program, as it is: CSV in the usual dialects, or a workbook. It becomes rows of
# cells under our names of the columns. Text is read here; the cells of a workbook have a type.

FILE_BYTES = 200 * 2**20
TITLE_LINES = 15                    # above the header, at most
BETWEEN = rb"(?<=[A-Za-z])[%b]+(?=[A-Za-z])"
DOS = re.compile(BETWEEN % rb"\x81\x82\x90\xa1-\xa5")     # üéÉíóúñÑ; in Windows quotes, coins …
WINDOWS = re.compile(BETWEEN % "áéíñóúüÁÉÍÑÓÚÜ".encode("cp1252"))
DATE = re.compile(r"(?:((?:19|20)[0-9]{2})-([0-9]{1,2})-([0-9]{1,2})"
                  r"|(?:[a-záé]+,? )?([0-9]{1,2})(?:[/.-]| de )([0-9]{1,2}|[a-z]{3,10})"
                  r"(?:[/.-]| de )((?:19|20)?[0-9]{2}))"
                  r"(?:[ T][0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|\s?[ap]\.?\s?m\.?)?"
                  r")?", re.I)
MONTH_NAMES = "ene feb mar abr may jun jul ago sep oct nov dic".split()
SIGNED = re.compile(r"([+-]?)\$?([+-]?)(?:([0-9.,]+)|\(([0-9.,]+)\))(-?)")
GROUPED = {",": re.compile(r"([0-9]{1,3}(?:\.[0-9]{3})+|[0-9]*)(?:,([0-9]{1,2}|[0-9]{2}00))?"),
           ".": re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]*)(?:\.([0-9]{1,2}|[0-9]{2}00))?")}
TYPE_NAME = re.compile(
    "(?P<tique>tique?|ticket|tk)?(?:(?P<factura>facturas?|fact?|fc?)|(?P<recibo>recibos?|rec|rc|rbo"
    "|cobranzas?|cobros?|pagos?)|(?P<notadecredito>notas?(?:de)?cred(?:ito)?|ncr?|ncred)"
    "|(?P<notadedebito>notas?(?:de)?deb(?:ito)?|ndb(?=.)|nd|ndeb))?([abcemtx]?)")
AMOUNTS = ("importe", "debe", "haber", "saldo")
TOTAL_LINE = re.compile("(sub)?total|saldo(final|actual)")
OPENING = re.compile("saldo(anterior|inicial)|apertura|transporte")
MARKS = {"comma": ",", "point": "."}
SHORT = {"cod": "codigo", "nro": "numero", "n": "numero", "no": "numero", "num": "numero",
         "fec": "fecha", "vto": "vencimiento", "imp": "importe", "cbte": "comprobante",
         "comp": "comprobante", "pto": "punto", "vta": "venta", "doc": "documento"}
COLUMN_NAMES = {    # column: how programs call it, too; what is before a bar wins over the rest
    "usuario": "codigo cliente, numero cliente, id cliente|cliente|codigo, cuenta|cod",
    "nombre": "razon social, apellido nombre, denominacion", "marca": "linea, unidad negocio",
    "cuit": "cuit cuil, c u i t, cuit dni|numero documento, numero documento receptor,"
            " numero documento comprador|dni",
    "condicion_iva": "condicion frente iva, situacion iva", "activo": "habilitado",
    "domicilio": "direccion, calle, domicilio comercial", "localidad": "ciudad",
    "codigo_postal": "cp, c p", "telefonos": "telefono, tel",
    "emails": "email, e mail, e mails, correo, correos, correo electronico, mail",
    "fecha": "fecha emision, fecha comprobante, emision", "saldo": "saldo acumulado",
    "tipo": "tipo comprobante, codigo comprobante, t comprobante", "punto_venta": "p v, sucursal",
    "numero": "numero desde, numero comprobante, nro|comprobante|cbte|n, no",
    "detalle": "concepto, descripcion, observaciones, leyenda", "moneda": "moneda original",
    "importe": "monto, importe total, total|imp", "debe": "debito, debitos",
    "haber": "credito, creditos", "vencimiento": "fecha vencimiento, vto",
    "cae": "numero cae, codigo autorizacion", "vencimiento_cae": "fecha vencimiento cae",
    "texto": "cuerpo, noticia", "servicio": "abono, plan", "desde": "fecha alta, alta",
    "emisor": "numero documento emisor, numero documento vendedor",     # of what we received
}


@lru_cache(4096)
def parse_date(text: str) -> str:
    """Return a day as accounting programs write it: 5/3/26, 05-nov-26, 2026-03-05 00:00:00."""
    match = DATE.fullmatch(text)
    if not match:
        raise ValueError("no date such as 31/12/2026 or 2026-12-31")
    year, month, day_of_month = match.group(1, 2, 3) if match[1] else match.group(6, 5, 4)
    century = "" if len(year) == 4 else "19" if year > "69" else "20"
    try:
        if not month.isdigit():
            month = MONTH_NAMES.index(month[:3].lower().replace("set", "sep")) + 1
        return date(int(century + year), int(month), int(day_of_month)).isoformat()
    except ValueError:
        raise ValueError("not in the calendar; days come before months") from None


def proven_mark(text: str) -> str:
    """Return the decimal mark that an amount proves, of 1.234,56 the comma; '' if none."""
    marks = re.findall("[.,]", text)
    if len(marks) > 1:
        return marks[-1] if marks[-1] != marks[0] else {",": ".", ".": ","}[marks[0]]
    return marks[0] if marks and not re.search(r"[0-9][.,][0-9]{3}(?![0-9])", text) else ""


def decimal_mark(cells) -> str:
    """Return the decimal mark that most amounts prove; '' if none does."""
    proofs = Counter(proven_mark(cell) for cell in cells if isinstance(cell, str))
    return max("", ".", ",", key=lambda mark: proofs[mark] if mark else 0.5)


def parse_amount(cell, mark: str) -> int:
    """Return the centavos of $ 1.234,56, (12), 0,5-, $ - and so on; '' = the mark is not known.

    A number, as workbooks have, is rounded to centavos.
    """
    if type(cell) in (int, float) and abs(cell) < 10**13:
        return int(Decimal(repr(cell)).scaleb(2).quantize(Decimal(1), ROUND_HALF_UP))
    bare = "".join(str(cell).split()).replace("−", "-")
    if bare in ("-", "$-"):     # zero in the accounting format
        return 0
    match = SIGNED.fullmatch(bare)
    sign = match[1] + match[2] + "-" * bool(match[4]) + match[5] if match else "?"
    digits = (match[3] or match[4]) if match else ""
    if sign not in ("", "+", "-") or not re.search("[0-9]", digits):
        raise ValueError("no amount such as 1234,56")
    if not mark and re.search("[.,]", digits):
        raise ValueError("ambiguous: say --decimal comma or --decimal point")
    parts = GROUPED[mark or ","].fullmatch(digits)
    if not parts:
        other = [name for name, form in MARKS.items() if GROUPED[form].fullmatch(digits)]
        raise ValueError(f"decimal {other[0]}? use --decimal {other[0]}" if other
                         else "no amount such as 1234,56")
    centavos = int(re.sub("[.,]", "", parts[1]) + (parts[2] or "")[:2].ljust(2, "0"))
    if centavos >= 10**15:
        raise ValueError("too large")
    return -centavos if sign == "-" else centavos


@lru_cache(4096)
def type_key(text: str) -> tuple:
    """Return what a type of voucher's name says: (factura, recibo …, letter, is it a FCE, a tique).

    >>> type_key("N/C A"), type_key("FCE A")
    (('notadecredito', 'a', False, False), ('factura', 'a', True, False))
    """
    words = " ".join(map(plain, re.findall(r"\w+", re.sub("[/.]", "", text))))
    is_fce = bool(re.search(r"\bfce|mipyme|facturas? de credito", words))
    name = words.replace(" ", "").replace("facturadecredito", "factura") if is_fce else plain(words)
    name = re.sub("electronicas?|mipymes?" + "|fce" * is_fce, "", name)
    match = TYPE_NAME.fullmatch(name)
    if not match:
        return plain(words), "", is_fce, False
    kind = next((kind for kind, found in match.groupdict().items() if found and kind != "tique"),
                "factura" if is_fce else "")
    return kind, match[match.lastindex], is_fce, bool(match["tique"])


def text_of(cell) -> str:
    """Return a cell as text: a number without .0, a date as ISO, a truth as 1 or 0."""
    if isinstance(cell, str):
        return "" if cell in ("#N/A", "#N/D", "NULL") else cell
    if isinstance(cell, date):
        return cell.isoformat()[:10]
    return f"{cell:.0f}" if cell == int(cell) else str(cell)


def header_key(text: str) -> str:
    """Return a header's words without accents, articles, abbreviations.

    >>> header_key("Cód. de Cliente"), header_key("PtoVta"), header_key("Nº")
    ('codigo cliente', 'punto venta', 'no')
    """
    plain_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = [word.lower() for word in re.findall("[A-Z]?[a-z0-9]+|[A-Z0-9]+", plain_text)]
    words = [word for word in words if word not in ("de", "del", "la", "el", "al", "y")]
    return " ".join(SHORT.get(word, word) if len(words) > 1 else word for word in words)


def letters_of(cells: list) -> str:
    """Return what tells a heading that comes again on each page: its letters, no numbers."""
    return re.sub(r"[\W\d_]+", "", "".join(cell for cell in cells if isinstance(cell, str)))


def read_complete(path: Path) -> bytes:
    """Return all of a file; Refused if it is too large, or changes meanwhile."""
    with refused_by(path, "Nothing was saved."), path.open("rb") as file:
        before, content = os.fstat(file.fileno()), file.read(FILE_BYTES + 1)
        after = path.stat()
    if (before.st_mtime_ns, len(content)) != (after.st_mtime_ns, after.st_size):
        raise Refused(f"{path}: it is too large, or changed while it was read: try again when it"
                      " is complete. Nothing was saved.")
    return content


def unzip(content: bytes) -> bytes:
    """Return what a ZIP of one file holds, as ARCA sends it; a workbook, a ZIP too, as it is."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = {info.filename: info for info in archive.infolist() if not info.is_dir()}
            if files.keys() & {"[Content_Types].xml", "content.xml"}:
                return content
            if len(files) == 1 and max(info.file_size for info in files.values()) <= FILE_BYTES:
                return archive.read(*files)
    except Exception as error:  # zipfile promises no one error
        raise ValueError("it is a damaged or locked ZIP") from error
    raise ValueError("it is a ZIP with more than one CSV in it")


def text_lines(content: bytes) -> tuple[list[str], list[str]]:
    """Return a text's lines, and remarks about their encoding: each line has its own."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:2]:
        is_big = content[:1] == b"\0" or content.startswith(codecs.BOM_UTF16_BE)
        with suppress(UnicodeDecodeError):
            content = content.decode("utf-16-be" if is_big else "utf-16-le").encode()
    content = content.removeprefix(codecs.BOM_UTF8).rstrip(b"\x1a")
    is_dos = len(DOS.findall(content)) > len(WINDOWS.findall(content))
    lines, accented, others = [], [], []    # the last two are line numbers
    for number, line in enumerate(content.splitlines(keepends=True), 1):
        try:
            lines.append(line.decode())
            if not line.isascii():
                accented.append(number)
        except UnicodeDecodeError:
            lines.append(line.decode("cp850" if is_dos else "cp1252", "surrogateescape"))
            others.append(number)
    if any(map(re.compile("[\0-\x08\x0e-\x1f\udc80-\udcff]").search, lines)):
        raise ValueError("it is no text: save it as CSV")
    remarks = [f"line {number} is not in the encoding of the others: look at its accents"
               for number in min(others, accented, key=len)]
    remarks += ["read as DOS writes, in code page 850"] * (is_dos and len(others) > len(accented))
    return lines, remarks


def csv_rows(lines: list[str], delimiter: str):
    """Yield (line, cells); a quoted cell may go over several lines: then the first one counts."""
    table, line = csv.reader(lines, delimiter=delimiter), 1
    for cells in table:
        yield line, cells
        line = table.line_num + 1


def open_sheet(content: bytes, name: str | None):
    """Return a sheet of a workbook: the first that is not hidden, or the one of that name."""
    import python_calamine
    try:
        book = python_calamine.load_workbook(io.BytesIO(content))
        shown = [sheet.name for sheet in book.sheets_metadata
                 if sheet.typ == python_calamine.SheetTypeEnum.WorkSheet and (
                     sheet.visible == python_calamine.SheetVisibleEnum.Visible or name)]
        if name and name not in shown:
            raise ValueError(f"it has no sheet {name}: it has {', '.join(shown)}")
        sheet = book.get_sheet_by_name(name or shown[0])
    except (python_calamine.CalamineError, IndexError) as error:
        raise ValueError("it is a workbook that cannot be read, damaged or locked with a password:"
                         " save it anew, without one") from error
    if not sheet.height:
        raise ValueError(f"its sheet {sheet.name} is empty: another one is read with --sheet NAME")
    return sheet


def open_tables(content: bytes, sheet_name: str | None) -> tuple[list, dict, list[str]]:
    """Return ways to read a file, {line: places of cells merged with those above}, remarks.

    Each way is a function that yields (line, cells). ValueError says what the file is instead.
    """
    csv.field_size_limit(FILE_BYTES)    # a quote that never ends is told as a short line
    if content.startswith(b"PK\3\4"):
        content = unzip(content)
    if content.startswith((b"PK\3\4", b"\xd0\xcf\x11\xe0")):
        sheet, merged = open_sheet(content, sheet_name), defaultdict(list)
        for (top, left), (bottom, _) in sheet.merged_cell_ranges or ():
            for line in range(top + 2, min(bottom, sheet.total_height) + 2):
                merged[line].append(left)
        return [lambda: enumerate(sheet.iter_rows(), 1)], merged, []
    if content.startswith((b"%PDF-", b"\x89PNG", b"\xff\xd8")):
        raise ValueError("it is a PDF or a picture: save it as CSV")
    lines, remarks = text_lines(content)
    first = next(filter(None, map(str.strip, lines)), "")
    if not first or first.startswith("<"):
        raise ValueError("it is a web page, or XML, whatever its name says: open it with Excel and"
                         " save it as .xlsx" if first else "it is empty")
    return [partial(csv_rows, lines, delimiter) for delimiter in ";,\t|"], {}, remarks


def place_columns(headers: list[str], columns, given: dict) -> dict[str, list[int]]:
    """Return {column: places under its header}: the one of --column, or a usual one."""
    keys, places = [header_key(header) for header in headers], {}
    for column in columns:
        names = f"{header_key(column)}|{COLUMN_NAMES.get(column, '')}"
        groups = [header_key(given[column])] if column in given else names.split("|")
        fitting = ([place for place, key in enumerate(keys) if key in group.split(", ")]
                   for group in groups if group)
        places[column] = next(filter(None, fitting), [])
    return {column: found for column, found in places.items() if found}


def open_table(content: bytes, columns, required, options):
    """Return (table, lines down to the header, headers, {column: place}, merged, remarks).

    The header is the line with most columns that are known.
    """
    tables, merged, remarks = open_tables(content, options.sheet)
    table, above, headers, places = tables[0], 0, [], {}
    for candidate in tables:
        for line, (_, cells) in enumerate(islice(candidate(), TITLE_LINES + 2), 1):
            names = [text_of(cell).strip() for cell in cells]
            found = place_columns(names, columns, options.column)
            if len(found) > len(places):
                table, above, headers, places = candidate, line, names, found
    for column, found in places.items():
        if len(found) > 1:
            both = " or ".join(f"«{headers[place]}»" for place in found)
            raise ValueError(f"{column} could be {both}: say --column {column}=HEADER")
    if "emisor" in places:
        raise ValueError("it lists vouchers that the company received: take those it issued")
    if missing := [names for names in required if not places.keys() & names.split("|")]:
        seen = ", ".join(filter(None, headers)) or "none that is known"
        raise ValueError(f"it has no column {', '.join(missing)}. Headers: {seen}. Rename them,"
                         " or say --column NAME=HEADER")
    places = {column: found[0] for column, found in places.items()}
    return table, above, headers, places, merged, remarks

# === Undo =========================================================================================
# What all imports share: one at a time, in one transaction, whose changes are counted, and kept by
# the triggers of schema.sql, so that they can be taken back.

SHOWN = 20              # lines of what is wrong, on a terminal


def show(lines: list[str], *, all_of_them: bool = False) -> None:
    """Print what is wrong or worth knowing: the first lines, or all, if no terminal is there."""
    most = len(lines) if all_of_them and not sys.stderr.isatty() else SHOWN
    for line in lines[:most] + [f"… and {len(lines) - most} more"] * (len(lines) > most):
        echo(line, err=True)


@contextmanager
def import_lock():
    """One import at a time; the system drops the lock if its process dies."""
    get_db()  # Refused if there is none
    path = Path(f"{current_app.config['DATABASE']}.import")
    with refused_by(path):
        file = path.open("a")
        give_to_owner(path)
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused("Another import is running: try again when it has ended."
                          " Nothing was saved.") from None
        yield


@contextmanager
def recorded_import(kind: str, name: str, digest: str, count: int, options):
    """Run a transaction whose changes are kept to be undone; Refused if they look wrong."""
    with suppress(KeyError):
        who = os.environ.get("SUDO_USER") or str(os.getuid())
        who = pwd.getpwuid(int(who)).pw_name if who.isdigit() else who
    with transaction(patience=60) as db:
        db.execute("SAVEPOINT unchanged")
        movements, before = fetch_one(LEDGER)
        last = fetch_one("SELECT * FROM import WHERE kind = ? AND undone_at IS NULL"
                         " ORDER BY id DESC LIMIT 1", kind)
        number = db.execute("INSERT INTO import (at, who, kind, file, digest, rows, balance_before)"
                            " VALUES (?, ?, ?, ?, ?, ?, ?)",
                            (now(), who, kind, escaped(name), digest, count, before)).lastrowid
        yield db
        after = fetch_one(LEDGER).balance
        added, changed, gone = db.execute(
            "UPDATE import SET balance_after = ?2, (added, changed, gone) = (SELECT added, changed,"
            " gone FROM import_tally WHERE import = ?1) WHERE id = ?1"
            " RETURNING added, changed, gone", (number, after)).fetchone()
        if last and last.digest == digest and not added + changed + gone and not options.force:
            db.execute("ROLLBACK TO unchanged")
            return echo(f"{name} is the same as in import {last.id}, of {last.at}: nothing to do.")
        parts = [f"{added} new", f"{changed} changed", f"{count - added - changed} equal",
                 "0 refused", *[f"{gone} gone"] * bool(gone),
                 *[f"{options.left_out} left out"] * bool(options.left_out)]
        echo(f"{counted(count, 'file' if kind == 'invoices' else 'line')}: {', '.join(parts)}\n"
             f"total balance {plain_money(after)} (before {plain_money(before)})")
        doubt = (f"{gone} of {movements} movements would vanish" if gone > movements / 5 else
                 "the total balance would change by more than half"
                 if before and abs(after - before) > abs(before) / 2 else "")
        if doubt and last and kind == "movements" and not options.force:
            raise Refused(f"{doubt}. If that is right, say --force. Nothing was saved.")
        if options.dry_run:
            db.execute("ROLLBACK TO unchanged")
            echo("This was a dry run: nothing was saved.")


def undo_import(db, number: int) -> None:
    """Take an import back, row by row; Refused if something else built on it since."""
    if not fetch_one("SELECT 1 FROM import WHERE id = ? AND undone_at IS NULL", number):
        raise Refused(f"There is no import {number} to undo: see `list imports`. Nothing was"
                      " changed.")
    if later := fetch_one("""
            SELECT import.id, kind, file FROM import_change AS later
            CROSS JOIN import_change AS mine ON (mine.import, mine.table_name, mine.key)
                = (?1, later.table_name, later.key) JOIN import ON import.id = later.import
            WHERE later.import > ?1 ORDER BY import.id DESC LIMIT 1""", number):
        raise Refused(f"Import {later.id} came later, {later.kind} from {later.file}: undo that one"
                      " first. Nothing was changed.")
    if used := fetch_one("SELECT * FROM import_in_use WHERE import = ? LIMIT 1", number):
        raise Refused(f"Customer {used.customer} {used.why}. Nothing was changed.")
    db.execute("PRAGMA defer_foreign_keys = ON")
    for table in ("customer", "email", "phone", "movement", "news", "service"):
        mine = "FROM import_change WHERE import = ? AND table_name = ? AND before IS"
        db.execute(f"DELETE FROM {table} WHERE rowid IN (SELECT row {mine} NULL)", (number, table))
        rows = db.execute(f"SELECT before {mine} NOT NULL", (number, table)).fetchall()
        if rows:
            names = list(json.loads(rows[0].before))    # the first one is the primary key
            values, excluded = (", ".join(f"{sign}{name}" for name in names)
                                for sign in (":", "excluded."))
            db.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values}) ON CONFLICT"
                           f" ({names[0]}) DO UPDATE SET ({', '.join(names)}) = ({excluded})",
                           (json.loads(row.before) for row in rows))
    db.execute("UPDATE customer SET active = 0 WHERE number IN (SELECT customer FROM blocked)")
    db.execute("DELETE FROM import_change WHERE import = ?", (number,))
    db.execute("UPDATE import SET undone_at = ? WHERE id = ?", (now(), number))


@command("undo", "undo 12")
@click.argument("number", metavar="ID", type=click.IntRange(1))
def undo(number):
    """Take an import back, exactly: by its number in `list imports`."""
    with import_lock(), transaction(patience=60) as db:
        before = fetch_one(LEDGER).balance
        undo_import(db, number)
        after = fetch_one(LEDGER).balance
    echo(f"Import {number} is undone.\ntotal balance {plain_money(after)}"
         f" (before {plain_money(before)})")

# === Import =======================================================================================
# What the accounting program wrote. A file is read whole: one wrong line, and nothing is saved.
# Then one transaction makes the tables what the file says.

LISTS = {"email": ("customer", "canonical", "address", "confirmed_at"),     # key first
         "phone": ("customer", "number")}


class Kind(NamedTuple):
    """A kind of file, and the table that it feeds."""

    table: str
    key: tuple          # columns of the table that say which row it is
    required: tuple     # columns of the file; of several, as usuario|cuit, one is enough
    columns: dict       # column of the file: (of the table, what reads a cell)


class ImportFile:
    """A file while it is imported: where its columns are, and what is wrong with its lines."""

    line, record, is_opening = 0, {}, False     # what is read now; the first line is 1

    def __init__(self, path: Path, kind: str, options):
        """Find the columns, and what their cells may name; Refused if it is no such file."""
        self.name, self.kind, self.options = path.name, KINDS[kind], options
        self.problems, self.left_out, self.balances, self.foreign = [], 0, {}, {}
        content = read_complete(path)
        shaping = vars(options) | {"dry_run": None, "force": None}
        self.digest = sha256(content + repr(sorted(shaping.items())).encode())
        try:
            table, self.above, self.headers, self.places, self.merged, self.remarks = open_table(
                content, (*self.kind.columns, "emisor"), self.kind.required, options)
        except ValueError as error:
            raise Refused(f"{path.name}: {error}. Nothing was saved.") from error
        self.lines = lambda: islice(table(), self.above, None)
        self.titles = {letters_of(cells) for _, cells in islice(table(), self.above)} - {""}
        self.is_by_cuit = kind == "movements" and "usuario" not in self.places
        self.is_partial = options.partial or self.is_by_cuit    # ARCA's list has no payments
        self.amounts = {place for column, place in self.places.items() if column in AMOUNTS}
        self.mark = MARKS.get(options.decimal) or decimal_mark(
            cells[place] for _, cells in self.lines() for place in self.amounts
            if place < len(cells))
        types = fetch_all("SELECT code, name, sign FROM voucher_type")
        self.types = {type_key(row.name): row.code for row in types}
        self.signs = {row.code: row.sign for row in types}
        self.brands = {plain(name): row.code for row in fetch_all("SELECT code, name FROM brand")
                       for name in row}
        self.owners = defaultdict(list)     # of a CUIT or DNI
        for row in fetch_all("SELECT number, cuit FROM customer"):
            self.owners[row.cuit].append(row.number)
        self.customers = set(chain.from_iterable(self.owners.values()))

    def remark(self, what: str) -> None:
        self.remarks.append(f"line {self.line}: {what}")

    def leave_out(self, why: str) -> None:
        """Count a line that is not read, and remark why."""
        self.left_out += 1
        self.remark(why)

    def records(self):
        """Yield {column: cell} of each line that is no blank, heading or total."""
        width, above = len(self.headers), [""] * len(self.headers)
        for line, row in self.lines():
            self.line = line
            cells = [cell.strip() if isinstance(cell, str) else cell for cell in row]
            for place in set(self.merged.get(line, ())) - self.amounts:
                cells[place] = above[place]     # but an amount counts once
            above = cells
            if letters_of(cells) in self.titles or all(cell == "" for cell in cells):
                continue
            if len(cells) < width or any(cells[width:]):
                problem = f"it has {counted(len(cells), 'cell')}, the header has {width}"
                self.problems.append((line, problem))
                continue
            record = {column: cells[place] if column in AMOUNTS and cells[place] != "NULL"
                      else text_of(cells[place])
                      for column, place in self.places.items()}
            owner, *others = (next((record[name] for name in names.split("|") if name in record),
                                   "") for names in self.kind.required)
            what = record.get("tipo") or record.get("detalle", "")
            if not all(others) and (not owner or any(
                    map(TOTAL_LINE.match, map(plain, (owner, what))))):
                self.leave_out("a total of nobody's, not read")
            else:
                yield record

    def read(self) -> list[dict]:
        """Return a row for each voucher, customer …: {column of the table: value}, and its line."""
        rows = {}
        with click.progressbar(self.records(), label="Reading", file=sys.stderr,
                               hidden=not sys.stderr.isatty()) as records:
            for record in records:
                row = self.read_row(record)
                key = tuple(row[name] for name in self.kind.key) if row else ()
                if row and rows.setdefault(key, row) is not row:
                    self.add_instalment(rows[key], row)
        self.remarks += [f"{counted(count, 'voucher')} in {currency} left out, {plain_money(total)}"
                         " in all" for currency, (count, total) in self.foreign.items()]
        if undated := [row for row in rows.values() if row.get("date", "") is None]:
            dated = sorted((row["date"], row["customer"]) for row in rows.values() if row["date"])
            first = {customer: day for day, customer in reversed(dated)}
            for row in undated:     # opening balances: of the day of the first line below them
                row["date"] = first.get(row["customer"], dated[0][0] if dated else today())
        return list(rows.values())

    def read_row(self, record: dict) -> dict | None:
        """Return the row that a line makes; None if it is left out, or wrong somewhere."""
        self.record, row, before = record, {"line": self.line}, len(self.problems)
        self.is_opening = self.kind.table == "movement" and name_opening(record)
        for column, (name, read) in self.kind.columns.items():
            try:
                if column in record:
                    row[name] = read(self, record[column])
            except ValueError as error:
                problem = f"{column} «{text_of(record[column])[:40]}»: {error}"
                self.problems.append((self.line, problem))
        try:
            if len(self.problems) == before:
                return finish_movement(self, row) if self.kind.table == "movement" else row
        except ValueError as error:
            self.problems.append((self.line, str(error)))
        return None

    def add_instalment(self, first: dict, row: dict) -> None:
        """Add a line to the one before of the same voucher, if it has another due date."""
        due, days = row.get("due_date"), first.setdefault("days", [first.get("due_date")])
        if due and first["due_date"] and due not in days and row["date"] == first["date"]:
            days.append(due)
            first |= {"amount": first["amount"] + row["amount"], "due_date": min(days)}
            return self.leave_out(f"an instalment of line {first['line']}, added to it")
        key = [name for name in self.places if self.kind.columns[name][0] in self.kind.key]
        problem = f"the same {', '.join(key)} as line {first['line']}"
        return self.problems.append((self.line, problem))


def name_opening(record: dict) -> bool:
    """Tell whether a line is an opening balance, without type and number, and give it both."""
    names = [record.get(name, "") for name in ("tipo", "numero", "detalle")]
    has_number = re.search("[0-9]", "".join(names[:2]))
    opening = [] if has_number else [name for name in names if OPENING.match(plain(name))]
    if not opening:
        return False
    record |= {"tipo": "999", "numero": "0", "punto_venta": "0"}
    record |= {"detalle": opening[0]} if "detalle" in record else {}
    if not record["fecha"]:
        del record["fecha"]
    if all(record.get(name, "") == "" for name in AMOUNTS[:3]):
        record["importe"] = record.get("saldo", "")
    return True


def finish_movement(file: ImportFile, row: dict) -> dict | None:
    """Return the row of the ledger that a line makes; None if it is left out."""
    amount, debit, credit, balance = (row.pop(name, None) for name in AMOUNTS)
    document, currency = row.pop("cuit", None), row.pop("currency", "")
    printed, row["number"] = row["number"]
    if row.setdefault("point_of_sale") not in (None, printed or row["point_of_sale"]):
        raise ValueError("punto_venta and the number say two points of sale")
    if row.get("cae_due_date") and not row.get("cae"):
        raise ValueError("vencimiento_cae without a cae")
    if amount is None:
        if debit is credit is None:
            raise ValueError("importe is missing")
        amount = (debit or 0) - (credit or 0)
    elif (file.options.sign_by_type or file.is_by_cuit) and not file.is_opening:
        if amount < 0:
            raise ValueError("importe is negative, but its sign has to come from the type")
        amount *= file.signs[row["type"]]
    row |= {"point_of_sale": row["point_of_sale"] or printed or 0, "amount": amount}
    row.setdefault("date")
    currency = "" if re.fullmatch(r"\$|(?i:pes|ars|pesos)|", currency) else currency
    if currency and not file.is_by_cuit:
        raise ValueError(f"moneda «{currency}»: a foreign currency, accounts are in pesos")
    is_known = not file.is_by_cuit or owned(file, row, document, currency)
    return row if is_known and follows(file, row, balance) else None


def owned(file: ImportFile, row: dict, document: str | None, currency: str) -> bool:
    """Find whose a voucher of ARCA's list is; False if it is no customer's, or not in pesos."""
    owners = file.owners.get(document, []) if document else []
    if len(owners) > 1:
        raise ValueError(f"CUIT {document} is of customers {', '.join(map(str, owners))}")
    if currency:
        count, total = file.foreign.get(currency, (0, 0))
        file.foreign[currency] = count + 1, total + row["amount"]
        file.left_out += 1
    elif owners:
        row["customer"] = owners[0]
    else:
        file.leave_out(f"CUIT {document or '-'}: no customer's, not read")
    return "customer" in row


def follows(file: ImportFile, row: dict, balance: int | None) -> bool:
    """Compare the balance that a line tells with the one before; False if it only carries it on."""
    before = file.balances.get(row["customer"], None if file.is_partial else 0)
    carries = file.is_opening and row["customer"] in file.balances
    if None not in (before, balance) and balance != before + row["amount"] * (not carries):
        raise ValueError(f"saldo «{plain_money(balance)}» is not {plain_money(before)}, the one"
                         f" before, plus {plain_money(row['amount'])}")
    file.balances[row["customer"]] = balance
    if carries:
        file.leave_out("a balance carried over, not read")
    return not carries


def shaped(pattern: str, problem: str, convert=lambda text: " ".join(text.split()), *, empty=None):
    """Return a reader of cells of this shape; an empty one, where it may be, is `empty`."""
    shape = re.compile(pattern, re.S)

    def read(file, text):
        if not shape.fullmatch(text):
            raise ValueError(problem)
        return convert(text) if text else empty
    return read


def read_customer(file: ImportFile, text: str) -> int:
    """Return a user number, known already but in a file of customers. 1.001 is one, 1.5 is none."""
    number = re.fullmatch(r"[0-9]+|[0-9]{1,3}(\.[0-9]{3})+", text) and customer_number(text)
    if not number:
        raise ValueError("no user number")
    if file.kind.table != "customer" and number not in file.customers:
        raise ValueError("no such customer: import the customers first")
    return number


def read_cuit(file: ImportFile, text: str) -> str | None:
    """Return a CUIT's or DNI's digits; what is none is left out."""
    digits = re.sub(r"(?i)[\s.-]|dni|cui[lt]", "", text)
    if file.is_by_cuit or is_cuit(digits) or re.fullmatch("[1-9][0-9]{6,7}", digits):
        return digits or None
    if text:
        file.remark(f"cuit «{text[:40]}» is none, left out")
    return None


def read_emails(file: ImportFile, text: str) -> list[tuple]:
    """Return (canonical, address, when it was confirmed) of each: the company knows them."""
    words = [word.strip(".:'") for word in re.split(r"[|,;/()<>\"\s]+", text) if word.strip(".:'-")]
    found = {canonical_email(word): word for word in words if "@" in word}
    if text and (None in found or len(words) > len(found) or not found):
        kept = ", ".join(address for canonical, address in found.items() if canonical) or "nothing"
        file.remark(f"emails «{text[:80]}»: {kept} is read")
    return [(canonical, address, now()) for canonical, address in found.items() if canonical]


def read_phones(file: ImportFile, text: str) -> list[tuple]:
    """Return phones, in any format, each as (phone,); what has no digits is none."""
    parts = re.split("[|,;]| / ", text)
    phones = dict.fromkeys(part.strip(" .") for part in parts if part.strip())
    if wrong := [phone for phone in phones if not re.search("[0-9]", phone)]:
        file.remark(f"telefonos «{wrong[0][:40]}» is none, left out")
    return [(phone,) for phone in phones if phone not in wrong]


def read_brand(file: ImportFile, text: str) -> str | None:
    """Return a brand's code, by that or its name; None = not told."""
    if text and plain(text) not in file.brands:
        raise ValueError(f"none of {', '.join(sorted(set(file.brands.values())))}")
    return file.brands.get(plain(text))


def read_type(file: ImportFile, text: str) -> int:
    """Return a type of voucher by AFIP's code or its name, whose letter the number may have."""
    code = re.match(r"([0-9]{1,3})(?![0-9])", text)
    kind, letter, *more = type_key(text)
    if not letter:
        printed = re.match("(?:[A-Z]{2,3} )?([ABCEMTX])[ -]?[0-9]", file.record.get("numero", ""))
        letter = printed[1].lower() if printed else "x" * (kind == "recibo")
    found = int(code[1]) if code else file.types.get((kind, letter, *more))
    if found not in file.signs:
        raise ValueError("no type of voucher: write AFIP's code, such as 6")
    return found


def read_number(file: ImportFile, text: str) -> tuple:
    """Return (point of sale, number) of a voucher; None = it tells no point of sale."""
    match = re.fullmatch(r"(?:[A-Z]{1,3}[ -]?){0,2}(?:([0-9]{1,5})[ -]"
                         r"|([0-9]{4,5})(?=[0-9]{8}$))?([0-9]{1,8})", text)
    if not match:
        raise ValueError("no voucher's number such as 1234 or 0003-00001234")
    return int(match[1] or match[2] or 0) or None, int(match[3])


NAME = shaped(".{1,200}", "missing, or longer than 200 characters")
TEXT = shaped(".{0,200}", "longer than 200 characters", empty="")
DAY, NO_DAY = shaped(".+", "missing", parse_date), shaped(".*", "", parse_date)
AN_AMOUNT = lambda file, cell: None if cell == "" else parse_amount(cell, file.mark)  # noqa: E731
YES, NO = "(?i:1|s[ií]?|true|verdadero|activo|alta|x)", "(?i:0|no?|false|falso|inactivo|baja)"
KINDS = {
    "customers": Kind("customer", ("number",), ("usuario", "nombre"), {
        "usuario": ("number", read_customer), "nombre": ("name", NAME), "cuit": ("cuit", read_cuit),
        "condicion_iva": ("tax_condition", TEXT), "domicilio": ("address", TEXT),
        "localidad": ("city", TEXT), "provincia": ("province", TEXT),
        "codigo_postal": ("postal_code", TEXT), "emails": ("email", read_emails),
        "telefonos": ("phone", read_phones), "marca": ("brand", read_brand),
        "activo": ("active", shaped(f"{YES}|{NO}|", "neither si nor no",
                                    lambda text: int(bool(re.fullmatch(YES, text)))))}),
    "movements": Kind(
        "movement", ("customer", "type", "point_of_sale", "number"),
        ("usuario|cuit", "fecha", "tipo", "numero", "importe|debe|haber"), {
            "usuario": ("customer", read_customer), "cuit": ("cuit", read_cuit),
            "fecha": ("date", DAY), "tipo": ("type", read_type),
            "punto_venta": ("point_of_sale",
                            shaped("[0-9]{0,5}", "no point of sale such as 3", int)),
            "numero": ("number", read_number), "detalle": ("detail", TEXT),
            **{name: (name, AN_AMOUNT) for name in AMOUNTS}, "vencimiento": ("due_date", NO_DAY),
            "cae": ("cae", shaped("([0-9]{14})?", "no CAE, which has 14 digits")),
            "vencimiento_cae": ("cae_due_date", NO_DAY), "moneda": ("currency", TEXT)}),
    "news": Kind("news", ("date", "title"), ("fecha", "titulo", "texto"), {
        "fecha": ("date", DAY), "titulo": ("title", NAME),
        "texto": ("body", shaped(".{1,10000}", "missing, or longer than 10,000 characters", str))}),
    "services": Kind("service", ("customer", "name"), ("usuario", "servicio"), {
        "usuario": ("customer", read_customer), "servicio": ("name", NAME),
        "detalle": ("detail", TEXT), "desde": ("since", NO_DAY), "importe": ("amount", AN_AMOUNT)}),
}



def stage(table: str, columns: list, rows) -> None:
    """Put (line, value of each column …) in a temporary table of the same types: incoming_…"""
    names, marks = ", ".join(columns), ", ?" * len(columns)
    with transaction(kind="DEFERRED") as db:
        db.execute(f"DROP TABLE IF EXISTS temp.incoming_{table}")
        db.execute(f"CREATE TEMP TABLE incoming_{table} AS SELECT 0 AS line, {names}"
                   f" FROM main.{table} WHERE 0")
        db.executemany(f"INSERT INTO incoming_{table} VALUES (?{marks})", rows)


def merge(db, table: str, key: tuple, scope: str = "0") -> None:
    """Make a table's rows those of incoming_<table>; what lacks there goes, within `scope`."""
    owned = "movement.origin = 'imported'" if table == "movement" else "1"
    columns = [row.name for row in fetch_all(f"PRAGMA temp.table_info(incoming_{table})")][1:]
    names, values = ", ".join(columns), [name for name in columns if name not in key] or key
    same = " AND ".join(f"{table}.{name} = incoming.{name}" for name in key)
    mine, new = (", ".join(f"{side}.{name}" for name in values) for side in (table, "incoming"))
    db.execute(f"CREATE INDEX temp.incoming_{table}_key ON incoming_{table} ({', '.join(key)})")
    db.execute(f"DELETE FROM {table} WHERE {owned} AND {scope} AND NOT EXISTS"
               f" (SELECT 1 FROM incoming_{table} AS incoming WHERE {same})")
    db.execute(f"UPDATE {table} SET ({', '.join(values)}) = ({new}) FROM incoming_{table}"
               f" AS incoming WHERE {same} AND {owned} AND ({mine}) IS NOT ({new})")
    db.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM incoming_{table} AS incoming"
               f" WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {same}) ORDER BY line")


def merge_customers(db, lists: dict, options) -> None:
    """Merge customers, and their e-mails and phones; what they wrote on the site stays."""
    edited = "0" if options.overwrite_edits else (
        "SELECT customer FROM event WHERE kind = 'data' AND actor = 'customer' AND field = '{}'")
    staged = {row.name for row in fetch_all("PRAGMA temp.table_info(incoming_customer)")}
    for name in staged & {*PROFILE_COLUMNS.values(), "brand", "active"}:
        on_file = f"(SELECT {name} FROM customer WHERE number = incoming_customer.number)"
        value = {
            "brand": f"coalesce(brand, {on_file}, (SELECT code FROM brand ORDER BY position))",
            "active": f"min(coalesce(active, {on_file}, 1), number NOT IN (SELECT * FROM blocked))",
        }.get(name, f"iif(number IN ({edited.format(name)}), {on_file}, {name})")
        db.execute(f"UPDATE incoming_customer SET {name} = {value}")
    merge(db, "customer", ("number",))
    for table, columns in lists.items():
        theirs = edited.format(table)
        db.execute(f"DELETE FROM incoming_{table} WHERE customer IN ({theirs})")
        if table == "email":    # those in the file are on the list, whatever waited for another
            db.execute("UPDATE email SET replaced_at = NULL WHERE replaced_at > ''"
                       " AND customer IN (SELECT customer FROM incoming_email)")
            db.execute("UPDATE incoming_email AS incoming SET confirmed_at = email.confirmed_at"
                       " FROM email WHERE (email.customer, email.canonical) ="
                       " (incoming.customer, incoming.canonical) AND email.confirmed_at > ''")
        merge(db, table, columns[:2], "customer IN (SELECT number FROM incoming_customer)"
              f" AND customer NOT IN ({theirs})")


def check_receipts(file: ImportFile) -> None:
    """Refuse another amount for the portal's own receipts; point out what may be paid twice."""
    for row in fetch_all("""SELECT line, receipt.* FROM incoming_movement AS incoming
            JOIN movement AS receipt USING (customer, type, point_of_sale, number)
            WHERE receipt.origin = 'portal' AND receipt.amount <> incoming.amount"""):
        raise Refused(f"line {row.line}: receipt {row.number} was written by the portal, over"
                      f" {plain_money(row.amount)}: its amount differs. Nothing was saved.")
    twins = fetch_all("""
        SELECT line, receipt.number, iif(incoming.type = 999, 'hold', 'be') AS does
        FROM incoming_movement AS incoming JOIN movement AS receipt USING (customer)
        WHERE receipt.origin = 'portal' AND iif(incoming.type = 999 AND incoming.number = 0,
            receipt.date <= incoming.date, receipt.amount = incoming.amount
            AND abs(julianday(incoming.date) - julianday(receipt.date)) <= 10)
        AND (incoming.type, incoming.number) <> (receipt.type, receipt.number) AND NOT EXISTS (
            SELECT 1 FROM movement AS known
            WHERE (known.customer, known.type, known.point_of_sale, known.number)
                = (incoming.customer, incoming.type, incoming.point_of_sale, incoming.number))""")
    show([f"{file.name}: line {row.line} may {row.does} the payment of receipt 900 0000-"
          f"{row.number:08}, which the portal has credited: leave one out" for row in twins])


def import_file(path: Path, kind: str, options) -> None:
    """Import a file of rows, all or nothing."""
    file = ImportFile(path, kind, options)
    rows, table, key = file.read(), file.kind.table, file.kind.key
    if file.problems:
        show([f"{file.name}, line {line}: {problem}" for line, problem in sorted(file.problems)],
             all_of_them=True)
        raise Refused("Nothing was saved.")
    if not rows and not options.force:
        raise Refused(f"{file.name} has no rows: if that is right, say --force. Nothing was saved.")
    names = list(rows[0]) if rows else key
    columns = [name for name in names if name not in ("line", "days", *LISTS)]
    columns += ["brand"] * (table == "customer" and "brand" not in columns)
    lists = {name: LISTS[name] for name in names if name in LISTS}
    stage(table, columns, ([row["line"], *(row.get(name) for name in columns)] for row in rows))
    for name, list_columns in lists.items():
        stage(name, list_columns, ((row["line"], row["number"], *values)
                                   for row in rows for values in row[name]))
    show([f"{file.name}: {remark}" for remark in file.remarks], all_of_them=True)
    options.left_out = file.left_out
    with recorded_import(kind, file.name, file.digest, len(rows), options) as db:
        if table == "movement" and rows:
            check_receipts(file)
        if table == "customer":
            return merge_customers(db, lists, options)
        whose = f"customer IN (SELECT customer FROM incoming_{table})"
        scope = "0" if file.is_partial else "1" if table == "news" else whose
        return merge(db, table, key, scope)

# === Invoices =====================================================================================
# A folder of PDFs: which voucher each is of is told by its name, and nothing is guessed.

PDF_BYTES = 5 * 2**20
PDF_NAME = re.compile(r"(.*?)(?<![0-9])([0-9]{4,5})[^0-9]?([0-9]{8})(?![0-9]).*")


class Pdf(NamedTuple):
    """A PDF in the folder that is imported, and what its name tells of its voucher."""

    path: Path
    numbers: tuple      # (point of sale, number); () = not told
    code: int | None    # AFIP's, of the type; None = not told
    names: list         # what the words before may tell of the type, as type_key
    digest: str         # SHA-256 of what it holds


def read_pdf(path: Path) -> Pdf:
    """Look at a PDF and its name; ValueError if it cannot be handed to customers.

    FAC B 0003-00001234.pdf, 30712345671_006_00003_00001234.pdf
    """
    if not path.name.isprintable():
        raise ValueError("its name is no UTF-8, or has control characters: rename it")
    if path.is_symlink() or not path.is_file():
        raise ValueError("it is no file of its own")
    content = path.read_bytes() if path.stat().st_size <= PDF_BYTES else b""
    if not content.startswith(b"%PDF-"):
        raise ValueError("it is no PDF, or larger than 5 MB")
    before, *numbers = match.groups() if (match := PDF_NAME.fullmatch(path.stem)) else [""]
    code = re.search(r"(?<![0-9])([0-9]{1,3})[^0-9A-Za-z]*$", before)
    words = re.findall("[A-Za-z]+", before)
    names = [type_key(" ".join(words[-count:])) for count in (4, 3, 2, 1)]
    return Pdf(path, tuple(map(int, numbers)), code and int(code[1]), names, sha256(content))


def match_pdfs(pdfs: list[Pdf]) -> tuple[dict, list[str]]:
    """Return {voucher's id: PDF}, and why the others are nobody's."""
    wanted, vouchers = {pdf.numbers for pdf in pdfs}, defaultdict(list)
    for row in fetch_all(f"{VOUCHER} WHERE origin = 'imported'"):
        if (row.point_of_sale, row.number) in wanted:
            vouchers[row.point_of_sale, row.number].append((row, type_key(row.type_name)))
    pairs, strays = {}, []
    for pdf in pdfs:
        known = [key for key in pdf.names if key[0] in TYPE_NAME.groupindex or key[1]][:1]
        fitting = [row.id for row, key in vouchers[pdf.numbers] if (
            row.type == pdf.code if pdf.code else not known
            or (known[0][0] in ("", key[0]) and known[0][1] in ("", key[1])))]
        if len(fitting) == 1 and fitting[0] not in pairs:
            pairs[fitting[0]] = pdf
        else:
            why = ("no voucher has that number" if pdf.numbers else
                   "its name tells no voucher's number such as 0003-00001234",
                   "another PDF is of the same voucher",
                   "several vouchers have that number: put the type's code before it")
            strays.append(f"{pdf.path.name}: {why[min(len(fitting), 2)]}")
    return pairs, strays


def store_pdf(pdf: Pdf, folder: Path) -> None:
    """Copy a PDF to where documents are kept, under its content, if it is not there."""
    target = folder / f"{pdf.digest}.pdf"
    with refused_by(f"{pdf.path} to {folder}", "Nothing was saved."):
        private_folder(folder)
        if target.is_file():
            return
        with atomic_write(target) as draft:
            content = pdf.path.read_bytes()
            if sha256(content) != pdf.digest:
                raise Refused("it changed while it was read. Nothing was saved.")
            draft.write_bytes(content)


def import_invoices(folder: Path, options) -> None:
    """Import the PDFs of a folder, all or nothing, and list what lacks on either side."""
    name, pdfs, problems = folder.name, [], []
    with refused_by(folder, "Nothing was saved."):
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".pdf")
    for path in paths:
        try:
            pdfs.append(read_pdf(path))
        except (ValueError, OSError) as error:
            problems.append(f"{name}, {path.name}: {getattr(error, 'strerror', None) or error}")
    if problems:
        show(problems, all_of_them=True)
        raise Refused("Nothing was saved.")
    pairs, strays = match_pdfs(pdfs)
    show([f"{name}: {stray}" for stray in strays], all_of_them=True)
    for pdf in pairs.values() if not options.dry_run else ():
        store_pdf(pdf, Path(current_app.config["DOCUMENTS"]))
    digest = sha256("".join(pdf.path.name + pdf.digest for pdf in pdfs))
    options.left_out = len(strays)
    with recorded_import("invoices", name, digest, len(pairs), options) as db:
        db.executemany("UPDATE movement SET document = ?1 WHERE id = ?2 AND document IS NOT ?1",
                       [(f"{pdf.digest}.pdf", voucher) for voucher, pdf in pairs.items()])
    rows = fetch_all(f"{VOUCHER} WHERE document IS NULL AND origin = 'imported' AND {IS_INVOICE}"
                     " ORDER BY date DESC, movement.id DESC")
    show([f"No PDF for {row.type_name} {voucher_number(row)} of {row.customer}" for row in rows])


def parse_columns(context, option, values: tuple) -> dict:
    """Return {column: header} of --column."""
    pairs = dict(value.partition("=")[::2] for value in values)
    if wrong := [name for name, header in pairs.items() if name not in COLUMN_NAMES or not header]:
        raise click.BadParameter(f"{wrong[0]}: say NAME=HEADER, with a NAME of the README's.")
    return pairs


@command("import", "import movements movimientos.csv --dry-run")
@click.argument("kind", type=click.Choice([*KINDS, "invoices"]))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Print what would change, and keep nothing.")
@click.option("--partial", is_flag=True, help="Add and change only: the file is no whole account.")
@click.option("--force", is_flag=True, help="Even if it looks wrong, or was imported last.")
@click.option("--sheet", metavar="NAME", help="The sheet of a workbook; the first unless told.")
@click.option("--decimal", type=click.Choice(["comma", "point"]), help="The amounts' decimal mark.")
@click.option("--column", multiple=True, metavar="NAME=HEADER", help="Where a column is.",
              callback=parse_columns)
@click.option("--sign-by-type", is_flag=True, help="All amounts are positive: the type decides.")
@click.option("--overwrite-edits", is_flag=True, help="Also what customers changed on the site.")
def import_command(kind, file, **options):
    """Feed in what the accounting program wrote; all or nothing.

    KIND: customers, movements, news, services (a CSV file or a workbook each) or invoices (a folder
    of PDFs).
    """
    options = SimpleNamespace(**options)
    with import_lock():
        if kind == "invoices":
            import_invoices(file, options)
        else:
            import_file(file, kind, options)

# === Upkeep =======================================================================================
# Copies that are verified before they count, the way back, and what `check` looks at.

COPY_NAME = re.compile(r"cac-[0-9]{8}-[0-9]{6}\.db")
SQLITE_LOCK = 510, 2**30 + 2    # bytes, first byte: whoever has a database open has a lock there
FREE_MEGABYTES = 500            # less free space than this is a warning
WAL_MEGABYTES = 200             # and a -wal that grows to this: nothing takes it in


def copy_database(source: Path, target: Path) -> str:
    """Copy a database as it is at one moment, whoever writes to it; return what the copy holds."""
    with closing(open_readonly(source)) as db:
        db.execute("SELECT 1 FROM sqlite_schema").fetchone()    # half a file: VACUUM would blame
        db.execute("VACUUM INTO ?", (str(target),))             # the place of the copy
    return verify_backup(target)


def verify_backup(path: Path) -> str:
    """Return what a copy holds, in words; Refused if it is damaged or does not add up."""
    with closing(open_readonly(path)) as db:
        known_version(db)
        bad = [row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
        bad += [row.what for row in db.execute("SELECT what FROM check_line"
                                               " WHERE part = 'ledger' AND level = 'BAD'")]
        if bad:
            raise Refused(f"It does not pass its check: {'; '.join(bad)}. Nothing was changed.")
        return ledger(db)


def ledger(db) -> str:
    """Return what a database's ledger holds, in words."""
    customers, movements, total = db.execute(
        "SELECT (SELECT count(*) FROM customer), count(*), coalesce(sum(amount), 0) FROM movement"
    ).fetchone()
    return (f"{counted(customers, 'customer')}, {counted(movements, 'movement')},"
            f" total balance {plain_money(total)}")


def document_names(db) -> set[str]:
    """Return the names of all documents that a database speaks of."""
    rows = db.execute("SELECT document FROM movement WHERE document IS NOT NULL UNION"
                      " SELECT document FROM transfer WHERE document IS NOT NULL")
    return {Path(row.document).name for row in rows}


def copy_documents(path: Path, source: Path, target: Path) -> str:
    """Copy those documents of a database that target lacks; return how many there are, in words.

    A document's name is the hash of its content: what is there once need not be copied again.
    """
    with closing(open_readonly(path)) as db:
        names = document_names(db)
    new = [name for name in names if not (target / name).is_file() and (source / name).is_file()]
    if new:
        private_folder(target)
    for name in new:
        with atomic_write(target / name) as draft:
            shutil.copyfile(source / name, draft)
    missing = sum(not (target / name).is_file() for name in names)
    return (f"{counted(len(names) - missing, 'document')}, {len(new)} of them copied now"
            + f", {missing} missing" * bool(missing))


@command("backup", "backup /var/backups/cac --keep 14")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--keep", default=14, show_default=True, type=click.IntRange(min=1),
              help="How many copies stay, the newest.")
def backup(folder, keep):
    """Copy the database, while the service runs, and its documents; verify the copy."""
    known_version(get_db())
    with refused_by(folder):
        private_folder(folder)
        copy = folder / f"cac-{datetime.now(UTC):%Y%m%d-%H%M%S}.db"
        with atomic_write(copy) as draft:
            content = copy_database(current_app.config["DATABASE"], draft)
            documents = copy_documents(
                draft, Path(current_app.config["DOCUMENTS"]), folder / "documents")
        copies = sorted(file for file in folder.iterdir() if COPY_NAME.fullmatch(file.name))
        drafts = [file for file in folder.glob(".cac-*.new")        # of a crash
                  if time.time() - file.stat().st_mtime > 86400]
        for old in copies[:-keep] + drafts:
            old.unlink(missing_ok=True)
    with suppress(sqlite3.OperationalError), transaction() as db:  # `check` will miss it and say so
        db.execute("INSERT OR REPLACE INTO setting VALUES ('last_backup', 'mark', ?, '')", (now(),))
    echo(f"{copy}: {copy.stat().st_size:,} bytes, {content}; {documents}")


@contextmanager
def closed_database(path: Path):
    """Keep a database, if there is one, from being opened; Refused if somebody has it open.

    The lock is SQLite's own: the kernel drops it when its holder dies.
    """
    if not path.exists():
        yield
        return
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, *SQLITE_LOCK)
        except OSError as error:
            raise Refused("The database is in use: stop the service. Nothing was changed."
                          ) from error
        yield


@contextmanager
def set_aside(path: Path, kept: Path):
    """Give a database, and its -wal, the name `kept`; take it back if no other database came."""
    if is_there := path.exists():
        kept.hardlink_to(path)
    move_beside(path, kept)
    try:
        yield
    finally:
        if is_there and kept.samefile(path):
            move_beside(kept, path)
            kept.unlink()


@command("restore", "restore /var/backups/cac/cac-20261123-040000.db")
@click.argument("file", type=click.Path(path_type=Path))
def restore(file):
    """Put a copy in the place of the database; the service must be stopped."""
    path = Path(current_app.config["DATABASE"]).resolve()
    kept = former(path)
    with refused_by(f"{file} to {path}"):
        if not file.is_file():
            raise Refused("There is no such file. Nothing was changed.")
        if path.exists():
            with suppress(sqlite3.Error):   # a sound one takes in its -wal, and is one file then
                connect(path).close()
        # What is entered last ends first: the copy takes the database's name (atomic_write), then
        # set_aside sees that it came, and only then others may open it. Nothing in here may open
        # and close the database itself: with that, this process would lose its lock.
        with closed_database(path), ExitStack() as exits, atomic_write(path) as draft:
            content = copy_database(file, draft)
            documents = copy_documents(
                draft, file.parent / "documents", Path(current_app.config["DOCUMENTS"]))
            with closing(connect(draft)) as db, transaction(db):    # no link is good, used or not
                db.execute("DELETE FROM session")
                db.execute("UPDATE customer SET link_serial = link_serial + strftime('%s', 'now')")
            exits.enter_context(set_aside(path, kept))
    echo(f"{path}: {content}; {documents}."
         f" What was there before: {kept if kept.exists() else 'nothing'}.")
    echo("All sessions and password links have ended. Now run `init`, then `check`.")


def finding(is_fine, fine: str, wrong: str, level: str = "WARN") -> tuple[str, str]:
    """Return a line of `check`: (ok | WARN | BAD, what was found)."""
    return ("ok", fine) if is_fine else (level, wrong)


def check_settings():
    """Yield what `check` finds in the settings, and in who may read the files with secrets."""
    config = current_app.config
    problems = unsafe_settings(config)
    if config["MERCADOPAGO_TOKEN"] and not config["MERCADOPAGO_SECRET"]:
        problems.append("CAC_MERCADOPAGO_SECRET is not set: Mercado Pago's notices are refused")
    yield from [("WARN", problem) for problem in problems] or [("ok", "no setting is unsafe")]
    services = ", ".join(service.label for service in SERVICES.values() if config[service.setting])
    yield finding(services, f"on-line payment by {services}",
                  "no payment service is configured: nobody can pay on line")
    server = urlsplit(config["SMTP_URL"]).hostname
    yield finding(server, f"mail goes out through {server}",
                  "CAC_SMTP_URL is not set: no mail goes out")
    for file in filter(None, (os.environ.get("CAC_CONFIG"), config["DATABASE"])):
        if Path(file).exists():
            yield finding(not Path(file).stat().st_mode & 0o007, f"only its owner reads {file}",
                          f"all users of this machine can read {file}: chmod o= {file}")


def check_database():
    """Yield what `check` finds in the database, and whether its documents are there."""
    db = get_db()
    version = known_version(db)
    yield finding(version == SCHEMA_VERSION, f"the database has version {version}",
                  f"the database has version {version}, the program {SCHEMA_VERSION}: run `init`",
                  "BAD")
    faults = [row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
    yield finding(not faults, f"the database is whole: {ledger(db)}",
                  f"the database is damaged: {' '.join(faults[:1])}", "BAD")
    yield finding(not is_demo_data(db), "the data are no demo's",
                  "the database holds the demo's data")
    yield from db.execute("SELECT level, what FROM check_line").fetchall()
    folder = Path(current_app.config["DOCUMENTS"])
    wanted = document_names(db)
    missing = sum(not (folder / name).is_file() for name in wanted)
    spare = sum(file.name not in wanted for file in folder.glob("*.pdf"))
    yield finding(not missing, f"documents missing in {folder}: none of {len(wanted)}"
                  + f"; {counted(spare, 'PDF')} of no voucher may go" * bool(spare),
                  f"documents missing in {folder}: {missing} of {len(wanted)}", "BAD")


def check_machine():
    """Yield what `check` finds on the disk, and what time it is."""
    path = Path(current_app.config["DATABASE"])
    free = shutil.disk_usage(path.parent).free // 2**20
    yield finding(free >= FREE_MEGABYTES, f"{free:,} MB are free on the database's disk",
                  f"only {free} MB are free on the database's disk")
    wal = Path(f"{path}-wal")
    size = wal.stat().st_size // 2**20 if wal.exists() else 0
    yield finding(size < WAL_MEGABYTES, f"{size} MB wait in {wal.name}",
                  f"{size} MB wait in {wal.name}: nothing takes them in; does Litestream run?")
    yield "ok", (f"SQLite {sqlite3.sqlite_version}; it is {now()}, {today()} in Argentina,"
                 f" this machine's zone is {time.tzname[0]}")


def check_live():
    """Yield what the payment services, the SMTP server and the public address answer now."""
    def ask_mail_server():
        with mail_server():     # it let us in, and that is all
            pass

    config = current_app.config
    questions = {service.label: lambda name=name: payment_service(name).query("CAC0")
                 for name, service in SERVICES.items() if config[service.setting]}
    if config["SMTP_URL"]:
        questions["the SMTP server"] = ask_mail_server
    questions[config["BASE_URL"]] = lambda: fetch(absolute("health"), read_json)
    for whom, ask in questions.items():
        try:
            ask()
            yield "ok", f"{whom} answers"
        except ServiceError as error:
            yield "BAD", f"{whom}: {error}"
        except (OSError, ValueError, Refused) as error:
            yield "BAD", f"{whom}: {smtp_words(error)}"


@command("check", "check --json")
@click.option("--json", "as_json", is_flag=True, help="For a monitor.")
@click.option("--live", is_flag=True, help="Ask the payment services and the SMTP server, too.")
def check(as_json, live):
    """Look at all that may be wrong; exit code 1 if something is BAD."""
    results = []
    for look in (check_settings, check_database, check_machine, *[check_live] * live):
        try:
            results += look()
        except (sqlite3.Error, OSError, Refused) as error:
            results.append(("BAD", f"{look.__name__.removeprefix('check_')}: {error}"))
    if as_json:
        rows = [{"level": level, "what": what} for level, what in results]
        echo(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        echo("\n".join(f"{level:4}  {what}" for level, what in results))
    sys.exit(any(level == "BAD" for level, _ in results))


# === Commands =====================================================================================
# What the operator types and no part above owns.


def tables():
    """Return the database by sqlite-utils; Refused if it is another program's."""
    from sqlite_utils import Database   # which pages have not the time to import
    known_version(get_db())
    return Database(get_db())


@command("list", "list payments")
@click.argument("what", type=click.Choice(
    ["settings", "customers", "payments", "review", "transfers", "mail", "imports"]))
def list_rows(what):
    """Print settings, secrets masked; customers; payments, transfers, mail, imports; the review."""
    known_version(get_db())
    rows = [row._asdict() for row in fetch_all(f"SELECT * FROM list_{what}")]
    if what == "settings":
        shown = current_app.config | {name: "(set)" for name in SECRETS if current_app.config[name]}
        rows = [{"name": f"CAC_{name}", "value": shown[name] or "(not set)", "about": about}
                for name, (_, _, about) in SETTINGS.items()] + rows
    print_rows(rows, f"No {what}.")


@command("set", "set dm_limit 5000,00")
@click.argument("name")
@click.argument("value")
def set_setting(name, value):
    """Change a setting of the company."""
    settings, shown = tables()["setting"], tables()["list_settings"]
    row = next(settings.rows_where("name = ? AND kind <> 'mark'", [name]), None)
    if not row:
        raise Refused(f"There is no setting {name}: see `list settings`. Nothing was changed.")
    before = next(shown.rows_where("name = ?", [name]))["value"]
    try:
        settings.update(name, {"value": parse_setting(row["kind"], value)})
    except ValueError as error:
        raise Refused(f"{name} takes {error}, not {value!r}. Nothing was changed.") from error
    after = next(shown.rows_where("name = ?", [name]))["value"]
    echo(f"{name}: {after} (before: {before})")


MAY_BE_EMPTY = "text", "email", "cuit"      # settings of the company that not all have
SETUP_FIELDS = {  # of a file for `setup`: its tables, and what kind of setting each field is
    "bank_account": {"bank": "text", "account": "text", "holder": "text", "cuit": "cuit",
                     "cbu": "cbu", "alias": "alias"},
    "brand": {"code": "code", "name": "text", "website": "website", "colour": "colour"},
}


def current_setup() -> dict:
    """Return the company's data as a file for `setup` has them."""
    rows = fetch_all("SELECT name, value FROM list_settings")
    codes = fetch_all("SELECT code FROM voucher_type WHERE dineromail = 1 ORDER BY code")
    brands = [] if all_brands() == [NO_BRAND] else all_brands()
    lists = {"bank_account": fetch_all("SELECT * FROM bank_account ORDER BY id"), "brand": brands}
    return {"dineromail_types": [row.code for row in codes],
            "settings": {row.name: row.value for row in rows},
            **{what: [{field: getattr(row, field) or "" for field in SETUP_FIELDS[what]}
                      for row in rows] for what, rows in lists.items()}}


def print_setup(setup: dict) -> None:
    """Print a file that `setup` reads; JSON's strings and lists of numbers are TOML's, too."""
    echo(f"dineromail_types = {json.dumps(setup['dineromail_types'])}")
    tables = [("[settings]", setup["settings"])]
    tables += [(f"[[{what}]]", row) for what in SETUP_FIELDS for row in setup[what]]
    for head, row in tables:
        echo(f"\n{head}")
        for name, value in row.items():
            echo(f"{name} = {json.dumps(value, ensure_ascii=False)}")


def parse_setup(setup: dict, kinds: dict) -> tuple[dict, list[str]]:
    """Return (what a setup says, as it is stored; all that is wrong with it, a line each)."""
    problems, stored = [], {}
    known = {row.code for row in fetch_all("SELECT code FROM voucher_type")}
    parts = {"settings": kinds, **SETUP_FIELDS}

    def parsed(place, fields, row):
        values = {}
        for name in row if place == "settings" else row | dict.fromkeys(fields.keys() - row, ""):
            text, kind = row.get(name, ""), fields.get(name)
            is_simple = type(text) in (str, int, float)
            text = str(text).strip()
            try:
                if not is_simple:
                    raise ValueError("a text or a number")
                is_empty = place == "settings" and kind in MAY_BE_EMPTY and not text
                values[name] = text if is_empty else parse_setting(kind, text)
            except KeyError:
                problems.append(f"{place}: there is no {name}")
            except ValueError as error:
                problems.append(f"{place}: {name} takes {error}, not {text!r}")
        return values

    for part, value in setup.items():
        if part == "dineromail_types" and isinstance(value, list):
            problems += [f"dineromail_types: there is no voucher type {code!r}" for code in value
                         if type(code) is not int or code not in known]
            stored[part] = value
        elif part == "settings" and isinstance(value, dict):
            stored[part] = parsed(part, kinds, value)
        elif part in SETUP_FIELDS and isinstance(value, list) and all(
                isinstance(row, dict) for row in value):
            stored[part] = [parsed(f"{part} {number}", parts[part], row)
                            for number, row in enumerate(value, 1)]
        else:
            problems.append(f"{part}: there is no such part, or it is written otherwise")
    codes = [row.get("code") for row in stored.get("brand", [])]
    problems += [f"brand: {code} comes twice" for code in {*codes} if codes.count(code) > 1]
    return stored, problems


def save_setup(db, stored: dict) -> None:
    """Write what `parse_setup` returned; bank accounts and brands replace those on file."""
    db.executemany("UPDATE setting SET value = ? WHERE name = ?",
                   [(value, name) for name, value in stored.get("settings", {}).items()])
    if "dineromail_types" in stored:
        db.execute("UPDATE voucher_type SET dineromail = code IN (SELECT value FROM json_each(?))",
                   (json.dumps(stored["dineromail_types"]),))
    if "bank_account" in stored:
        db.execute("DELETE FROM bank_account")
        db.executemany("INSERT INTO bank_account (bank, account, holder, cuit, cbu, alias) VALUES"
                       " (:bank, :account, :holder, :cuit, :cbu, nullif(:alias, ''))",
                       stored["bank_account"])
    brands = stored.get("brand", [])
    name = db.execute("SELECT value FROM setting WHERE name = 'company_name'").fetchone().value
    if not brands and name and not db.execute("SELECT 1 FROM brand").fetchone():
        brands = [{"code": re.sub("[^a-z0-9]", "", plain(name))[:30] or "empresa", "name": name,
                   "website": "", "colour": NO_BRAND.colour}]
    if brands:
        db.execute("DELETE FROM brand WHERE code NOT IN (SELECT brand FROM customer)")
        db.execute("UPDATE brand SET position = position + 1000")   # free for those that come
        db.executemany("""
            INSERT INTO brand VALUES (:code, :name, :website, :colour, :position) ON CONFLICT (code)
            DO UPDATE SET (name, website, colour, position) = (:name, :website, :colour, :position)
            """, [{**row, "position": place} for place, row in enumerate(brands, 1)])


def ask_setup(setup: dict, kinds: dict) -> dict:
    """Ask for all that a file for `setup` has; what is on file is the default."""
    def ask(label, kind, default=""):
        def checked(text):
            try:
                if text.strip() or kind not in MAY_BE_EMPTY:
                    parse_setting(kind, text)
            except ValueError as error:
                raise click.UsageError(f"it takes {error}") from error
            return text
        return click.prompt(label, default=default, value_proc=checked, show_default=bool(default))

    abouts = fetch_all("SELECT name, about FROM list_settings")
    answers = {"settings": {row.name: ask(f"{row.name}, {row.about}", kinds[row.name],
                                          setup["settings"][row.name]) for row in abouts}}
    codes = click.prompt("Voucher types that may be paid on line, AFIP's codes",
                         default=" ".join(map(str, setup["dineromail_types"])))
    answers["dineromail_types"] = [int(code) for code in re.findall("[0-9]+", codes)]
    for part, fields in SETUP_FIELDS.items():
        what = part.replace("_", " ")
        answers[part] = [row for row in setup[part] if click.confirm(
            f"Keep the {what} {row.get('cbu') or row['code']}?", default=True)]
        while click.confirm(f"Add a {what}?", default=False):
            answers[part].append({name: ask(f"  {name}", kind) for name, kind in fields.items()})
    return answers


@command("setup", "setup empresa.toml")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--print", "printing", is_flag=True, help="Print such a file, of what is on file.")
def setup(file, printing):
    """Set up the company: ask for all, or read a TOML FILE; what is wrong is told at once."""
    kinds = {row.name: row.kind for row in
             fetch_all("SELECT name, kind FROM setting WHERE kind <> 'mark'")}
    if printing:
        return print_setup(current_setup())
    try:
        told = tomllib.loads(file.read_text("utf-8")) if file else ask_setup(current_setup(), kinds)
    except (OSError, ValueError) as error:
        raise Refused(f"{file}: {error}. Nothing was saved.") from error
    stored, problems = parse_setup(told, kinds)
    if problems:
        raise Refused("\n".join([f"{file or 'setup'}:", *problems, "Nothing was saved."]))
    with transaction() as db:
        save_setup(db, stored)
    missing = ", ".join(row.name for row in fetch_all("SELECT name FROM missing_setting"))
    return echo(f"The company is set up: {company().company_name}." if not missing
                else f"Saved. Before `serve` there is still missing: {missing}.")


@command("brand", "brand hosting --name Hosting --colour '#0b57a4'")
@click.argument("code")
@click.option("--name", help="As customers read it.")
@click.option("--website", help="Where its name in the bar leads.")
@click.option("--colour", help="#rrggbb, dark enough for white letters.")
@click.option("--position", type=click.IntRange(1, 999), help="In the bar, from the left.")
def brand(code, position, **given):
    """Make a brand, or change one: its name, website, colour and place in the bar."""
    brands = tables()["brand"]
    row = next(brands.rows_where("code = ?", [code]), {"website": "", "colour": NO_BRAND.colour})
    row |= {name: value for name, value in given.items() if value is not None} | {"code": code}
    row |= {"position": position or row.get("position") or 1 + max(
        (other["position"] for other in brands.rows), default=0)}
    for name, kind in SETUP_FIELDS["brand"].items():
        try:
            row[name] = parse_setting(kind, row.get(name, ""))
        except ValueError as error:
            raise Refused(f"--{name}: it takes {error}. Nothing was changed.") from error
    for other in brands.rows_where("position = ? AND code <> ?", [row["position"], code]):
        raise Refused(f"--position: {other['code']} is there. Nothing was changed.")
    brands.upsert(row, pk="code")
    echo(f"{code}: {row['name']}, {row['website'] or 'no website'}, {row['colour']},"
         f" position {row['position']}")


def write_settings(path: Path) -> None:
    """Write the settings as they are now, with a key; what need not be set is a comment."""
    config, lines = current_app.config, ["# The settings of CAC; the environment, CAC_…, wins."]
    chosen = {name: config[name] for name, (default, _, _) in SETTINGS.items()
              if config[name] and config[name] != default}
    chosen |= {name: str(Path(config[name]).absolute()) for name in ("DATABASE", "DOCUMENTS")}
    chosen |= {"SECRET_KEY": config["SECRET_KEY"] or secrets.token_urlsafe(48),
               "BASE_URL": config["BASE_URL"]}
    for name, (default, _, about) in SETTINGS.items():
        if name != "DEMO":
            value = json.dumps(chosen.get(name, default), ensure_ascii=False)
            lines += ["", f"# {about}", f"{'' if name in chosen else '# '}{name.lower()} = {value}"]
    with atomic_write(path) as draft:
        draft.write_text("\n".join(lines) + "\n", encoding="utf-8")


@command("init", "init")
def init():
    """Make settings and database, or bring an older database up to date, keeping a copy."""
    path, kept = Path(current_app.config["DATABASE"]), None
    file = Path(os.environ.get("CAC_CONFIG") or path.with_name("cac.toml")).absolute()
    if not file.exists() and ("CAC_CONFIG" in os.environ or not current_app.config["SECRET_KEY"]):
        with refused_by(file):
            write_settings(file)
        echo(f"Made {file}: look through it, then\nexport CAC_CONFIG={file}")
    if not path.is_file():
        make_database(path, "schema.sql")
        return echo(f"Made {path}.")
    with refused_by(path), closing(open_readonly(path)) as db:
        if known_version(db) < SCHEMA_VERSION:
            with closed_database(path), atomic_write(kept := former(path)) as draft:
                db.execute("VACUUM INTO ?", (str(draft),))
    for version in range(known_version(get_db()) + 1, SCHEMA_VERSION + 1):
        with transaction() as db:
            for statement in [*UPGRADES[version], f"PRAGMA user_version = {version}"]:
                db.execute(statement)
    return echo(f"{path} is up to date." + f" As it was: {kept}." * bool(kept))


@command("voucher-type", "voucher-type 6 --dineromail on")
@click.argument("code", type=click.IntRange(1, 999))
@click.option("--dineromail", type=click.Choice(["on", "off"]), required=True,
              help="Whether a customer whose last invoice is of this type may pay on line.")
def voucher_type(code, dineromail):
    """Switch DineroMail on or off for a type of voucher, by its AFIP code."""
    with transaction() as db:
        row = db.execute("UPDATE voucher_type SET dineromail = ? WHERE code = ? RETURNING name",
                         (dineromail == "on", code)).fetchone()
    if not row:
        raise Refused(f"There is no voucher type {code}. Nothing was changed.")
    echo(f"{code} {row.name}: DineroMail {dineromail}")

# === Application ==================================================================================
# create_app, what every page and every line of the log has, and the background thread. To create
# it has no side effect: what opens, starts or writes waits for a request, or for the server.

FORM_TYPES = {"", "application/x-www-form-urlencoded", "multipart/form-data"}
PROOF_FORM = "cac.report_transfer"  # the one form with a file, of a customer who is signed in
FOREIGN_FORMS = {"cac.receive_notice", "cac.unsubscribe"}    # what others send, and may look odd
HEADERS = {
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",      # for browsers that do not know frame-ancestors
    "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}


@lru_cache(1000)
def cached_url(root: str, endpoint: str, **values) -> str:
    """Return an address under the prefix `root` at which a proxy mounts the portal."""
    return url_for(endpoint, **values)


def page_url(endpoint: str, **values) -> str:
    """Return an address for templates, which ask the same again: url_for takes ten times longer."""
    return cached_url(request.script_root, endpoint, **values)


@cache
def version_of(name: str, brand=None) -> str:
    """Return a few characters that change with a file in static/, and with a brand's looks."""
    looks = f"{brand.colour}{brand_mark(brand)}" if brand else ""
    return sha256(f"{static_text(name)}{looks}")[:10]


def asset(name: str) -> str:
    """Return the address of a file in static/, which browsers may keep for a year."""
    return page_url("static", filename=name, v=version_of(name))


def style(brand, kind: str = "css") -> str:
    """Return the address of a brand's style sheet or mark (svg), which browsers may keep too."""
    return page_url("cac.style_sheet", code=brand.code, kind=kind, v=version_of("cac.css", brand))


@bp.app_context_processor
def page_values() -> dict:
    """Return what every page has at hand."""
    brands = all_brands()
    code = current_user.brand if current_user.is_authenticated else brands[0].code
    brand = next(brand for brand in brands if brand.code == code)
    address = partial(cached_url, request.script_root)      # asked for 25 times: see page_url
    return {"company": company(), "brands": brands, "brand": brand,
            "signs": asset("signs.svg"), "url_for": address,
            "unconfirmed_email": getattr(current_user, "unconfirmed_email", None)}


def refuse_odd_form() -> None:
    """Refuse a form of another site, and what no page sends, as JSON, NUL, a field twice."""
    fields, origin = list(request.form.items(multi=True)), request.headers.get("Origin")
    if len(fields) > 500:
        abort(413)
    with suppress(ValueError):      # of an Origin that is no address
        origin = origin and urlsplit(origin).netloc
    ours = {None, request.host, urlsplit(current_app.config["BASE_URL"]).netloc}
    files = [name for name, _ in request.files.items(multi=True)]
    if (origin not in ours or request.headers.get("Sec-Fetch-Site") == "cross-site"
            or request.mimetype not in FORM_TYPES or len(fields) != len(request.form)
            or files != (["archivo"] if files and request.endpoint == PROOF_FORM else [])
            or any("\0" in text or not name.isascii() or len(name) > 40 for name, text in fields)):
        abort(400)


@bp.before_app_request
def guard():
    """Refuse, before each request, what is odd; under another server, start the jobs."""
    g.request_id = secrets.token_hex(4)
    if request.script_root and not is_local(request.script_root):   # links would lead there
        return Response("No entendimos el pedido.", 400, mimetype="text/plain")
    if not re.match("/(?!/)", request.environ.get("PATH_INFO", "")):
        abort(404)
    if request.endpoint == PROOF_FORM and current_user.is_authenticated:
        request.max_content_length = 12 * 2**20     # a photo that is too big is told so by the form
    if request.method == "POST" and request.endpoint not in FOREIGN_FORMS:
        refuse_odd_form()
    start_jobs(current_app._get_current_object())
    return None


@bp.after_app_request
def add_headers(answer: Response) -> Response:
    """Add what every answer carries."""
    config = current_app.config
    answer.headers.update(HEADERS)
    checkout = urlsplit(config["DINEROMAIL_URL"])
    dineromail = f" {checkout.scheme}://{checkout.netloc}" if config["DINEROMAIL_ACCOUNT"] else ""
    answer.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src"
        f" 'self'; form-action 'self'{dineromail}; base-uri 'none'; frame-ancestors 'none'")
    if config["SESSION_COOKIE_SECURE"]:
        answer.headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
    if request.endpoint not in ("static", "cac.style_sheet") or answer.status_code >= 400:
        answer.headers["Cache-Control"] = "no-store"
        answer.headers.pop("Expires", None)
    return answer


def tidy() -> None:
    """Forget what nobody will ask for any more: ended sessions, tries, old mail, old notices."""
    with transaction() as db:
        db.execute("DELETE FROM session WHERE seen_at < ? OR created_at < ?",
                   (now(-IDLE_SECONDS), now(-SESSION_SECONDS)))
        db.execute("DELETE FROM throttle WHERE started_at < ?", (now(-86400),))
        db.execute("DELETE FROM outbox WHERE due_at IS NULL AND created_at < ?",
                   (now(-KEEP_MAIL_SECONDS),))
        db.execute("DELETE FROM notice WHERE query_at IS NULL AND (received_at < ? OR id <="
                   " (SELECT max(id) FROM notice) - ?)", (now(-GIVE_UP_SECONDS), NOTICES_WAITING))


def beat() -> None:
    """Give a sign of life, for /salud and `check`: the jobs are done, and the database written."""
    with transaction() as db:
        db.execute("UPDATE setting SET value = ? WHERE name = 'jobs_at'", (now(),))


JOBS = [(mail_reset_links, 1), (settle_due, 1), (send_due_mail, 1), (remind_daily, 10),
        (beat, 10), (tidy, 600)]        # (job, seconds between)


def run_jobs(app: Flask) -> None:
    """Do each job again and again; one process does them all, and if it dies another one."""
    due = dict.fromkeys(JOBS, 0)
    with Path(f"{app.config['DATABASE']}.jobs").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)    # another process waits here, until this one ends
        while True:
            for job, seconds in [entry for entry in JOBS if due[entry] <= time.monotonic()]:
                due[job, seconds] = time.monotonic() + seconds
                try:
                    with app.app_context():
                        job()
                except Exception:   # whatever it was: the trace is logged, the other jobs go on
                    log.exception("event=job-failed job=%s", job.__name__)
            time.sleep(1)


def start_jobs(app: Flask) -> None:
    """Start this process's background thread, once, unless another process is to do the jobs."""
    if app.config["JOBS"] == "on" and app.extensions.setdefault("cac.jobs", at := now()) is at:
        threading.Thread(target=run_jobs, args=[app], daemon=True).start()


class Templates(Environment):
    """Jinja's, with one dict of globals: its ChainMap for each template costs a tenth of a page."""

    def make_globals(self, d):
        """Return what all templates know; there is nothing that only one of them is given."""
        return self.globals


def create_app(**settings) -> Flask:
    """Make the WSGI application. Settings in lower case, as database="…", win over all others."""
    app = Flask(__name__, root_path=str(HERE))
    app.jinja_environment, app.jinja_options = Templates, {"cache_size": -1}    # all are kept
    configure(app, **settings)
    is_https = app.config["BASE_URL"].startswith("https://")
    app.config.update(
        SESSION_COOKIE_NAME="__Host-cac" if is_https else "cac", SESSION_COOKIE_SECURE=is_https,
        SESSION_COOKIE_SAMESITE="Lax", MAX_CONTENT_LENGTH=2**20,
        SEND_FILE_MAX_AGE_DEFAULT=STATIC_SECONDS,
        WTF_I18N_ENABLED=False,     # WTForms' own messages in Spanish, see Form
        WTF_CSRF_TIME_LIMIT=None,   # as long as the session
        WTF_CSRF_SSL_STRICT=False)  # guard() does it without the Referer, which some browsers omit
    app.url_map.merge_slashes = False   # Werkzeug would redirect to the Host that was named
    jinja = app.jinja_env
    jinja.trim_blocks = jinja.lstrip_blocks = True
    jinja.filters |= {function.__name__: function for function in (
        money, plain_money, day, moment, voucher_number, dialled, device, has_pdf, by_month,
        split_by_due)}
    jinja.filters["cuit"] = cuit.format
    jinja.globals |= {function.__name__: function for function in (
        asset, brand_mark, style, today)} | {"url_for": page_url}
    app.register_blueprint(bp)      # first: guard() comes before Flask-WTF
    login_manager.init_app(app)
    csrf.init_app(app)
    hops = int(app.config["PROXIES"])
    app.wsgi_app = ProxyFix(app.wsgi_app, hops, hops, hops, x_prefix=hops)
    return app


class OneLine(logging.Formatter):
    """A log whose events are a line each: nothing that a visitor typed begins another."""

    converter = time.gmtime

    def __init__(self):
        super().__init__("%(asctime)s %(levelname)s request=%(request)s %(message)s",
                         "%Y-%m-%dT%H:%M:%SZ")

    def format(self, record) -> str:    # the page of a fault tells the customer the request's id
        record.request = g.get("request_id", "-") if has_app_context() else "-"
        return escaped(super().format(record))


# === Serving ======================================================================================
# The server, and the demo with its stand-ins.


def run_server(app: Flask, host: str, port: int, *, workers: int, stop_seconds: int) -> None:
    """Serve until told to stop; requests under way then have so many seconds to end."""
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings

    def in_worker(_target):
        handler = logging.StreamHandler()
        handler.setFormatter(OneLine())
        logging.basicConfig(level="WARNING", handlers=[handler])
        log.setLevel("INFO")
        start_jobs(app)
        return app

    for name in app.jinja_env.list_templates():     # else each thread does it, in the first second
        app.jinja_env.get_template(name)
    multiprocessing.set_start_method("fork", force=True)    # workers share what is made by now
    logging.getLogger("_granian").addFilter(lambda line: "Python threads" not in str(line.msg))
    server = Granian("cac", host, port, interface=Interfaces.WSGI, workers=workers,
                     http=HTTPModes.http1, blocking_threads=16,   # so many may wait
                     http1_settings=HTTP1Settings(max_buffer_size=64 * 1024),
                     respawn_failed_workers=True, respawn_interval=2,
                     workers_kill_timeout=stop_seconds, log_level="warning")
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:   # the terminal of a demo was closed
        server.on_startup(lambda: signal.signal(signal.SIGHUP, server.signal_handler_interrupt))
    server.serve(target_loader=in_worker)


def refuse_used_port(host: str, port: int) -> None:
    """Refuse a port that somebody has: granian would share it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise Refused(f"{host}:{port}: {error.strerror}. Choose another with --port.") from error


@command("serve", "serve --port 8000 --workers 2")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=min(max(2, os.cpu_count() or 2), 4), type=click.IntRange(1, 64),
              help="Processes; as many as there are cores, but 2 to 4, unless told.")
def serve(host, port, workers):
    """Serve customers; refuses while a setting is missing or unsafe."""
    config, path = current_app.config, current_app.config["DATABASE"]
    problems = unsafe_settings(config)
    try:
        if not Path(path).is_file():
            raise Refused("it is not there; `python cac.py init` makes it")
        with closing(open_readonly(path)) as db:    # and closed: workers are forks
            if known_version(db) != SCHEMA_VERSION:
                raise Refused("it is of an older version: see `python cac.py init`")
            if is_demo_data(db):
                raise Refused("it holds the demo's data")
            problems += [f"{row.name}: not set up; `python cac.py setup` asks for it"
                         for row in db.execute("SELECT name FROM missing_setting")]
    except (sqlite3.Error, Refused) as error:
        problems.append(f"CAC_DATABASE: {path}: {getattr(error, 'message', error)}")
    if problems:
        raise Refused("not started.\n" + "\n".join(f"  {problem}" for problem in problems))
    refuse_used_port(host, port)
    echo(f"Serving {config['BASE_URL']} on http://{host}:{port}", err=True)
    run_server(current_app._get_current_object(), host, port, workers=workers, stop_seconds=30)


def make_demo_database(path: Path) -> None:
    """Make a database with the cast, in the place of an earlier demo's and of nothing else."""
    if not path.parent.is_dir():
        raise Refused(f"There is no folder {path.parent}. Nothing was changed.")
    if path.exists():
        is_ours = False
        with suppress(sqlite3.DatabaseError), closing(open_readonly(path)) as db:
            is_ours = is_demo_data(db)
        if not is_ours:
            raise Refused(f"{path} is not an earlier demo's database. Nothing was changed.")
        with closed_database(path):
            for suffix in ("", "-wal", "-shm"):
                Path(f"{path}{suffix}").unlink(missing_ok=True)
    make_database(path, "schema.sql", "seed_data.sql")


@contextmanager
def demo_services(base_url: str):
    """Yield the settings of the payment services' stand-ins, a process that ends with this one."""
    account, key, secret = "11925320", "demo-ipn-key", "demo-secret"
    command = [sys.executable, str(HERE / "tests" / "standins.py"), "--with-parent", "--notify",
               base_url, "--account", account, "--key", key, "--secret", secret]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        address = run.stdout.readline().strip()
        yield {"DINEROMAIL_URL": address, "DINEROMAIL_ACCOUNT": account,
               "DINEROMAIL_PASSWORD": key, "MERCADOPAGO_URL": address,
               "MERCADOPAGO_TOKEN": "demo-token", "MERCADOPAGO_SECRET": secret}
        run.terminate()


@command("demo", "demo --port 8000")
@click.option("--host", default="127.0.0.1", show_default=True, help="Of this machine only.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--database", type=click.Path(path_type=Path), help="Instead of a temporary file.")
def demo(host, port, database):
    """Show the portal with made-up customers, mail and payment services; nothing is real."""
    if host not in ("localhost", "127.0.0.1", "::1"):
        raise Refused(f"--host {host}: the demo is for this machine only, 127.0.0.1.")
    refuse_used_port(host, port)
    base_url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    with tempfile.TemporaryDirectory(prefix="cac-demo-") as folder:
        path = (database or Path(folder, "cac.db")).absolute()
        make_demo_database(path)
        echo(f"CAC demo: {base_url}\nMails:    {base_url}/demo/correo\nStop it with Ctrl-C.\n")
        with closing(open_readonly(path)) as db:
            for row in db.execute("SELECT * FROM customer ORDER BY number"):
                state = "clave demo-2010" if row.password and row.active else "cannot sign in"
                echo(f"  usuario {row.number}  {state:15}  {row.name}")
        with demo_services(base_url) as standins:
            settings = {name.lower(): value for name, value in standins.items()
                        if current_app.config[name] == SETTINGS[name][0]}   # else a real one is set
            key = current_app.config["SECRET_KEY"] or secrets.token_urlsafe(48)
            app = create_app(**settings, secret_key=key, base_url=base_url, documents=folder,
                             database=str(path), demo=folder)
            run_server(app, host, port, workers=1, stop_seconds=1)


cli = FlaskGroup(create_app=create_app, add_default_commands=False, add_version_option=False,
                 help="CAC, Centro de Atención al Cliente: the operator's commands.")

if __name__ == "__main__":
    cli()
