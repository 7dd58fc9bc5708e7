"""Files as programs and people leave them: workbooks, printed reports, odd types, contacts.

Each is a table of a few cells, and what has to arrive of it; the plain dialects of CSV are the
matter of test_import_files.py.
"""

import csv
import io
import zipfile
from datetime import date, datetime

import openpyxl
import pytest
import xlwt
from odf import opendocument, table, text


from conftest import everything
from test_import_files import file_of, load, newcomer, refused

__all__ = ["load", "newcomer"]   # fixtures

HEAD = ["usuario", "fecha", "tipo", "numero", "importe"]
DAY = date(2026, 11, 5)


# --- Writing workbooks ----------------------------------------------------------------------------

def xlsx(*rows, name="Hoja1", hidden=False, merged=()):
    """Rows as the sheet `name` of a workbook of Excel, the first unless it is hidden."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = name
    for row in rows:
        sheet.append(row)
    for cell in (cell for row in sheet for cell in row if cell.data_type == "f"):
        cell.data_type = "s" if "@" in cell.value else "f"  # a text that begins like a formula
    for cells in merged:
        sheet.merge_cells(cells)
    if hidden:
        sheet.sheet_state = "hidden"
        book.active = book.create_sheet("Otra")
        for row in ([*HEAD], [123, DAY, 6, 99, 1]):
            book["Otra"].append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def xls(*rows):
    """The same, as Excel did until 2003."""
    book = xlwt.Workbook()
    sheet, file = book.add_sheet("Hoja1"), io.BytesIO()
    for line, row in enumerate(rows):
        for place, cell in enumerate(row):
            style = xlwt.easyxf(num_format_str="DD/MM/YYYY") if isinstance(cell, date) else None
            sheet.write(line, place, cell, *[style] * bool(style))
    book.save(file)
    return file.getvalue()


def ods(*rows):
    """The same, as LibreOffice does."""
    book, file = opendocument.OpenDocumentSpreadsheet(), io.BytesIO()
    sheet = table.Table(name="Hoja1")
    for row in rows:
        line = table.TableRow()
        for cell in row:
            kind = ({"valuetype": "date", "datevalue": cell.isoformat()} if isinstance(cell, date)
                    else {"valuetype": "float", "value": cell} if isinstance(cell, int | float)
                    else {"valuetype": "string"})
            made = table.TableCell(**kind)
            made.addElement(text.P(text=str(cell)))
            line.addElement(made)
        sheet.addElement(line)
    book.spreadsheet.addElement(sheet)
    book.write(file)
    return file.getvalue()


def semicolons(*rows, encoding="utf-8"):
    """Rows as a CSV file."""
    file = io.StringIO()
    csv.writer(file, delimiter=";").writerows(rows)
    return file.getvalue().encode(encoding)


def of(*cells, head=HEAD):
    """A CSV file of one movement of customer 123, with these cells after the number."""
    return semicolons(head, ["123", *cells])


def one(**cells):
    """A CSV file of one movement of customer 123: any columns, the usual ones unless told."""
    row = {"usuario": "123", "fecha": "05/11/2026", "tipo": "6", "numero": "0003-00000001",
           "importe": "100,00"} | cells
    return semicolons(list(row), list(row.values()))


def zipped(content, name):
    """A file in a ZIP."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


ONE = (6, 0, 1, 12345, "2026-11-05")     # type, point of sale, number, centavos, day
TYPED = [HEAD, [123, DAY, 6, 1, 123.45]]
A_DAY = "2026-11-05"
LINE = ["123", "05/11/2026", "6", "0003-00000001", "100,00"]
STATEMENT = ["Cód. Cliente", "Fecha", "T. Comp.", "Nro. Comprobante", "Debe", "Haber", "Saldo"]


def an(amount, voucher_type=6, point_of_sale=3, number=1, day=A_DAY):
    """The one movement that has to arrive."""
    return [(voucher_type, point_of_sale, number, amount, day)]


