"""Transfers that customers report: what they may send, what the operator does, what closes them."""

import io
from datetime import date, timedelta

import cac
import pytest
from bs4 import BeautifulSoup
from conftest import (
    OWED, PASSWORD, answers, everything, free_port, mail_text, running, text_of, wait_for,
)
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

PNG, JPEG, PDF = b"\x89PNG\r\n\x1a\n....", b"\xff\xd8\xff\xe0....", b"%PDF-1.4\n...."
WAITS = "la estamos verificando"


def day(ago=0):
    """A date, so many days ago in Argentina."""
    return (date.fromisoformat(cac.today()) - timedelta(ago)).isoformat()


def words(answer):
    """What is read, with plain spaces."""
    return text_of(answer).replace("\N{NO-BREAK SPACE}", " ")


def send(browser, address, fields, files):
    """POST a form with files: {field: (content, name)}. No temporary file is made for it."""
    token = browser.page(address).find(attrs={"name": "csrf_token"})["value"]
    parts = {name: FileStorage(io.BytesIO(content), named, name)
             for name, (content, named) in files.items()}
    boundary, body = encode_multipart({**fields, **parts, "csrf_token": token})
    kind = f"multipart/form-data; boundary={boundary}"
    return browser.post(address, data=body, content_type=kind)


@pytest.fixture
def report(visit, db):
    """report("Ana", importe="10,00"): the answer to what she reports."""
    account = str(db.execute("SELECT id FROM bank_account").fetchone().id)

    def sent(who="Ana", name=None, content=b"", **fields):
        typed = {"fecha": day(), "importe": "1.250,40", "cuenta": account, "nota": ""} | fields
        files = {"archivo": (content, name)} if name is not None else {}
        return send(visit(who), "/pago/informar", typed, files)
    return sent


@pytest.fixture
def transfers(db):
    """transfers(): all of them."""
    return lambda: db.execute("SELECT * FROM transfer ORDER BY id").fetchall()


@pytest.fixture
def receive(run, tmp_path):
    """receive(line of a file): import it as the accounting program's."""
    def received(*lines):
        file = tmp_path / "movimientos.csv"
        head = "usuario;fecha;tipo;punto_venta;numero;detalle;importe"
        file.write_text("\n".join((head, *lines)), encoding="utf-8")
        result = run("import", "movements", file, "--partial")
        assert result.exit_code == 0, result.output
        return result
    return received


def receipt(amount="-1250,40", ago=0, number=70, kind=9, who=1001):
    """A line of an import."""
    return f"{who};{day(ago)};{kind};1;{number};Transferencia;{amount}"


# --- Reporting ------------------------------------------------------------------------------------

def test_a_transfer_is_shown_as_being_verified_and_moves_no_balance(report, visit, books):
    assert (report().status_code, report("Beto", importe="10").location) == (303, "/pago")
    for page in ("/", "/pago"):
        assert f"Informó $ 1.250,40 el {cac.day(day())}: {WAITS}" in words(visit("Ana").get(page))
    assert books.of("Ana") == OWED
    assert WAITS not in words(visit("Inés").get("/pago"))


@pytest.mark.parametrize("typed", [day(1), cac.day(day(1))])
def test_the_date_may_come_as_browsers_send_it_or_as_people_write_it(report, transfers, typed):
    assert report(fecha=typed).status_code == 303
    assert transfers()[0].date == day(1)


@pytest.mark.parametrize(("name", "content", "ending"), [
    ("a.pdf", PDF, ".pdf"), ("A.JPG", JPEG, ".jpg"), ("a.jpeg", JPEG, ".jpg"),
    ("captura", PNG, ".png"), ("por whatsapp.jpg", PNG, ".png"), ("../../x.png", PNG, ".png"),
    ("grande.png", PNG.ljust(5 * 2**20, b"."), ".png")])
def test_the_proof_is_kept_under_its_content_for_the_operator_alone(
        report, transfers, tmp_path, visit, name, content, ending):
    assert report(name=name, content=content).status_code == 303
    file = tmp_path / (cac.sha256(content) + ending)
    assert (transfers()[0].document, file.read_bytes()) == (file.name, content)
    assert file.stat().st_mode & 0o077 == 0
    assert visit("Ana").get(f"/comprobantes/{file.name}").status_code == 404


