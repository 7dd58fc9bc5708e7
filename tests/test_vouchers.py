"""A voucher's PDF: as it is stored, or a copy with what AFIP wants printed."""

import base64
import io
import json
import logging
from types import SimpleNamespace as Row

import pypdf
import pytest
import segno
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


def images(answer) -> int:
    """How many are on the first page."""
    return len(pypdf.PdfReader(io.BytesIO(answer.data)).pages[0].images)


# Whose it is

@pytest.mark.parametrize("address", [
    "/comprobantes/100203.pdf",                         # Beto's
    "/comprobantes/4.pdf",                              # nobody's
    "/comprobantes/-1.pdf", "/comprobantes/x.pdf", "/comprobantes/100108",
    "/comprobantes/9223372036854775808.pdf"])           # more than the database holds
def test_anything_else_is_not_found(ana, address):
    answer = ana.get(address)
    assert answer.status_code == 404 and "No encontramos esa página" in text_of(answer)


def test_a_voucher_with_neither_file_nor_cae_has_no_link_and_no_pdf(visit):
    browser = visit("Ñandú")
    page = browser.page("/cuenta")
    assert "Factura A 00003-00004781" in " ".join(page.main.text.split())
    assert not page.find("a", href="/comprobantes/101303.pdf")
    assert browser.get("/comprobantes/101303.pdf").status_code == 404


# As it is stored

def test_a_stored_file_is_sent_to_the_byte_to_whose_it_is(ana, visit, on_file):
    on_file("Factura B-3-12676.pdf", STORED)
    assert visit("Beto").get(INVOICE).status_code == 404
    answer = ana.get(INVOICE)
    assert (answer.data, answer.mimetype) == (STORED, "application/pdf")
    assert answer.headers["Content-Disposition"].endswith("filename=Factura-B-00003-00012676.pdf")


@pytest.mark.parametrize(("name", "content"), [
    ("gone.pdf", None),                                 # missing on disk
    ("page.pdf", b"<html>Not found</html>"),            # something else
    (f"{'a' * 64}.pdf", STORED),                        # not what was imported under its SHA-256
    ("", None), (".", None)])                           # no name at all
def test_a_file_that_cannot_be_sent_is_a_plain_page_and_a_line_in_the_log(
        ana, on_file, caplog, name, content):
    on_file(name, content)
    answer = ana.get(INVOICE)
    assert answer.status_code == 404
    assert "No encontramos el archivo de este comprobante" in text_of(answer)
    assert "Descarga" not in text_of(ana.get("/accesos"))
    assert [record.levelno for record in caplog.records
            if f"event=document-missing name={name!r}" in record.message] == [logging.ERROR]


def test_a_name_that_leads_out_of_the_folder_leads_nowhere(ana, on_file, tmp_path):
    secret = tmp_path.parent / f"{tmp_path.name}-secret.pdf"
    secret.write_bytes(STORED)
    for name in (f"../{secret.name}", str(secret)):
        on_file(name)
        assert ana.get(INVOICE).status_code == 404


# A copy

PRINTED = (
    "NetOne S.R.L.", "Av. Maipú 1500, Vicente López, Buenos Aires",   # who issues it
    "IVA Responsable Inscripto", "CUIT: 30-71234567-1",
    "Ingresos Brutos: 30-71234567-1", "Inicio de actividades: 01/03/1996",
    "B\nCOD. 06", "Factura\nN° 00003-00012676", "Fecha: 09/11/2026",  # what it is
    "Ana Sosa", "Av. Mitre 1250, piso 2, Avellaneda, Buenos Aires",   # who receives it
    "Consumidor Final", "Usuario: 1001", "CUIT: 27-99001001-9",
    "Internet 50 Mbps, noviembre de 2026 $ 625,20", "Total $ 625,20",  # for what, how much, when
    "Vencimiento: 10/12/2026",
    "CAE N° 76457026172996", "Vencimiento del CAE: 19/11/2026",       # by AFIP's leave
    "Copia de consulta. El comprobante original es el que emitió la empresa.", "Página 1 de 1")


def test_a_copy_has_all_that_is_on_an_invoice(ana):
    text = pdf_text(ana.get(INVOICE)).replace("\xa0", " ")
    assert [words for words in PRINTED if words not in text] == []


@pytest.mark.parametrize(("who", "voucher", "title"), [
    ("Dante", 100404, "A\nCOD. 01\nFactura\n"),
    ("Elena", 100505, "A\nCOD. 02\nNota de débito\n"),
    ("Caro", 100304, "B\nCOD. 08\nNota de crédito\n"),
    ("Fabián", 100604, "C\nCOD. 11\nFactura\n")])
def test_letter_code_and_kind_are_the_types(visit, who, voucher, title):
    assert title in pdf_text(visit(who).get(f"/comprobantes/{voucher}.pdf"))


def test_a_credit_note_is_for_a_positive_amount_and_needs_no_cuit(visit, db):
    db.execute("UPDATE customer SET cuit = NULL WHERE number = 1003")
    text = pdf_text(visit("Caro").get("/comprobantes/100304.pdf"))
    assert "120,00" in text and "−" not in text and "-\xa0" not in text and "-$" not in text
    assert text.count("CUIT") == 1


def test_a_voucher_of_2010_has_the_number_of_2010(visit):
    assert "N° 0003-00000523" in pdf_text(visit("Beto").get("/comprobantes/100201.pdf"))


def test_a_receipt_of_the_portal_has_a_pdf_without_cae(visit, db):
    db.execute("INSERT INTO movement (id, customer, date, type, point_of_sale, number, detail,"
               " amount, origin) VALUES (9, 1001, '2026-11-20', 900, 0, 17, 'Pago', -125040,"
               " 'portal')")
    text = pdf_text(visit("Ana").get("/comprobantes/9.pdf"))
    assert "Recibo de pago en línea\nN° 00000-00000017" in text and "1.250,40" in text
    assert "Emitido por el Centro de Atención al Cliente." in text and "CAE" not in text
    assert "Documento no válido como factura." in text and "Copia" not in text


# AFIP's QR

@pytest.mark.parametrize(("issued", "has_qr"), [("2021-02-28", False), ("2021-03-01", True)])
def test_a_qr_is_printed_since_march_2021_and_never_before(ana, db, monkeypatch, issued, has_qr):
    db.execute("UPDATE movement SET date = ? WHERE id = 100108", (issued,))
    drawn, make = [], segno.make
    monkeypatch.setattr(segno, "make", lambda text, **how: drawn.append(text) or make(text, **how))
    assert images(ana.get(INVOICE)) == len(drawn) == has_qr
    for address in drawn:
        assert json.loads(base64.b64decode(address.partition("?p=")[2])) == {
            "ver": 1, "fecha": issued, "cuit": 30712345671, "ptoVta": 3, "tipoCmp": 6,
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


def test_a_locked_database_stops_no_download(ana, db):
    ana.get("/cuenta")
    db.execute("BEGIN IMMEDIATE")
    assert ana.get(INVOICE).status_code == 200
    db.execute("ROLLBACK")


def test_a_crowd_that_downloads_leaves_threads_for_pages(visit):
    ana = visit("Ana")
    for _ in range(8):
        cac.ASKED.acquire()
    answers = [ana.get(address).status_code for address in ("/cuenta.pdf", "/cuenta")]
    cac.ASKED.release(8)
    assert answers == [503, 200] and ana.get("/cuenta.pdf").status_code == 200
