"""Every page and state in a real browser: axe in both schemes, narrow screens, keyboard, weight.

Pictures of all of them are left in .screenshots/.
"""

import sqlite3
import subprocess
import tarfile
from contextlib import closing

import pytest
from conftest import PASSWORD, ROOT, answers, cac, free_port, program, running, wait_for
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

AXE = "axe-core-4.14.1"             # what an npm package of it is called
LINKS = {}                          # of mails, by what they are for
SCREENS = [(1280, 900), (390, 844), (360, 740), (320, 568)]
STATES = {  # name: (who is signed in, page, what is typed, the button that is pressed)
    "ingresar": (None, "/ingresar", {}, None),
    "ingresar, vacio": (None, "/ingresar", {}, "Ingresar"),
    "ingresar, rechazado": (None, "/ingresar", {"usuario": "9999", "clave": "otra"}, "Ingresar"),
    "olvido": (None, "/olvido", {}, None),
    "olvido, vacio": (None, "/olvido", {}, "Enviar enlace"),
    "olvido, enviado": (None, "/olvido", {"usuario": "9999"}, "Enviar enlace"),
    "ingresar, demasiadas veces": (None, "/ingresar", {"usuario": "9997", "clave": "otra"},
                                   "Ingresar"),
    "clave nueva": (None, "{password}", {}, None),
    "clave nueva, corta": (None, "{password}", {"clave_nueva": "corta"}, "Guardar clave"),
    "confirmar correo": (None, "{confirmation}", {}, None),
    "enlace vencido": (None, "/clave/x", {}, None),
    "correo de la demostración": (None, "/demo/correo", {}, None),
    "contacto": (None, "/contacto", {}, None),
    "inicio": ("1001", "/", {}, None),
    "inicio, sin movimientos": ("1007", "/", {}, None),
    "cuenta": ("1008", "/cuenta", {}, None),
    "cuenta, en el medio": ("1008", "/cuenta?pagina=3", {}, None),
    "cuenta, sin movimientos": ("1007", "/cuenta", {}, None),
    "saldo": ("1001", "/cuenta/saldo", {}, None),
    "saldo, largo": ("1008", "/cuenta/saldo", {}, None),
    "saldo, a favor": ("1003", "/cuenta/saldo", {}, None),
    "pago": ("1001", "/pago", {}, None),
    "pago, sin botones": ("1004", "/pago", {}, None),
    "pago, importe ambiguo": ("1002", "/pago", {"importe": "1.234"},
                              "Pagar por adelantado con DineroMail"),
    "pago, nuevo": ("1009", "/pago", {}, "Pagar $\xa02.189,00 con DineroMail"),
    "pago, en proceso": ("1006", "/pago/SEEpending?vuelta=99", {}, None),
    "pago, rechazado": ("1006", "/pago/SEErejected", {}, None),
    "pago, vencido": ("1006", "/pago/SEEexpired", {}, None),
    "pago, en revisión": ("1006", "/pago/SEEreview", {}, None),
    "pago, con otros en proceso": ("1006", "/pago", {}, None),
    "datos": ("1001", "/datos", {}, None),
    "datos, con errores": ("1001", "/datos", {"emails-0": "ana@"}, "Guardar cambios"),
    "clave": ("1001", "/clave", {}, None),
    "clave, con errores": ("1001", "/clave", {"clave_nueva": "corta"}, "Guardar clave"),
    "accesos": ("1001", "/accesos", {}, None),
    "servicios": ("1013", "/servicios", {}, None),
    "servicios, ninguno": ("1011", "/servicios", {}, None),
    "noticias": ("1013", "/noticias", {}, None),
    "preguntas": ("1006", "/preguntas", {}, None),
    "no existe": ("1005", "/nada", {}, None),
}


@pytest.fixture(scope="module")
def axe():
    """The source of axe-core, fetched once."""
    packed = ROOT / ".pytest_cache" / f"{AXE}.tgz"
    if not packed.exists():
        packed.parent.mkdir(exist_ok=True)
        name = "@".join(AXE.rsplit("-", 1))
        subprocess.run([program("npm"), "pack", name, "--silent"], check=True, cwd=packed.parent)
    with tarfile.open(packed) as archive:
        return archive.extractfile("package/axe.min.js").read().decode()


