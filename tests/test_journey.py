"""What a customer does from beginning to end, in a real browser, with JavaScript and without."""

import re
import sqlite3
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from conftest import PASSWORD, answers, free_port, running, wait_for
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

NOTICE = ("<notificacion><operaciones><operacion><id>{}</id></operacion></operaciones>"
          "</notificacion>")


@dataclass(frozen=True)
class Demo:
    """A running demo: its address, and its database."""

    address: str
    database: Path

    def ledger(self):
        """(Ana's balance, number of her receipts)."""
        with closing(sqlite3.connect(self.database)) as db:
            return db.execute("SELECT sum(amount), sum(origin = 'portal') FROM movement"
                              " WHERE customer = 1001").fetchone()

    def notify(self, reference):
        """Send DineroMail's notice again; the answer's status."""
        body = urlencode({"Notificacion": NOTICE.format(reference)}).encode()
        with urllib.request.urlopen(f"{self.address}/aviso/dineromail", body) as answer:
            return answer.status


@pytest.fixture
def demo(tmp_path):
    """`python cac.py demo`, as a newcomer starts it."""
    port = free_port()
    found = Demo(f"http://127.0.0.1:{port}", tmp_path / "demo.db")
    with running("cac.py", "demo", "--port", port, "--database", found.database):
        wait_for(lambda: answers(f"{found.address}/salud"))
        yield found


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def page(request, chromium, demo):
    """A page of the browser, at the demo; it must not complain, nor ask anybody else."""
    context = chromium.new_context(locale="es-AR", base_url=demo.address,
                                   java_script_enabled=request.param)
    page, faults = context.new_page(), []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda sent: faults.append(sent.url) if is_foreign(sent.url) else None)
    page.goto("/")
    yield page
    context.close()
    assert faults == []


def is_foreign(address):
    """Whether an address is neither the demo's nor its stand-in's, both on this machine."""
    parts = urlsplit(address)
    return parts.scheme != "data" and parts.hostname != "127.0.0.1"


def sign_in(page, number, password=PASSWORD):
    """Fill in Ingrese a su Cuenta."""
    page.get_by_label("Usuario").fill(number)
    page.get_by_label("Clave", exact=True).fill(password)
    page.get_by_role("button", name="Ingresar").click()


def reload_until(page, locator):
    """Look again and again, as a customer who waits for something to arrive."""
    wait_for(lambda: locator.count() or (page.reload() and locator.count()))


def pay_with_dineromail(page):
    """From PAGO ONLINE through DineroMail's checkout and back; the payment's reference."""
    page.get_by_role("link", name="PAGO ONLINE").first.click()
    page.get_by_role("button", name=re.compile("Pagar.*1.250,40.*con DineroMail")).click()
    reference = urlsplit(page.url).path.rpartition("/")[2]
    page.get_by_role("button", name=re.compile("en DineroMail")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("ningún pago es real")
    page.get_by_role("button", name="Acreditar").click()
    return reference


def test_ana_reads_her_statement_downloads_her_invoice_and_pays(demo, page):
    sign_in(page, "1001")
    expect(page.get_by_role("heading", level=1)).to_have_text("Bienvenido/a, Ana Sosa")
    page.get_by_role("link", name="Cta Cte Clientes").click()
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("Factura B 00003-00012676")).last.click()
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF-")
    pay_with_dineromail(page)
    reload_until(page, page.get_by_role("heading", name="Recibimos su pago"))
    page.get_by_role("link", name="Ver mi cuenta corriente").click()
    expect(page.get_by_role("row", name=re.compile("Recibo de pago en línea"))).to_have_count(1)
    expect(page.get_by_role("row").last.get_by_role("cell")).to_have_text("0,00")
    assert demo.ledger() == (0, 1)


def test_the_same_notice_ten_more_times_eight_at_once_changes_nothing(demo, page):
    sign_in(page, "1001")
    reference = pay_with_dineromail(page)
    wait_for(lambda: demo.ledger() == (0, 1))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(demo.notify, [reference] * 10)) == [200] * 10
    page.goto("/cuenta")
    expect(page.get_by_role("row", name=re.compile("Recibo de pago en línea"))).to_have_count(1)
    assert demo.ledger() == (0, 1)


def test_who_forgot_the_password_chooses_another_by_mail(demo, page):
    page.get_by_role("link", name="¿Olvidó su Clave?").click()
    page.get_by_label("Usuario").fill("1001")
    page.get_by_role("button", name="Enviar enlace").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Revise su correo")
    page.goto("/demo/correo")
    link = page.get_by_role("link", name=f"{demo.address}/clave/")
    reload_until(page, link)
    link.click()
    page.get_by_label("Clave nueva", exact=True).fill("caballo correcto")
    page.get_by_role("button", name="Guardar clave").click()
    expect(page.get_by_role("status").first).to_contain_text("Cambió su clave")
    sign_in(page, "1001", "caballo correcto")
    expect(page.get_by_role("heading", level=1)).to_have_text("Bienvenido/a, Ana Sosa")