FILES = {   # what it is: (the file, options), what has to arrive of customer 123
    # workbooks
    "xlsx": (xlsx(*TYPED), [ONE]),
    "xls": (xls(*TYPED), [ONE]),
    "ods": (ods(*TYPED), [ONE]),
    "xlsx in a ZIP": (zipped(xlsx(*TYPED), "movimientos.xlsx"), [ONE]),
    "a date with time": (xlsx(HEAD, [123, datetime(2026, 11, 5, 18, 30), 6, 1, 123.45]), [ONE]),  # noqa: DTZ001 - a cell has no zone
    "numbers as text": (xlsx(HEAD, ["123", "05/11/2026", "6", "1", "123,45"]), [ONE]),
    "numbers and texts, one below the other": (
        xlsx(HEAD, [123, DAY, 6, 1, "1.123,45"], [123, DAY, 6, 2, 1123.45]),
        [(6, 0, 1, 112345, A_DAY), (6, 0, 2, 112345, A_DAY)]),
    "a number is not read by the mark of the texts": (
        xlsx(HEAD, [123, DAY, 6, 1, "123,45"], [123, DAY, 6, 2, 1234.5]),
        [ONE, (6, 0, 2, 123450, A_DAY)]),
    "a float that is not exact": (xlsx(HEAD, [123, DAY, 6, 1, 0.1 + 0.2]), [(6, 0, 1, 30, A_DAY)]),
    "half a centavo": (xlsx(HEAD, [123, DAY, 6, 1, 1.005]), [(6, 0, 1, 101, A_DAY)]),
    "a negative number": (xlsx(HEAD, [123, DAY, 6, 1, -123.45]), [(6, 0, 1, -12345, A_DAY)]),
    "a CAE as a number": (xlsx([*HEAD, "cae"], [123, DAY, 6, 1, 123.45, 76366000000001]), [ONE]),
    "titles above, a total below": (
        xlsx(["NetOne S.R.L."], [], ["Movimientos", None, DAY], HEAD, TYPED[1],
             [None, None, None, "Total", 123.45]), [ONE]),
    "empty columns before": (xlsx([None, None, *HEAD], [None, None, *TYPED[1]]), [ONE]),
    "empty lines within": (xlsx(HEAD, [], [None], TYPED[1], []), [ONE]),
    "a hidden sheet first": (xlsx(*TYPED, hidden=True), [(6, 0, 99, 100, A_DAY)]),
    "a hidden sheet that is asked for": (
        (xlsx(*TYPED, hidden=True, name="Mov"), "--sheet", "Mov"), [ONE]),
    "a customer merged over two lines": (
        xlsx(HEAD, TYPED[1], [None, DAY, 6, 2, 1], merged=["A2:A3"]), [ONE, (6, 0, 2, 100, A_DAY)]),
    "a title merged over the columns": (
        xlsx(["Movimientos"], HEAD, TYPED[1], merged=["A1:E1"]), [ONE]),
    "a header merged over two lines": (
        xlsx(HEAD, [None] * 5, TYPED[1], merged=["A1:A2", "B1:B2", "D1:D2"]), [ONE]),
    "a column of #N/A": (xlsx([*HEAD, "vendedor", "vencimiento"],
                              [*TYPED[1], "#N/A", "#N/A"]), [ONE]),
    "a formula that was never computed is no amount": (
        xlsx(HEAD, [123, DAY, 6, 1, "=2*3"]), "importe is missing"),
    "Excel's day without its format": (xlsx(HEAD, [123, 46331, 6, 1, 1]), "«46331»: no date"),
    "the header of another sheet": (xlsx(["a", "b"], [1, 2]), "it has no column usuario"),
    "a sheet that is not there": ((xlsx(*TYPED), "--sheet", "Nada"), "no sheet Nada: it has Hoja1"),
    "an empty sheet": (xlsx(), "its sheet Hoja1 is empty"),
    "HTML that calls itself .xls": (b"<html><table><tr><td>usuario</td></tr></table>", "web page"),
    "XML that calls itself .xls": (b"<?xml version='1.0'?><Workbook/>", "XML"),
    "a locked workbook": (xls(*TYPED)[:900], "damaged or locked"),
    "a truth for an amount": (xlsx(HEAD, [123, DAY, 6, 1, True]), "importe"),
    "a day for an amount": (xlsx(HEAD, [123, DAY, 6, 1, DAY]), "importe"),
    # amounts
    "accounting format": (one(importe=" $ 1.234,56 "), an(123456)),
    "accounting format, negative": (one(importe="-$ 1.234,56 "), an(-123456)),
    "accounting format, in brackets": (one(importe="$ (1.234,56)"), an(-123456)),
    "accounting format, zero": (one(debe=" $ -   ", haber="$ 10,00", importe=""), an(-1000)),
    "a dash is zero": (one(debe="-", haber="10,00", importe=""), an(-1000)),
    "four decimals": (one(importe="1234.5600"), an(123456)),
    "four decimals, no pesos": (one(debe="1234.5600", haber=".0000", importe=""), an(123456)),
    "four decimals, with a comma": (one(importe="1234,5600"), an(123456)),
    "four decimals that are not zero": (one(importe="1234,5678"), "importe «1234,5678»"),
    "only centavos": (one(importe=",50"), an(50)),
    "a lone mark": (one(importe=","), "importe «,»"),
    # days
    "05-nov-26": (one(fecha="05-nov-26"), an(10000)),
    "5/NOV/2026": (one(fecha="5/NOV/2026"), an(10000)),
    "05-set-26": (one(fecha="05-set-26"), an(10000, day="2026-09-05")),
    "05-noviembre-2026": (one(fecha="05-noviembre-2026"), an(10000)),
    "5 de noviembre de 2026": (one(fecha="5 de noviembre de 2026"), an(10000)),
    "jueves, 5 de noviembre de 2026": (one(fecha="jueves, 5 de noviembre de 2026"), an(10000)),
    "SQL Server's NULL": (one(vencimiento="NULL", debe="100", haber="NULL", importe="NULL"),
                          an(10000)),
    "12:00:00 a.m.": (one(fecha="05/11/2026 12:00:00 a.m."), an(10000)),
    "12:00:00 a. m.": (one(fecha="05/11/2026 12:00:00 a. m."), an(10000)),
    "a month that is none": (one(fecha="05-foo-26"), "fecha «05-foo-26»"),
    # numbers
    "Tango's number has the letter": (one(tipo="FAC", numero="B0000300000001"), an(10000)),
    "a number in two columns": (one(punto_venta="3", numero="1"), an(10000)),
    "the same point of sale twice": (one(punto_venta="3"), an(10000)),
    "two points of sale": (one(punto_venta="4"), "two points of sale"),
    # openings, headings, instalments
    "an opening balance": (
        semicolons([*HEAD, "detalle", "saldo"], ["123", "", "", "", "", "Saldo anterior", "50,00"],
                   ["123", "05/11/2026", "6", "0003-00000001", "100,00", "Abono", "150,00"]),
        [(999, 0, 0, 5000, A_DAY), *an(10000)]),
    "an opening balance of its own day, in the type's column": (
        semicolons(HEAD, ["123", "01/11/2026", "SALDO INICIAL", "", "-50,00"]),
        [(999, 0, 0, -5000, "2026-11-01")]),
    "an opening balance and nothing else": (
        semicolons(HEAD, ["123", "", "Saldo anterior", "", "50,00"],
                   ["1007", "03/11/2026", "6", "0003-00000009", "1,00"]),
        [(999, 0, 0, 5000, "2026-11-03")]),
    "a balance carried over to the next page": (
        semicolons([*HEAD, "saldo"], [*LINE, "100,00"],
                   ["123", "", "Transporte", "", "", "100,00"],
                   ["123", "06/11/2026", "6", "0003-00000002", "1,00", "101,00"]),
        [*an(10000), (6, 3, 2, 100, "2026-11-06")]),
    "a balance carried over wrongly": (
        semicolons([*HEAD, "saldo"], [*LINE, "100,00"],
                   ["123", "", "Transporte", "", "", "99,00"]), "line 3: saldo"),
    "headers again on each page": (
        semicolons(["NetOne S.R.L.", "", "", "", "Página 1"], HEAD,
                   LINE,
                   ["NetOne S.R.L.", "", "", "", "Página 2"], HEAD,
                   ["123", "05/11/2026", "6", "0003-00000002", "100,00"]),
        [*an(10000), *an(10000, number=2)]),
    "headers again on each page of a workbook": (
        xlsx(["NetOne", None, None, None, 1], HEAD, TYPED[1], ["NetOne", None, None, None, 2], HEAD,
             [123, DAY, 6, 2, 1]), [ONE, (6, 0, 2, 100, A_DAY)]),
    "one voucher in two lines for two due dates": (
        semicolons([*HEAD, "vencimiento"],
                   ["123", "05/11/2026", "6", "0003-00000001", "60,00", "10/01/2027"],
                   ["123", "05/11/2026", "6", "0003-00000001", "40,00", "10/12/2026"]), an(10000)),
    "one voucher twice for the same due date": (
        semicolons([*HEAD, "vencimiento"],
                   *[["123", "05/11/2026", "6", "0003-00000001", "60,00", "10/01/2027"]] * 2),
        "line 3: the same"),
    "a total of a customer": (
        semicolons([*HEAD, "detalle"], [*LINE, ""],
                   ["123", "", "", "", "100,00", "Total cliente"]), an(10000)),
    # all at once
    "a printed report": (
        semicolons(["NetOne S.R.L.", "", "", "", "", "", "Hoja 1"],
                   STATEMENT,
                   ["123", "", "Saldo anterior", "", "", "", "$ 10,00"],
                   ["123", "05-nov-26", "FAC B", "3-1", "$ 100,00 ", "$ -   ", "$ 110,00"],
                   ["NetOne S.R.L.", "", "", "", "", "", "Hoja 2"],
                   STATEMENT,
                   ["123", "", "Transporte", "", "", "", "$ 110,00"],
                   ["123", "06-nov-26", "REC", "X0001-00000007", "$ -   ", "$ 110,00", "$ -   "],
                   ["", "", "", "Total general", "$ 100,00", "$ 110,00", ""], encoding="cp1252"),
        [(999, 0, 0, 1000, A_DAY), *an(10000), (902, 1, 7, -11000, "2026-11-06")]),
    "an export of SQL Server": (
        semicolons(["COD_CLIENTE", "FECHA", "TIPO", "NUMERO", "DEBE", "HABER"],
                   ["000123", "2026-11-05 00:00:00.000", "FAC", "B0000300000001", "100.0000",
                    ".0000"]),
        an(10000)),
}
TYPES = {   # as programs call it: AFIP's code
    "FAC A": 1, "FCA": 1, "FC A": 1, 'FACTURA "A"': 1, "FA": 1, "Fact. A": 1, "FACTURAS B": 6,
    "FC E": 19, "FACTURA E": 19, "N/C A": 3, "NC A": 3, "NCA": 3, "N.C. B": 8,
    "NOTAS DE CREDITO B": 8, "Nota de Crédito Electrónica A": 3, "N/D A": 2, "ND B": 7,
    "NOTA DE DEBITO C": 12, "Recibo A": 4, "RECIBO": 902, "REC": 902, "Recibo X": 902,
    "Cobranza": 902, "Pago": 902, "FCE A": 201, "NC FCE B": 208,
    "Factura de Crédito Electrónica MiPyMEs (FCE) A": 201,
    "Nota de Crédito electrónica MiPyMEs (FCE) A": 203, "Tique Factura B": 82, "TIQUE": 83,
    "112 - Tique Nota de Crédito A": 112, "Tique nota de crédito A": 112, "115": 115, "017": 17,
    "Liquidación A": 63, "332 - Certificación electrónica": 332, "999": 999}