SETTINGS = {"secret_key": "x" * 40, "jobs": "off"}
STAGE = (  # Gloria can sign in; a user tried too often; Fabián's payments; an address to confirm
    "UPDATE customer SET password = (SELECT password FROM customer WHERE number = 1001)"
    " WHERE number = 1007",
    "INSERT INTO throttle (key, started_at, count) VALUES ('sign-in:9997', '{now}', 99)",
    "INSERT INTO payment (reference, customer, service, purpose, amount, state, created_at)"
    " SELECT 'SEE' || value, 1006, 'dineromail', 'balance', 90000, value, '{now}' FROM"
    """ json_each('["pending", "rejected", "expired", "review"]')""",
    "UPDATE email SET confirmed_at = NULL WHERE customer = 1006")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A demo's address, where all states can be seen."""
    database, port = tmp_path_factory.mktemp("demo") / "demo.db", free_port()
    address = f"http://127.0.0.1:{port}"
    with running("cac.py", "demo", "--port", port, "--database", database, **SETTINGS):
        wait_for(lambda: answers(f"{address}/salud"))
        with closing(sqlite3.connect(database)) as db, db:
            for statement in STAGE:
                db.execute(statement.replace("{now}", cac.now()))
        app = cac.create_app(database=str(database), base_url=address, **SETTINGS)
        with app.app_context():
            email = cac.fetch_one("SELECT * FROM email WHERE customer = 1006")
            diego = cac.fetch_one("SELECT number, link_serial FROM customer WHERE number = 1003")
            LINKS["password"] = cac.password_link(*diego)
            LINKS["confirmation"] = cac.confirmation_link(email.id, email.canonical)
        yield address