BAD = {
    "tomorrow": ("fecha", {"fecha": day(-1)}, "hasta hoy"),
    "two years ago": ("fecha", {"fecha": day(730)}, "de los últimos 12 meses"),
    "no day": ("fecha", {"fecha": "2026-02-30"}, "Escriba la fecha, por ejemplo"),
    "no date": ("fecha", {"fecha": ""}, "Escriba la fecha, por ejemplo"),
    "nothing": ("importe", {"importe": "0"}, "Escriba un importe de"),
    "too much": ("importe", {"importe": "9" * 14}, "Escriba un importe de"),
    "no amount": ("importe", {"importe": ""}, "Escriba el importe"),
    "ambiguous": ("importe", {"importe": "1.234"}, "Escriba el importe con centavos"),
    "another account": ("cuenta", {"cuenta": "999"}, "Elija una de nuestras cuentas"),
    "long": ("nota", {"nota": "x" * 201}, "Escriba 200 caracteres o menos"),
    "no picture": ("archivo", {"name": "a.png", "content": b"MZ"}, "Elija un archivo PDF"),
    "empty": ("archivo", {"name": "a.png", "content": b""}, "Elija un archivo PDF"),
    "6 MB": ("archivo", {"name": "a.png", "content": PNG.ljust(6 * 2**20)}, "de 5 MB o menos"),
}