def ledger_of_123(db):
    """What arrived."""
    return [tuple(row) for row in db.execute(
        "SELECT type, point_of_sale, number, amount, date FROM movement WHERE customer = 123"
        " ORDER BY date, id")]


@pytest.mark.parametrize("what", FILES)
def test_it_arrives_or_is_refused_in_a_sentence(load, db, what):
    content, expected = FILES[what]
    content, *options = content if isinstance(content, tuple) else (content,)
    before = everything(db)
    answer = load(content, *options, name="movements.xlsx")
    if isinstance(expected, str):
        assert expected in refused(answer, db, before)
    else:
        assert answer.exit_code == 0, answer.output
        assert ledger_of_123(db) == expected


@pytest.mark.parametrize("name", TYPES)
def test_a_type_is_known_by_its_name(load, db, name):
    answer = load(one(tipo=name))
    assert answer.exit_code == 0, answer.output
    assert [row[0] for row in ledger_of_123(db)] == [TYPES[name]]


def test_a_type_without_its_letter_is_refused(load, db):
    assert "tipo «FACTURA»" in refused(load(one(tipo="FACTURA")), db, everything(db))


def test_an_instalment_has_the_earliest_due_date(load, db):
    load(FILES["one voucher in two lines for two due dates"][0])
    row = db.execute("SELECT due_date FROM movement WHERE customer = 123").fetchone()
    assert row.due_date == "2026-12-10"


