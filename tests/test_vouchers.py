"""A voucher's PDF: as it is stored, or a copy with what AFIP wants printed."""

import base64
import io
import json
import logging
from types import SimpleNamespace as Row

import pypdf
import pytest
from conftest import cac, pdf_text, text_of

INVOICE = "/comprobantes/100108.pdf"        # Ana's last, with a CAE and no stored file
STORED = b"%PDF-1.4\nas the accounting program wrote it, to the byte \x00\xff\n%%EOF"
OFFICIAL = "eyJ2ZXIiOjEsImZlY2hhIjoiMjAyMC0xMC0xMyIsImN1aXQiOjMwMDAwMDAwMDA3LCJwdG9WdGEiOjEwLCJ0aXBvQ21wIjoxLCJucm9DbXAiOjk0LCJpbXBvcnRlIjoxMjEwMCwibW9uZWRhIjoiRE9MIiwiY3R6Ijo2NSwidGlwb0RvY1JlYyI6ODAsIm5yb0RvY1JlYyI6MjAwMDAwMDAwMDEsInRpcG9Db2RBdXQiOiJFIiwiY29kQXV0Ijo3MDQxNzA1NDM2NzQ3Nn0="  # noqa: E501 - the example of AFIP's specification


@pytest.fixture
def ana(visit):
    """Ana's browser."""
    return visit("Ana")


@pytest.fixture
def on_file(db, tmp_path):
    """on_file("a.pdf", content): Ana's last invoice is stored under this name."""
    def store(name, content=None):
        db.execute("UPDATE movement SET document = ? WHERE id = 100108", (name,))
        if content is not None:
            (tmp_path / name).write_bytes(content)
    return store


def rectangles(answer) -> int:
    """How many are drawn on the first page: a QR is hundreds of them."""
    return pypdf.PdfReader(io.BytesIO(answer.data)).pages[0].get_contents().get_data().count(b" re")


# Whose it is

def test_a_customer_downloads_an_invoice_of_hers(ana):
    answer = ana.get(INVOICE)
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=Factura-B-00003-00012676.pdf")


def test_the_statement_leads_to_it(ana):
    link = ana.page("/cuenta").find("a", href=INVOICE)
    assert link["aria-label"] == "Descargar Factura B 00003-00012676 (PDF)"


@pytest.mark.parametrize("address", [
    "/comprobantes/100203.pdf",                         # Beto's
    "/comprobantes/4.pdf",                              # nobody's
    "/comprobantes/0.pdf",                              # nor this
    "/comprobantes/-1.pdf",                             # nor this
    "/comprobantes/x.pdf",                              # no number
    "/comprobantes/100108",                             # no PDF
    "/comprobantes/100108.PDF",                         # not ours
    "/comprobantes/9223372036854775808.pdf",            # more than the database holds
    "/comprobantes/99999999999999999999999999.pdf"])    # much more
def test_anything_else_is_not_found(ana, address):
    answer = ana.get(address)
    assert answer.status_code == 404 and "No encontramos esa página" in text_of(answer)


def test_a_stored_file_of_somebody_else_is_not_found_either(visit, on_file):
    on_file("a.pdf", STORED)
    assert visit("Beto").get(INVOICE).status_code == 404


def test_a_voucher_with_neither_file_nor_cae_has_no_link_and_no_pdf(visit):
    browser = visit("Ñandú")
    page = browser.page("/cuenta")
    assert "Factura A 00003-00004781" in " ".join(page.main.text.split())
    assert not page.find("a", href="/comprobantes/101303.pdf")
    assert browser.get("/comprobantes/101303.pdf").status_code == 404


def test_every_link_of_a_statement_leads_to_a_pdf(visit):
    browser = visit("Elena")
    links = [link["href"] for link in browser.page("/cuenta").select(".voucher a")]
    assert len(links) == 4                              # the receipt among them has no CAE
    assert all(browser.get(link).data.startswith(b"%PDF-") for link in links)


# As it is stored

def test_a_stored_file_is_sent_to_the_byte(ana, on_file):
    on_file("Factura B-3-12676.pdf", STORED)
    answer = ana.get(INVOICE)
    assert answer.data == STORED
    assert answer.headers["Content-Disposition"].endswith("filename=Factura-B-00003-00012676.pdf")


def test_a_stored_file_needs_no_cae(visit, db, tmp_path):
    (tmp_path / "t.pdf").write_bytes(STORED)
    db.execute("UPDATE movement SET document = 't.pdf' WHERE id = 101303")
    browser = visit("Ñandú")
    assert browser.page("/cuenta").find("a", href="/comprobantes/101303.pdf")
    assert browser.get("/comprobantes/101303.pdf").data == STORED


@pytest.mark.parametrize(("name", "content"), [
    ("gone.pdf", None),                                 # missing on disk
    ("page.pdf", b"<html>Not found</html>"),            # something else
    ("empty.pdf", b""),                                 # cut short
    (f"{'a' * 64}.pdf", STORED),                        # not what was imported under its SHA-256
    ("", None), (".", None)])                           # no name at all