@pytest.mark.parametrize(("field", "wrong", "advice"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_is_asked_again_and_nothing_is_lost(
        report, db, tmp_path, field, wrong, advice):
    before, files = report("Beto"), set(tmp_path.iterdir())
    before = everything(db)
    answer = report(**{"nota": "Desde el banco de mi hermana"} | wrong)
    page = BeautifulSoup(answer.data, "html.parser")
    assert (answer.status_code, page.find(id=field)["aria-invalid"]) == (422, "true")
    assert advice in page.find(id=f"{field}-error").get_text().replace("\xa0", " ")
    kept = {"fecha": day(), "importe": "1.250,40", "nota": "Desde el banco de mi hermana"} | wrong
    assert all(page.find(id=name)["value"] == kept[name] for name in ("fecha", "importe", "nota"))
    assert [line for line in everything(db) if line not in before and "event" not in line
            and '"session"' not in line] == []
    assert set(tmp_path.iterdir()) == files


def test_other_forms_take_no_file_and_this_one_no_other(visit, report, db):
    ana = visit("Ana")
    for address, name in (("/datos", "archivo"), ("/pago", "archivo"), ("/pago/informar", "otro")):
        assert send(ana, address, {}, {name: (PNG, "a.png")}).status_code == 400
    assert ana.send("/datos", nota="x" * 2**21).status_code == 413
    assert db.execute("SELECT count(*) AS n FROM transfer").fetchone().n == 0


def test_what_is_far_too_long_is_refused_whole_and_from_strangers_sooner(report, browser):
    assert report(name="a.png", content=PNG.ljust(13 * 2**20)).status_code == 413
    assert browser.post("/pago/informar", data={"nota": "x" * 2**21}).status_code == 413


def test_a_second_click_reports_nothing_twice(report, transfers, mails):
    assert {report().status_code for _ in range(2)} == {303}
    assert (len(transfers()), len(mails())) == (1, 1)


def test_ten_an_hour_are_enough(report, transfers):
    refused = [report(importe=f"{pesos},00").status_code for pesos in range(1, 12)]
    assert refused == [303] * 10 + [429]
    assert len(transfers()) == 10


# --- The operator ---------------------------------------------------------------------------------

def test_the_administration_gets_a_mail_with_what_to_do(report, mails):
    report(nota="Desde otra cuenta", name="a.pdf", content=PDF)
    [mail] = mails()
    assert mail["To"] == "administracion@netone.com.ar"
    told = mail_text(mail).replace("\xa0", " ")
    for word in ("Ana", "1001", "$ 1.250,40", "Desde otra cuenta", cac.sha256(PDF),
                 "transfer 1 accept"):
        assert word in told


def test_the_operator_lists_what_waits(report, run):
    report(nota="=CMD\x1b[2J")
    output = run("list", "transfers").output
    assert "1.250,40" in output and "told" in output and "1001" in output
    assert "\x1b" not in output


@pytest.mark.parametrize(("answer", "reason", "subject", "shown"), [
    ("accept", "", "Recibimos su transferencia de $ 1.250,40", "Recibimos $ 1.250,40"),
    ("reject", "No figura.", "No encontramos su transferencia de $ 1.250,40", "No figura.")])
def test_the_customer_hears_of_the_answer_and_the_ledger_stays(
        report, run, mails, visit, books, answer, reason, subject, shown):
    report()
    assert run("transfer", 1, answer, "--reason", reason).exit_code == 0
    mail = mails()[-1]
    assert (mail["Subject"].replace("\xa0", " "), reason in mail_text(mail)) == (subject, True)
    page = words(visit("Ana").get("/pago"))
    assert shown in page and WAITS not in page
    assert books.of("Ana") == OWED


def test_a_transfer_is_answered_once(report, run, transfers):
    report()
    results = [run("transfer", line, "accept").exit_code for line in (2, 1, 1)]
    assert (results, run("transfer", 1, "later").exit_code) == ([1, 0, 1], 2)
    assert transfers()[0].state == "accepted"


def test_check_says_so_if_nobody_answers(report, run, db):
    report()
    assert "no transfer waits for two days" in run("check").output
    db.execute("UPDATE transfer SET told_at = ?", (cac.now(-3 * 86400),))
    assert "WARN  transfers that wait for a person for two days: 1" in run("check").output


def test_a_backup_holds_the_proofs(report, run, tmp_path):
    report(name="a.pdf", content=PDF)
    result = run("backup", tmp_path / "copies")
    assert result.exit_code == 0
    assert (tmp_path / "copies" / "documents" / f"{cac.sha256(PDF)}.pdf").read_bytes() == PDF


# --- Imports --------------------------------------------------------------------------------------

@pytest.mark.parametrize(("line", "is_closed"), [
    (receipt(), True), (receipt(ago=10), True), (receipt(ago=11), False),
    (receipt(amount="-1250,41"), False), (receipt(amount="1250,40"), False),
    (receipt(kind=8), False), (receipt(who=1002), False)])
def test_a_receipt_of_the_same_amount_closes_it(report, receive, transfers, mails, line, is_closed):
    report()
    receive(line)
    assert transfers()[0].state == ("accepted" if is_closed else "told")
    assert len(mails()) == 1 + is_closed


def test_a_receipt_closes_one_transfer_the_oldest(report, receive, transfers):
    report(fecha=day(1), nota="la segunda")
    report(fecha=day(3), nota="la primera")
    receive(receipt())
    assert [row.state for row in transfers()] == ["told", "accepted"]


def test_undoing_the_import_opens_it_again(report, receive, transfers, run):
    report()
    receive(receipt())
    number = int(run("list", "imports").output.splitlines()[2].split()[0])
    assert run("undo", number).exit_code == 0
    assert (transfers()[0].state, transfers()[0].movement) == ("told", None)


# --- In a browser ---------------------------------------------------------------------------------

@pytest.fixture
def demo(tmp_path):
    """The demo, and its database."""
    port, database = free_port(), tmp_path / "demo.db"
    with running("cac.py", "demo", "--port", port, "--database", database):
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/salud"), seconds=60)
        yield f"http://127.0.0.1:{port}", database


@pytest.mark.browser
def test_from_a_phone_to_the_operator_and_back(chromium, demo, tmp_path):
    address, database = demo
    context = chromium.new_context(base_url=address, viewport={"width": 390, "height": 844})
    page, photo = context.new_page(), tmp_path / "captura.png"
    page.goto("/")
    page.screenshot(path=photo)
    page.get_by_label("Usuario").fill("1001")
    page.get_by_label("Clave", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Ingresar").click()
    page.goto("/pago")
    page.get_by_role("link", name="Informar una transferencia").click()
    page.get_by_label("Fecha de la transferencia").fill(day())
    page.get_by_label("Importe").fill("1.250,40")
    page.get_by_label("Comprobante").set_input_files(photo)
    page.get_by_role("button", name="Informar la transferencia").click()
    assert page.url == f"{address}/pago" and WAITS in page.inner_text("main")
    command = cac.create_app(database=str(database), jobs="off").test_cli_runner()
    assert command.invoke(args=["transfer", "1", "accept"]).exit_code == 0
    page.goto("/")
    assert "Recibimos $" in page.inner_text("main")
    mail = "Recibimos su transferencia de"
    wait_for(lambda: page.goto("/demo/correo") and mail in page.inner_text("main"))
    context.close()