def test_what_is_left_out_is_counted(load):
    answer = load(FILES["a printed report"][0])
    assert "3 lines: 3 new, 0 changed, 0 equal, 0 refused, 2 left out" in answer.output
    assert "line 9: a total" in answer.output


# --- Contacts -------------------------------------------------------------------------------------

EMAILS = {  # as they are typed: what is read
    "no tiene": [], "-": [], "sin mail": [], "Juan <juan@example.com>": ["juan@example.com"],
    "a@example.com / b@example.com": ["a@example.com", "b@example.com"],
    "ana@example.com.": ["ana@example.com"], "ana@example.com, olga@": ["ana@example.com"],
    "olga(arroba)example.com": [], "MAIL: ana@example.com": ["ana@example.com"]}


@pytest.mark.parametrize("cell", EMAILS)
def test_an_email_that_is_none_is_left_out(load, db, cell):
    content = semicolons(["usuario", "nombre", "emails"], ["123", "Pérez", cell])
    answer = load(content, kind="customers")
    assert answer.exit_code == 0, answer.output
    rows = db.execute("SELECT address FROM email WHERE customer = 123").fetchall()
    assert [row.address for row in rows] == EMAILS[cell]
    said = f"line 2: emails «{cell}»" in answer.output
    assert said == (cell not in ("a@example.com / b@example.com", "ana@example.com."))


