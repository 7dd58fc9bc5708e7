"""What an attacker must not achieve, asked of the real server with its two workers."""

import os
import re
import signal
import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

import pytest
from conftest import PASSWORD, SECRET_KEY, cac, serving, wait_for

PRIVATE = ["/", "/cuenta", "/cuenta.csv", "/cuenta.pdf", "/comprobantes/100108.pdf", "/pago",
           "/datos", "/clave", "/accesos", "/servicios", "/noticias"]


class Visitor:
    """A browser behind a proxy: a connection for each request, so that either worker answers."""

    def __init__(self, address, place="203.0.113.9"):
        self.host, self.place, self.cookie = urlsplit(address).netloc, place, ""

    def ask(self, method, path, fields=None, **headers):
        """(status, headers, body) of a request."""
        headers |= {"Cookie": self.cookie, "X-Forwarded-For": self.place}
        body = urlencode(fields) if fields is not None else None
        if fields is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        with closing(HTTPConnection(self.host, timeout=30)) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        if found := answer.headers["Set-Cookie"]:
            self.cookie = found.partition(";")[0]
        return answer.status, answer.headers, content

    def get(self, path):
        """The status of a page."""
        return self.ask("GET", path)[0]

    def send(self, path, page=None, **fields):
        """The status of a form sent with its token."""
        shown = self.ask("GET", page or path)[2]
        token = re.search(rb'name="csrf_token"[^>]* value="([^"]+)"', shown)
        return self.ask("POST", path, {**fields, "csrf_token": token[1].decode()})[0]

    def sign_in(self, usuario=1001, clave=PASSWORD):
        """The status of a try to sign in."""
        return self.send("/ingresar", usuario=usuario, clave=clave)


@pytest.fixture(scope="module")
def stage(seeded, tmp_path_factory):
    """(the server's address, its database, its log), shared by tests that spoil nothing."""
    folder = tmp_path_factory.mktemp("serving")
    database, log = folder / "cac.db", folder / "log"
    database.write_bytes(seeded.read_bytes())
    with log.open("w") as output, serving(database, proxies=1, output=output) as address:
        yield address, database, log


@pytest.fixture
def address(stage):
    """Where the server answers."""
    return stage[0]


@pytest.fixture
def db(stage):
    """The test's own connection to its database, with nobody throttled."""
    with closing(cac.connect(stage[1])) as connection:
        connection.execute("DELETE FROM throttle")
        yield connection


def test_a_session_that_was_left_opens_no_page_in_any_worker(address, db):
    ana = Visitor(address)
    assert ana.sign_in() == 303
    assert {ana.get(path) for path in PRIVATE} == {200}
    copy = ana.cookie
    assert ana.send("/salir", page="/") == 303
    ana.cookie = copy
    assert {ana.get(path) for path in PRIVATE * 2} == {302}


def test_of_a_link_used_twenty_times_at_once_one_use_counts(stage, address, db):
    app = cac.create_app(database=str(stage[1]), secret_key=SECRET_KEY, base_url=address)
    with app.app_context():
        serial = db.execute("SELECT link_serial FROM customer WHERE number = 1003").fetchone()[0]
        path = urlsplit(cac.password_link(1003, serial)).path
    with ThreadPoolExecutor(20) as pool:
        sent = [pool.submit(Visitor(address).send, path, clave_nueva=f"caballo verde {n}")
                for n in range(20)]
    statuses = []
    for one in sent:        # whoever came too late to see the form has a dead link, too
        statuses.append(410 if isinstance(one.exception(), TypeError) else one.result())
    assert sorted(statuses) == [303] + [410] * 19


def test_of_passwords_chosen_at_once_one_counts_and_one_session_is_left(address, db):
    browsers = [Visitor(address) for _ in range(8)]
    assert {browser.sign_in(1013) for browser in browsers} == {303}
    tokens = [re.search(rb'name="csrf_token"[^>]* value="([^"]+)"', browser.ask("GET", "/clave")[2])
              for browser in browsers]
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(browser.ask, "POST", "/clave", {
            "clave_actual": PASSWORD, "clave_nueva": f"caballo verde {browser.cookie[-9:]}",
            "csrf_token": token[1].decode()})
            for browser, token in zip(browsers, tokens, strict=True)]
    assert [one.result()[0] for one in sent].count(303) == 1
    assert sorted(browser.get("/cuenta") for browser in browsers) == [200] + [302] * 7


def test_tries_are_counted_in_all_workers_and_survive_a_kill(seeded, tmp_path):
    database = tmp_path / "cac.db"
    database.write_bytes(seeded.read_bytes())
    started = []
    with serving(database, started=started, group=0) as address:
        beto = Visitor(address)
        assert beto.sign_in(1002) == 303
        statuses = [Visitor(address).sign_in(1001, "wrong") for _ in range(11)]
        assert statuses == [401] * 10 + [429]
        os.killpg(started[0].pid, signal.SIGKILL)
    with serving(database, port=urlsplit(address).port) as address:
        assert (beto.get("/cuenta"), Visitor(address).sign_in(1001)) == (200, 429)


def test_only_the_last_hop_says_where_a_visitor_is(address, db):
    Visitor(address, "1.2.3.4, 2001:db8:7::1").sign_in(4004, "wrong")
    Visitor(address, "5.6.7.8, 2001:db8:7::2").sign_in(4005, "wrong")
    tries = "SELECT count FROM throttle WHERE key = 'network:2001:db8:7::/64'"
    assert db.execute(tries).fetchone().count == 2
    keys = [row.key for row in db.execute("SELECT key FROM throttle")]
    assert not any("1.2.3.4" in key or "5.6.7.8" in key for key in keys)