def test_a_file_that_cannot_be_sent_is_a_plain_page_and_a_line_in_the_log(
        ana, on_file, caplog, name, content):
    on_file(name, content)
    answer = ana.get(INVOICE)
    assert answer.status_code == 404
    assert "No encontramos el archivo de este comprobante" in text_of(answer)
    assert [record.levelno for record in caplog.records
            if f"event=document-missing name={name!r}" in record.message] == [logging.ERROR]


def test_a_name_that_leads_out_of_the_folder_leads_nowhere(ana, on_file, tmp_path):
    secret = tmp_path.parent / f"{tmp_path.name}-secret.pdf"
    secret.write_bytes(STORED)
    for name in (f"../{secret.name}", str(secret)):
        on_file(name)
        assert ana.get(INVOICE).status_code == 404


# A copy

@pytest.mark.parametrize("printed", [
    "NetOne S.R.L.", "Av. Maipú 1500, Vicente López, Buenos Aires",   # who issues it
    "IVA Responsable Inscripto", "CUIT: 30-71234567-1",
    "Ingresos Brutos: 30-71234567-1", "Inicio de actividades: 01/03/1996",
    "B\nCOD. 06", "Factura\nN° 00003-00012676", "Fecha: 09/11/2026",  # what it is
    "Ana Sosa", "Av. Mitre 1250, piso 2, Avellaneda, Buenos Aires",   # who receives it
    "Consumidor Final", "Usuario: 1001", "CUIT: 27-99001001-9",
    "Internet 50 Mbps, noviembre de 2026 $ 625,20", "Total $ 625,20",  # for what, how much, when
    "Vencimiento: 10/12/2026",
    "CAE N° 76457026172996", "Vencimiento del CAE: 19/11/2026",       # by AFIP's leave
    "Copia de consulta. El comprobante original es el que emitió la empresa.", "Página 1 de 1"])
def test_a_copy_has_all_that_is_on_an_invoice(ana, printed):
    assert printed in pdf_text(ana.get(INVOICE)).replace("\xa0", " ")


@pytest.mark.parametrize(("who", "voucher", "title"), [
    ("Dante", 100404, "A\nCOD. 01\nFactura\n"),
    ("Elena", 100505, "A\nCOD. 02\nNota de débito\n"),
    ("Caro", 100304, "B\nCOD. 08\nNota de crédito\n"),
    ("Fabián", 100604, "C\nCOD. 11\nFactura\n")])
def test_letter_code_and_kind_are_the_types(visit, who, voucher, title):
    assert title in pdf_text(visit(who).get(f"/comprobantes/{voucher}.pdf"))


def test_a_credit_note_is_for_a_positive_amount(visit):
    text = pdf_text(visit("Caro").get("/comprobantes/100304.pdf"))
    assert "120,00" in text and "−" not in text and "-\xa0" not in text and "-$" not in text


def test_a_voucher_of_2010_has_the_number_of_2010(visit):
    assert "N° 0003-00000523" in pdf_text(visit("Beto").get("/comprobantes/100201.pdf"))


def test_names_and_details_are_printed_as_they_are(visit):
    text = pdf_text(visit("Ñandú").get("/comprobantes/101301.pdf"))
    assert 'Ñandú "D\'Ángelo" <b>& Cía.' in text
    assert 'Calle "9 de Julio" <1234> & 5ª, Neuquén, Neuquén' in text


def test_what_the_font_lacks_is_printed_with_the_nearest_letter(visit, db):
    db.execute("UPDATE customer SET name = 'Łukasz Dvořák 😀' WHERE number = 1001")
    text = pdf_text(visit("Ana").get(INVOICE))
    assert "Lukasz Dvorák" in text and "?" not in text


def test_a_customer_without_cuit_gets_a_copy(visit, db):
    db.execute("UPDATE customer SET cuit = NULL WHERE number = 1001")
    answer = visit("Ana").get(INVOICE)
    assert answer.status_code == 200 and "27-99001001-9" not in pdf_text(answer)


def test_a_receipt_of_the_portal_has_a_pdf_without_cae(visit, db):
    db.execute("INSERT INTO movement (id, customer, date, type, point_of_sale, number, detail,"
               " amount, origin) VALUES (9, 1001, '2026-11-20', 900, 0, 17, 'Pago', -125040,"
               " 'portal')")
    text = pdf_text(visit("Ana").get("/comprobantes/9.pdf"))
    assert "Recibo de pago en línea\nN° 00000-00000017" in text and "1.250,40" in text
    assert "Emitido por el Centro de Atención al Cliente." in text and "CAE" not in text
    assert "Documento no válido como factura." in text and "Copia" not in text


# AFIP's QR