class Watched:
    """A page of the browser, with all that it asked for and complained of."""

    def __init__(self, page):
        self.page, self.complaints, self.asked = page, [], []
        page.on("console", lambda said: self.complaints.append(said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self.note)

    def note(self, request):
        """Note a request; with each document begins a new page. For a tab's icon browsers ask."""
        if request.is_navigation_request():
            self.asked = []
        if not request.url.partition("?")[0].endswith(".svg"):
            self.asked.append(request)

    def show(self, state):
        """Go to a state."""
        _, address, typed, button = STATES[state]
        self.page.goto(address.format(**LINKS))
        for field, text in typed.items():
            self.page.locator(f"[id='{field}']").fill(text)
        if button:
            self.page.get_by_role("main").get_by_role("button", name=button, exact=True).click()
        self.page.wait_for_load_state()


@pytest.fixture(scope="module")
def contexts(chromium, demo):
    """contexts("1001"): where that customer is signed in, with the clock of the cast's story."""
    kept = {}

    def context_of(who):
        if who not in kept:
            kept[who] = chromium.new_context(locale="es-AR", base_url=demo)
            if who:
                sign_in(kept[who].new_page(), who)
        return kept[who]
    yield context_of
    for context in kept.values():
        context.close()


@pytest.fixture
def watched(contexts):
    """watched("1001"): a page of that customer's."""
    pages = []

    def page_of(who):
        pages.append(contexts(who).new_page())
        return Watched(pages[-1])
    yield page_of
    for page in pages:
        page.close()


def sign_in(page, who):
    """Fill in Ingrese a su Cuenta."""
    page.goto("/ingresar")
    page.locator("#usuario").fill(who)
    page.locator("#clave").fill(PASSWORD)
    page.get_by_role("button", name="Ingresar", exact=True).click()
    page.wait_for_url("**/")


def faults_of(page) -> list[str]:
    """What axe finds: rule, and where."""
    found = page.evaluate("axe.run({resultTypes: ['violations'],"
                          " rules: {'target-size': {enabled: true}}})")["violations"]
    return [f"{fault['id']}: {node['html'][:150]}" for fault in found for node in fault["nodes"]]


@pytest.mark.parametrize("state", STATES)
def test_nothing_is_wrong_in_either_scheme_on_any_screen(watched, axe, state):
    seen = watched(STATES[state][0])
    seen.show(state)
    seen.page.evaluate(axe)
    wrong = []
    for scheme in ("light", "dark"):
        seen.page.emulate_media(color_scheme=scheme)
        for width, height in SCREENS:
            seen.page.set_viewport_size({"width": width, "height": height})
            if seen.page.evaluate("document.documentElement.scrollWidth") > width:
                wrong.append((scheme, width, "scrolls sideways"))
            if width != 360:
                wrong += [(scheme, width, fault) for fault in faults_of(seen.page)]
            if width in (1280, 390):
                file = ROOT / ".screenshots" / f"{state}, {width}, {scheme}.png"
                seen.page.screenshot(path=file, full_page=True)
    assert wrong == []


@pytest.mark.parametrize("state", STATES)
def test_the_page_is_light_quiet_and_asks_nobody_else(watched, demo, state):
    seen = watched(STATES[state][0])
    seen.show(state)
    assert [request.url for request in seen.asked if not request.url.startswith(demo)] == []
    assert len(seen.asked) <= 3
    assert sum(len(request.response().body()) for request in seen.asked) <= 60 * 1024
    said = [text for text in seen.complaints if not text.startswith("Failed to load resource")]
    assert said == [] and len(seen.complaints) <= 1     # the page itself, where it is an error


@pytest.mark.parametrize("state", ["ingresar", "inicio", "cuenta", "pago", "datos", "accesos"])
def test_the_keyboard_reaches_everything_in_the_order_in_which_it_is_read(watched, state):
    seen = watched(STATES[state][0])
    seen.show(state)
    there = seen.page.evaluate("""() => { window.all = [...document.querySelectorAll(
        'a[href], button, input, select, summary')].filter(e => e.checkVisibility()
        && e.type != 'hidden'); return all.length }""")
    order = []
    for _ in range(there):
        seen.page.keyboard.press("Tab")
        order.append(seen.page.evaluate("all.indexOf(document.activeElement)"))
    assert order == list(range(there))


def test_ana_signs_in_and_pays_with_the_keyboard_alone(chromium, demo):
    context = chromium.new_context(base_url=demo)
    page = context.new_page()
    page.goto("/ingresar")
    press_until(page, "Usuario", "1001")
    press_until(page, "Clave", PASSWORD)
    page.keyboard.press("Enter")
    for heading, link in (("Bienvenido/a, Ana Sosa", "Pagar"),
                          ("PAGO ONLINE", "Pagar $\xa01.250,40 con DineroMail")):
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        press_until(page, link)
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirme su pago")
    press_until(page, "Salir")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_have_text("Salió de su cuenta.")
    context.close()


def press_until(page, name, typed=""):
    """Press Tab until what has this name, a field's label or a text, has the focus; then type."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("(document.activeElement.labels?.[0] ?? document.activeElement)"
                         ".textContent.trim()") == name:
            return page.keyboard.type(typed)
    raise AssertionError(f"Tab does not lead to {name}")


def test_after_a_mistake_the_list_of_mistakes_has_the_focus_and_leads_to_the_field(watched):
    seen = watched(None)
    seen.show("ingresar, vacio")
    assert seen.page.evaluate("document.activeElement.matches('.summary')")
    seen.page.get_by_role("link", name="Escriba su clave").click()
    expect(seen.page.locator("#clave")).to_be_focused()
    assert seen.page.locator("#clave").get_attribute("aria-describedby") == "clave-error"


def test_on_a_phone_the_statement_is_still_a_table(watched):
    seen = watched("1008")
    seen.page.set_viewport_size({"width": 390, "height": 844})
    seen.show("cuenta")
    row = seen.page.get_by_role("table").get_by_role("row").nth(3)  # after the month's name
    expect(row.get_by_role("cell")).to_have_count(7)
    expect(row.get_by_role("link")).to_have_accessible_name(
        "Descargar Factura B 00003-00012112 (PDF)")
    expect(seen.page.get_by_role("columnheader")).to_have_count(7)


@pytest.mark.parametrize("state", ["inicio", "cuenta", "pago", "datos"])
def test_on_a_phone_the_title_and_all_of_the_menu_are_near_the_top(watched, state):
    seen = watched("1008")
    seen.page.set_viewport_size({"width": 390, "height": 844})
    seen.show(state)
    assert seen.page.get_by_role("heading", level=1).bounding_box()["y"] <= 170
    seen.page.get_by_role("link", name="Menú").click()
    for link in seen.page.locator(".menu li a").all():
        box = link.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and 40 <= box["y"] + 4 <= 360


@pytest.mark.parametrize("state", ["inicio", "cuenta", "saldo", "pago", "datos", "accesos"])
def test_with_letters_of_twice_the_size_nothing_scrolls_sideways_on_the_smallest_phone(
        watched, state):
    seen = watched("1008")
    seen.page.set_viewport_size({"width": 320, "height": 568})
    seen.show(state)
    seen.page.evaluate("document.styleSheets[0].insertRule('html { font-size: 200% !important }')")
    assert seen.page.evaluate("document.documentElement.scrollWidth") == 320


def test_no_amount_is_broken_in_two_however_large(watched):
    seen = watched("1008")
    seen.page.set_viewport_size({"width": 320, "height": 568})
    seen.show("pago")
    for amount in ("$\xa099.999.999,99", "$\xa0999.999,99"):
        seen.page.evaluate("""text => { const box = document.querySelector('.amount')
            box.classList.toggle('long', text.length > 12)
            box.firstElementChild.textContent = text }""", amount)
        assert seen.page.evaluate("document.querySelector('.amount data').getClientRects().length"
                                  " + document.documentElement.scrollWidth") == 321


def test_at_the_width_of_a_small_desk_the_detail_has_its_place(watched):
    seen = watched("1008")
    seen.show("cuenta")
    for width in range(960, 1290, 40):
        seen.page.set_viewport_size({"width": width, "height": 800})
        assert seen.page.locator("td.detail").first.bounding_box()["width"] >= 120


def test_a_copied_value_is_told_in_the_button_and_aloud(contexts, watched):
    contexts("1001").grant_permissions(["clipboard-read", "clipboard-write"])
    seen = watched("1001")
    seen.show("pago")
    button = seen.page.get_by_role("button", name="Copiar CBU").first
    width = button.bounding_box()["width"]
    button.click()
    expect(button).to_have_text("Copiado ✓")
    assert button.bounding_box()["width"] == width
    expect(seen.page.get_by_role("status").last).to_have_text("CBU copiado")
    assert seen.page.evaluate("navigator.clipboard.readText()") == "0110999720000123456788"
    seen.page.get_by_role("button", name="Copiar todo").click()
    expect(seen.page.get_by_role("status").last).to_have_text("Todo copiado")
    assert "\nReferencia: 1001\n" in seen.page.evaluate("navigator.clipboard.readText()")


def test_the_signs_are_drawn_although_the_policy_is_strict(watched):
    seen = watched("1001")
    seen.show("inicio")
    box = seen.page.locator(".foot .sign use").first.bounding_box()
    assert box["width"] > 5 and box["height"] > 5


def test_the_chart_has_a_name_and_each_bar_its_value(watched):
    seen = watched("1001")
    seen.show("saldo")
    chart = seen.page.get_by_role("region", name="Saldo al fin de cada uno de los últimos 12 meses")
    expect(chart.locator("dt")).to_have_count(12)
    expect(chart.locator("dd data")).to_have_count(12)
    expect(chart.locator("dd data").last).to_have_text(
        seen.page.locator(".amount data").first.text_content())
    seen.page.emulate_media(media="print")
    expect(chart.locator("dl")).to_be_hidden()


def test_a_password_can_be_looked_at_and_is_sent_as_a_password(watched):
    seen = watched(None)
    seen.show("ingresar")
    seen.page.locator("#clave").fill("caballo")
    seen.page.get_by_role("button", name="Mostrar u ocultar: Clave").click()
    expect(seen.page.locator("#clave")).to_have_attribute("type", "text")
    seen.page.get_by_role("button", name="Ingresar", exact=True).click()
    expect(seen.page.locator("#clave")).to_have_attribute("type", "password")
    expect(seen.page.locator("#clave")).to_have_value("")


def test_without_javascript_another_session_is_closed_and_a_year_downloaded(chromium, demo):
    context, other = (chromium.new_context(java_script_enabled=is_with, base_url=demo)
                      for is_with in (False, True))
    page = context.new_page()
    sign_in(other.new_page(), "1010")
    sign_in(page, "1010")
    page.goto("/accesos")
    page.get_by_role("button", name="Cerrar la sesión de Chrome").click()
    expect(page.get_by_role("status").first).to_have_text("Sesiones cerradas: 1.")
    page.goto("/cuenta")
    with page.expect_download() as download:
        page.get_by_role("link", name="Año 2026 (ZIP)").click()
    assert download.value.suggested_filename == "cuenta-corriente-1010-2026.zip"
    context.close(), other.close()