@pytest.mark.parametrize(("cell", "stored", "said"), [
    ("20-99001002-2", "20990010022", False), ("12.345.678", "12345678", False),
    ("DNI 1234567", "1234567", False), ("27-12345678-1", None, True), ("2,71235E+10", None, True),
    ("no tiene", None, True), ("", None, False)])
def test_a_cuit_may_be_a_dni_and_what_is_neither_is_left_out(load, db, cell, stored, said):
    content = semicolons(["usuario", "nombre", "cuit"], ["123", "Pérez", cell])
    answer = load(content, kind="customers")
    assert answer.exit_code == 0, answer.output
    assert db.execute("SELECT cuit FROM customer WHERE number = 123").fetchone().cuit == stored
    assert (f"line 2: cuit «{cell}»" in answer.output) == said


@pytest.mark.parametrize(("cell", "stored"), [
    ("4567-8901 / 15-2345-6789", ["4567-8901", "15-2345-6789"]), ("no tiene", []), ("-", []),
    ("4567-8901.", ["4567-8901"]), ("4567-8901/02", ["4567-8901/02"])])
def test_a_phone_that_is_none_is_left_out(load, db, cell, stored):
    load(semicolons(["usuario", "nombre", "telefonos"], ["123", "Pérez", cell]), kind="customers")
    rows = db.execute("SELECT number FROM phone WHERE customer = 123 ORDER BY id").fetchall()
    assert [row.number for row in rows] == stored


@pytest.mark.parametrize(("cell", "active"), [
    ("VERDADERO", 1), ("FALSO", 0), (True, 1), (False, 0), ("Verdadero", 1), (1, 1)])
def test_truths_as_excel_writes_them(load, db, cell, active):
    content = xlsx(["usuario", "nombre", "activo"], [123, "Pérez", cell])
    assert load(content, kind="customers").exit_code == 0
    assert db.execute("SELECT active FROM customer WHERE number = 123").fetchone().active == active


# --- Encodings, ARCA's second list ----------------------------------------------------------------

def test_a_line_in_another_encoding_is_told_by_its_number(load, db):
    lines = [one(detalle=name).splitlines()[1] for name in ("Peña", "Núñez", "Güemes")]
    lines = [line.replace(b"00000001", b"0000000%d" % n) for n, line in enumerate(lines, 1)]
    lines[1] = lines[1].decode().encode("cp1252")
    answer = load(b"\r\n".join([one(detalle="").splitlines()[0], *lines]))
    assert "line 3 is not in the encoding of the others" in answer.output
    rows = db.execute("SELECT detail FROM movement WHERE customer = 123 ORDER BY number")
    assert [row.detail for row in rows] == ["Peña", "Núñez", "Güemes"]


PORTAL_IVA = semicolons(
    ["Fecha de Emisión", "Tipo de Comprobante", "Punto de Venta", "Número de Comprobante",
     "Número de Comprobante Hasta", "Tipo Doc. Comprador", "Nro. Doc. Comprador",
     "Denominación Comprador", "Moneda Original", "Tipo de Cambio", "Importe Total"],
    ["2026-11-18", "1", "3", "4790", "4790", "80", "30990010044", "DANTE", "PES", "1", "3025,00"],
    ["2026-11-18", "6", "3", "13001", "13001", "96", "12345678", "PEREZ", "PES", "1", "100,00"],
    ["2026-11-18", "6", "3", "13002", "13002", "99", "", "CONSUMIDOR FINAL", "PES", "1", "10,00"],
    ["2026-11-18", "1", "3", "4791", "4791", "80", "30990010044", "DANTE RIOS", "DOL", "1450,50",
     "20,00"])


def test_arca_s_second_list_is_read_too(load, db):
    db.execute("UPDATE customer SET cuit = '12345678' WHERE number = 123")
    answer = load(PORTAL_IVA)
    assert "2 lines: 2 new, 0 changed, 0 equal, 0 refused, 2 left out" in answer.output
    assert "1 voucher in DOL left out, 20,00 in all" in answer.output
    assert ledger_of_123(db) == [(6, 3, 13001, 10000, "2026-11-18")]


def test_a_workbook_says_the_same_as_the_csv_file(load, db):
    load(file_of())
    rows = list(csv.reader(io.StringIO(file_of().decode()), delimiter=";"))
    answer = load(xlsx(*rows), name="movements.xlsx")
    assert "10 lines: 0 new, 0 changed, 10 equal" in answer.output