@pytest.mark.parametrize(("who", "told", "place", "seen"), [
    (1006, "203.0.113.77:{}", "203.0.113.77", "203.0.113.77"),
    (1008, "[2001:db8:77::1]:{}", "2001:db8:77::/64", "2001:db8:77::1")])
def test_the_port_that_a_proxy_tells_does_not_count(
        address, db, who, told, place, seen):
    for port in (4711, 4712):
        assert Visitor(address, told.format(port)).sign_in(who, "wrong") == 401
    tries = "SELECT count FROM throttle WHERE key = ?"
    assert db.execute(tries, (f"network:{place}",)).fetchone().count == 2
    log = db.execute("SELECT address FROM event WHERE customer = ? AND kind = 'refused'", (who,))
    assert {event.address for event in log} == {seen}


def raw(address, request: bytes) -> bytes:
    """The first bytes that are answered to these; b'' if the server hangs up."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), 10) as connection:
        connection.sendall(request)
        try:
            return connection.recv(65536)
        except ConnectionResetError:
            return b""


@pytest.mark.parametrize(("request_", "expected"), [
    (b"GET /../cac.py HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
    (b"GET /static/../cac.py HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
    (b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
    (b"GET //evil.example/x HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
    (b"GET http://evil.example/nada HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
    (b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
    (b"QWERTY / HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
    (b"GET /salud HTTP/1.1\r\nHost: a b'\"<>\r\n\r\n", b"200"),
    (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", b"4"),
    (b"\x16\x03\x01\x02\x00\x01\x00", b""),
    (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 200_000 + b"\r\n\r\n", b"4"),
    (b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"4"),
    (b"POST /ingresar HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n", b"4"),
    (b"POST /ingresar HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", b"4"),
    (b"POST /ingresar HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"
     b"\r\n0\r\n\r\n", b"4")])
def test_a_request_that_no_browser_sends_is_refused(address, request_, expected):
    answer = raw(address, request_)
    assert answer == b"" or answer.split(b" ")[1].startswith(expected), answer[:200]
    assert Visitor(address).get("/salud") == 200


def test_http_2_is_not_spoken(address):
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
    answer = raw(address, preface)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert Visitor(address).get("/salud") == 200


def test_no_answer_tells_which_version_serves(address):
    for path in ("/ingresar", "/nada", "/static/cac.css"):
        told = Visitor(address).ask("GET", path)[1]
        assert not re.search(r"[0-9]", told["Server"] or "") and "X-Powered-By" not in told


def test_a_hundred_that_never_end_their_headers_keep_nobody_out(address):
    """Who never ends a body is the proxy's business: it sends on what it has whole."""
    parts = urlsplit(address)
    with ExitStack() as slow:
        for _ in range(100):
            one = slow.enter_context(socket.create_connection((parts.hostname, parts.port), 10))
            one.sendall(b"GET /salud HTTP/1.1\r\nHost: x\r\nA: ")
        assert {Visitor(address).get(path) for path in ("/salud", "/ingresar") * 5} == {200}


def timed(visitor, path):
    """How long a page takes, in seconds; it must be there."""
    start = time.perf_counter()
    assert visitor.get(path) == 200
    return time.perf_counter() - start


def test_while_fifty_places_try_passwords_their_owner_signs_in_and_reads(address, db):
    ana = Visitor(address, "198.51.100.1")
    assert ana.sign_in() == 303
    quiet = statistics.median(timed(ana, "/cuenta") for _ in range(20))
    strangers = [Visitor(address, f"203.0.113.{n}") for n in range(50)]
    with ThreadPoolExecutor(4) as pool:
        tried = pool.map(lambda one: one.sign_in(1001, "wrong"), strangers * 3)
        busy = statistics.median(timed(ana, "/cuenta") for _ in range(20))
        assert Visitor(address, "198.51.100.1").sign_in() == 303
        assert {401, 429} >= set(tried)
    assert Visitor(address, "203.0.113.1").sign_in() == 429
    assert busy < 20 * quiet        # two cores, shared with these very visitors


def test_who_has_to_wait_does_not_slow_the_others(address, db):
    ana = Visitor(address, "198.51.100.2")
    assert ana.sign_in() == 303
    db.execute("INSERT INTO throttle VALUES ('sign-in:1004', ?, 10)", (cac.now(),))
    with ThreadPoolExecutor(4) as pool:
        tried = pool.map(lambda n: Visitor(address, f"203.0.113.{n}").sign_in(1004), range(100))
        assert {ana.get("/") for _ in range(20)} == {200}
        assert set(tried) == {429}


LINE = re.compile(r"[-0-9]{10}T[:0-9]{8}Z (INFO|WARNING|ERROR) request=[-0-9a-f]+ event=\S+")


def test_the_log_of_the_server_is_a_line_an_event_without_any_secret(stage, db):
    ana = Visitor(stage[0])
    ana.sign_in()
    Visitor(stage[0]).sign_in(1001, "a-wrong-one")
    ana.ask("GET", "/clave/some-token%0d%0ax")
    wait_for(lambda: "event=denied status=410" in stage[2].read_text())
    found = stage[2].read_text()
    lines = [line for line in found.splitlines() if "Serving " not in line and line]
    assert [line for line in lines if not LINE.match(line)] == []
    hidden = (PASSWORD, "a-wrong-one", "some-token", SECRET_KEY, ana.cookie.partition("=")[2])
    assert [secret for secret in hidden if secret in found] == []


def test_passwords_are_hashed_when_nothing_else_wants_to_run():
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    assert cac.HASHING.submit(os.getpriority, os.PRIO_PROCESS, 0).result() == min(mine + 10, 19)
    assert os.getpriority(os.PRIO_PROCESS, 0) == mine