@pytest.mark.parametrize(("issued", "has_qr"), [
    ("2010-04-14", False),                              # when there was none
    ("2021-02-28", False),                              # the last day without
    ("2021-03-01", True),                               # the first day with
    ("2026-11-09", True)])                              # today's
def test_a_qr_is_printed_since_march_2021_and_never_before(ana, db, issued, has_qr):
    db.execute("UPDATE movement SET date = ? WHERE id = 100108", (issued,))
    assert (rectangles(ana.get(INVOICE)) > 300) is has_qr


def test_what_is_drawn_is_the_address_of_this_voucher(ana, monkeypatch):
    drawn = []
    monkeypatch.setattr(cac, "draw_qr", lambda pdf, address, *place: drawn.append(address))
    assert ana.get(INVOICE).status_code == 200
    [address] = drawn
    assert json.loads(base64.b64decode(address.partition("?p=")[2])) == {
        "ver": 1, "fecha": "2026-11-09", "cuit": 30712345671, "ptoVta": 3, "tipoCmp": 6,
        "nroCmp": 12676, "importe": 625.2, "moneda": "PES", "ctz": 1, "tipoDocRec": 80,
        "nroDocRec": 27990010019, "tipoCodAut": "E", "codAut": 76457026172996}


def address_in_the_qr(app, customer, **changes) -> str:
    """Of a voucher like AFIP's example, issued by its company."""
    voucher = {"date": "2020-10-13", "point_of_sale": 10, "type": 1, "number": 94,
               "amount": 1210000, "cae": "70417054367476"} | changes
    with app.app_context():
        cac.get_db().execute("UPDATE setting SET value = '30000000007' WHERE name = 'company_cuit'")
        return cac.qr_address(Row(cuit=customer), Row(**voucher))


def test_afips_own_example_in_pesos_is_met_byte_for_byte(app):
    example = base64.b64decode(OFFICIAL).replace(b'"DOL","ctz":65', b'"PES","ctz":1')
    assert address_in_the_qr(app, "20000000001") == (
        f"https://www.afip.gob.ar/fe/qr/?p={base64.b64encode(example).decode()}")


@pytest.mark.parametrize(("customer", "changes", "expected"), [
    (None, {}, {"importe": 12100}),                     # no document of the receiver: left out
    ("20000000001", {"amount": -62520}, {"importe": 625.2, "nroDocRec": 20000000001}),
    ("20000000001", {"amount": 1}, {"importe": 0.01}),  # a centavo
    ("20000000001", {"amount": 99999999999999}, {"importe": 999999999999.99})])  # the most
def test_amounts_and_receivers_are_numbers(app, customer, changes, expected):
    address = address_in_the_qr(app, customer, **changes)
    found = json.loads(base64.b64decode(address.partition("?p=")[2]))
    assert {name: found[name] for name in expected} == expected
    assert ("nroDocRec" in found) is ("tipoDocRec" in found) is bool(customer)


# How many

def test_a_customer_downloads_so_many_documents_an_hour(ana, visit, monkeypatch, wait):
    monkeypatch.setitem(cac.LIMITS, "download", (3, 3600))
    told = [ana.get(path).status_code for path in ("/cuenta.csv", "/cuenta.pdf", INVOICE, INVOICE)]
    assert told == [200, 200, 200, 429]
    answer = ana.get("/cuenta/2026.zip")
    assert 3500 < int(answer.headers["Retry-After"]) <= 3600
    assert "Descargó demasiados archivos" in text_of(answer)
    assert visit("Beto").get("/cuenta.pdf").status_code == ana.get("/cuenta").status_code == 200
    wait(minutes=61)
    assert visit("Ana").get(INVOICE).status_code == 200


def test_two_documents_are_made_at_once_and_the_next_one_waits_for_its_turn(
        ana, db, monkeypatch):
    monkeypatch.setattr(cac, "MAKING_SECONDS", 0.01)
    with cac.MAKING:
        assert ana.get(INVOICE).status_code == 200
        with cac.MAKING:
            answer = ana.get("/cuenta.pdf")
    assert answer.status_code == 503 and "El sitio está ocupado" in text_of(answer)
    assert ana.get("/cuenta.pdf").status_code == 200
    [row] = db.execute("SELECT count(*) AS n FROM event WHERE kind = 'download'"
                       " AND new LIKE '%.pdf' AND new NOT LIKE 'Factura%'").fetchall()
    assert row.n == 1       # what was not made is not told


def test_a_locked_database_stops_no_download(ana, db):
    ana.get("/cuenta")
    db.execute("BEGIN IMMEDIATE")
    assert ana.get(INVOICE).status_code == 200
    db.execute("ROLLBACK")


def test_a_document_that_fails_leaves_its_turn_to_others(ana, monkeypatch):
    monkeypatch.setattr(cac, "qr_address", lambda *_: {}["x"])
    assert [ana.get(INVOICE).status_code for _ in range(3)] == [500] * 3
    assert ana.get("/cuenta.pdf").status_code == 200
