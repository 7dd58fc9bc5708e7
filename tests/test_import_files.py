"""The files that Argentine programs write: which are read, and to what; which are refused, and why.

Ten movements of two customers are written in each dialect, and have to arrive as the same ten. The
files in tests/files/ hold them as one meets them: from Excel, from a program of the nineties, ….
"""

import codecs
import csv
import io
import os
import pty
import random
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import cac
import pytest
from conftest import HERE, everything, running

FILES = HERE / "files"


class Row(NamedTuple):
    """A movement, as the ledger has to hold it."""

    customer: int
    date: str
    type: int
    point_of_sale: int
    number: int
    detail: str
    amount: int             # centavos
    due_date: str = ""
    cae: str = ""
    cae_due_date: str = ""


ROWS = (    # Gloria (1007) has no other movements, 123 is new
    Row(123, "2010-04-23", 1, 3, 94, "Dominio ñandú.com.ar – 50 €", 100000, "2010-05-10",
        "60164003209883", "2010-05-03"),
    Row(123, "2010-05-05", 4, 1, 55, "Cheque 0001", -100000),
    Row(123, "2026-11-02", 1, 3, 5001, "=1+1; @ejemplo", 399999, "2026-12-10"),
    Row(123, "2026-11-02", 3, 3, 820, "Bonificación\npor corte del servicio", -5),
    Row(123, "2026-11-16", 2, 3, 300, 'Intereses, "punitorios" | mora', 10000),
    Row(1007, "2026-09-01", 6, 3, 13001, "Internet 50 Mbps", 123456, "2026-10-10",
        "76366000000001", "2026-09-11"),
    Row(1007, "2026-09-15", 9, 1, 20001, "Transferencia bancaria", -123456),
    Row(1007, "2026-10-01", 6, 3, 13002, "Internet 50 Mbps; instalación", 250000),
    Row(1007, "2026-10-03", 8, 3, 901, "", -50050),
    Row(1007, "2026-10-20", 7, 3, 77, "Intereses", 75, "2026-11-10"),
)
LINE_OF_SIXTH = 8   # under the header and five rows, one of which goes over two lines
HEADER = ("usuario", "fecha", "tipo", "punto_venta", "numero", "detalle", "importe", "vencimiento",
          "cae", "vencimiento_cae")
DEBE_HABER = (*HEADER[:6], "debe", "haber", *HEADER[7:])
NICE_HEADER = ("Usuario", "FECHA", "Tipo", "Punto de Venta", "NÚMERO", "Detalle", " Importe ",
               "Vencimiento", "CAE", "Vencimiento CAE")
TITLES = ("NetOne S.R.L.", "Cuentas corrientes de clientes: movimientos", "",
          "Desde: 01/01/2010   Hasta: 16/11/2026", "Moneda: pesos; todos los clientes",
          "Emitido el 16/11/2026 a las 18:04 por MARTA", "", "Página 1", *[""] * 6, "-")


# --- How programs write amounts and dates ---------------------------------------------------------

def comma(amount):
    """-1234,56."""
    return f"{amount / 100:.2f}".replace(".", ",")


def point(amount):
    """-1234.56."""
    return f"{amount / 100:.2f}"


def english(amount):
    """-1,234.56."""
    return f"{amount / 100:,.2f}"


def dotted(amount):
    """-1.234,56."""
    return english(amount).translate(str.maketrans(",.", ".,"))


def pesos(amount):
    """-$ 1.234,56, with a no-break space."""
    return f"{'-' if amount < 0 else ''}$\N{NO-BREAK SPACE}{dotted(abs(amount))}"


def pesos_inside(amount):
    """$ -1.234,56."""
    return f"$ {dotted(amount)}"


def shortest(amount):
    """-1234,5, as a spreadsheet shows a number without a format; 1000 for 1000,00."""
    return f"{amount / 100:.2f}".rstrip("0").rstrip(".").replace(".", ",")


def minus_after(amount):
    """1.234,56-."""
    return f"{dotted(abs(amount))}{'-' if amount < 0 else ''}"


def bracketed(amount):
    """(1.234,56)."""
    return f"({dotted(-amount)})" if amount < 0 else dotted(amount)


def typographic(amount):
    """−1.234,56, with the minus sign of typography."""
    return dotted(amount).replace("-", "−")


def slashed(iso):
    """23/04/2010."""
    return "/".join(reversed(iso.split("-"))) if iso else ""


def dashed(iso):
    """23-04-2010."""
    return slashed(iso).replace("/", "-")


def brief(iso):
    """23/4/10."""
    return f"{int(iso[8:])}/{int(iso[5:7])}/{iso[2:4]}" if iso else ""


def timed(iso):
    """23/04/2010 00:00:00."""
    return f"{slashed(iso)} 00:00:00" if iso else ""


def iso_timed(iso):
    """2010-04-23 00:00:00."""
    return f"{iso} 00:00:00" if iso else ""


# --- Writing a file in a dialect ------------------------------------------------------------------

def cells_of(row, header=HEADER, money=comma, date=slashed, customer=str):
    """The cells of a row, in the order of the header's meanings."""
    debit, credit = (money(row.amount), "") if row.amount > 0 else ("", money(-row.amount))
    known = {"usuario": customer(row.customer), "fecha": date(row.date), "tipo": row.type,
             "punto_venta": row.point_of_sale, "numero": row.number, "detalle": row.detail,
             "importe": money(row.amount), "debe": debit, "haber": credit,
             "vencimiento": date(row.due_date), "cae": row.cae,
             "vencimiento_cae": date(row.cae_due_date)}
    return [known.get(name, "") for name in header]


def with_balance(rows, cells, money=comma):
    """The same cells, each row's with the customer's balance after it."""
    balances = {}
    for row, of_row in zip(rows, cells, strict=True):
        balances[row.customer] = balances.get(row.customer, 0) + row.amount
        yield [*of_row, money(balances[row.customer])]


def text_of(lines, separator=";", ends="\r\n", **quoting):
    """Lines of cells as CSV; a text is a line that is written as it is."""
    file = io.StringIO()
    table = csv.writer(file, delimiter=separator, lineterminator="\n", **quoting)
    for line in lines:
        if isinstance(line, str):
            file.write(f"{line}\n")
        else:
            table.writerow(line)
    return file.getvalue().replace("\n", ends)


def file_of(encoding="utf-8", *, header=HEADER, above=(), below=(), **dialect):
    """The ten rows as the bytes of a file; `shown` is the header as it is spelled."""
    shown = dialect.pop("shown", header)
    spelling = {key: dialect.pop(key) for key in ("money", "date", "customer") if key in dialect}
    rows = [cells_of(row, header, **spelling) for row in ROWS]
    return text_of([*above, shown, *rows, *below], **dialect).encode(encoding)


def utf16_be(text):
    """With its mark of the byte order."""
    return codecs.BOM_UTF16_BE + text.encode("utf-16-be")


def permuted():
    """Other columns, in another order, some of which mean nothing here."""
    header = ("vendedor", "importe", "numero", "punto_venta", "tipo", "fecha", "cae",
              "vencimiento_cae", "detalle", "usuario", "vencimiento", "zona")
    return file_of(header=header)


def trailing(**where):
    """A separator too many at the end of each row, and of the header unless told."""
    rows = [[*cells_of(row), ""] for row in ROWS]
    return text_of([[*HEADER, *where.get("header", [""])], *rows]).encode()


def spaced():
    """Cells padded with spaces, as programs with fields of a fixed width do."""
    rows = [[f" {cell}   " if str(cell) else "   " for cell in cells_of(row)] for row in ROWS]
    return text_of([HEADER, *rows]).encode()


def blank_lines():
    """Between the rows, some of nothing but separators."""
    rows = [line for row in ROWS for line in (cells_of(row), "", [""] * len(HEADER))]
    return text_of([HEADER, "", *rows]).encode()


def balance_column(header=DEBE_HABER, money=dotted):
    """With debit, credit and balance, as a statement of account."""
    cells = [cells_of(row, header, money) for row in ROWS]
    return text_of([[*header, "saldo"], *with_balance(ROWS, cells, money)]).encode("cp1252")


def with_type(shown):
    """With the type's name, as programs show it."""
    names = {1: "Factura A", 2: "Nota de Débito A", 3: "Nota de Crédito A", 4: "Recibo A",
             6: "Factura B", 7: "NOTA DE DEBITO B", 8: "Nota de crédito B", 9: "RECIBO B"}
    rows = [cells_of(row) for row in ROWS]
    for cells in rows:
        cells[2] = shown.format(SimpleNamespace(code=cells[2], name=names[cells[2]]))
    return text_of([HEADER, *rows]).encode()


def with_number(shown):
    """Point of sale and number in one column."""
    header = [name for name in HEADER if name != "punto_venta"]
    rows = [cells_of(row._replace(number=shown.format(row)), header) for row in ROWS]
    return text_of([header, *rows]).encode()


def total_of(header=HEADER, money=comma):
    """The row under all, of no customer."""
    known = {"detalle": "TOTAL GENERAL", "importe": money(610019), "debe": money(610019)}
    return [known.get(name, "") for name in header]


READ = {    # a dialect: its file
    "the plain one": file_of(),
    "UTF-8 with BOM": file_of("utf-8-sig"),
    "Windows-1252": file_of("cp1252"),
    "UTF-16, little end first": file_of("utf-16"),
    "UTF-16, big end first": utf16_be(file_of().decode()),
    "UTF-16 that does not say so": file_of("utf-16-le"),
    "UTF-16 that does not say so, big end first": file_of("utf-16-be"),
    "customers by number and by CUIT": file_of(header=(*HEADER, "cuit")),
    "Excel's Unicode text: UTF-16 and tabs": file_of("utf-16", separator="\t"),
    "commas, decimal point": file_of(separator=",", money=point),
    "commas, quoted decimal commas": file_of(separator=",", money=comma),
    "commas, 1,234.56": file_of(separator=",", money=english),
    "tabs": file_of(separator="\t", money=dotted),
    "pipes": file_of("cp1252", separator="|"),
    "all quoted": file_of(quoting=csv.QUOTE_ALL),
    "sep=;": file_of(above=["sep=;"]),
    "sep=, with BOM": file_of("utf-8-sig", above=["sep=,"], separator=",", money=point),
    "a title line": file_of(above=TITLES[:1]),
    "fifteen title lines": file_of("cp1252", above=TITLES),
    "titles with separators": file_of(above=["NetOne S.R.L.;;;;;;;;;", ";;;;;;;;;",
                                             "Período;01/2010;a;11/2026;;;;;;"]),
    "header as people write it": file_of(shown=NICE_HEADER),
    "header in capitals": file_of(shown=[name.upper() for name in HEADER]),
    "header without accents": file_of(shown=[name.replace("ú", "u") for name in NICE_HEADER]),
    "columns in another order": permuted(),
    "a totals row": file_of(below=[total_of()]),
    "$ 1.234,56": file_of(money=pesos),
    "$ -1.234,56": file_of("cp1252", money=pesos_inside),
    "1234,5": file_of(money=shortest),
    "1.234,56-": file_of(money=minus_after),
    "(1.234,56)": file_of(money=bracketed),
    "−1.234,56": file_of(money=typographic),
    "debit and credit": file_of(header=DEBE_HABER),
    "debit, credit and balance": balance_column(),
    "amount and balance": balance_column(HEADER),
    "d/m/yy": file_of(date=brief),
    "ISO dates": file_of(date=str),
    "dd-mm-yyyy": file_of(date=dashed),
    "dates with time": file_of(date=timed),
    "ISO dates with time": file_of(date=iso_timed),
    "LF": file_of(ends="\n"),
    "CR": file_of(ends="\r"),
    "no end of the last line": file_of().removesuffix(b"\r\n"),
    "subtotals between": text_of([HEADER, *map(cells_of, ROWS[:5]), total_of(), "",
                                  *map(cells_of, ROWS[5:]), total_of()]).encode(),
    "totals named in the first column": text_of([
        HEADER, *map(cells_of, ROWS[:5]), ["Subtotal Pérez", *total_of()[1:]],
        *map(cells_of, ROWS[5:]), ["TOTAL GENERAL", *total_of()[1:]]]).encode(),
    "blank lines": blank_lines(),
    "trailing separators": trailing(),
    "trailing separators, not in the header": trailing(header=[]),
    "padded cells": spaced(),
    "000123": file_of(customer="{:06}".format),
    "6 - Factura B": with_type("{0.code:03} - {0.name}"),
    "FACTURA B": with_type("{0.name}"),
    "0003-00013001 in one column": with_number("{0.point_of_sale:04}-{0.number:08}"),
    "B 00003-00013001": with_number("B {0.point_of_sale:05}-{0.number:08}"),
    "A0000300013001": with_number("A{0.point_of_sale:05}{0.number:08}"),
    "a form feed at the end": file_of("cp1252") + b"\x0c",
    "DOS's end of file": file_of("cp1252") + b"\x1a",
    "titles, sep, pesos, brief dates": file_of(
        "utf-16", above=["sep=\t", *TITLES[:3]], separator="\t", money=pesos, date=brief,
        shown=NICE_HEADER, below=["", total_of(money=pesos)]),
    "Windows-1252, pipes, capitals, minus after, total": file_of(
        "cp1252", above=TITLES[:8], separator="|", money=minus_after, date=brief,
        shown=[name.upper() for name in HEADER], below=[total_of(money=minus_after)],
        customer="{:06}".format),
}
STORED = {  # file: how it is imported
    "excel-unicode.txt": [],
    "clipper-ctacte.txt": [],
    "cuenta-corriente.csv": [],
    "tango.csv": [word for pair in (
        "usuario=COD_CLIENT", "fecha=FECHA_EMIS", "punto_venta=TALONARIO",
        "importe=IMPORTE_TOTAL", "vencimiento=FECHA_VTO", "vencimiento_cae=CAE_VTO")
        for word in ("--column", pair)],
}


def ledger(db, *customers):
    """The movements of these customers as rows, blanks in the details folded."""
    found = db.execute(
        "SELECT customer, date, type, point_of_sale, number, detail, amount,"
        " coalesce(due_date, ''), coalesce(cae, ''), coalesce(cae_due_date, '') FROM movement"
        f" WHERE customer IN ({','.join('?' * len(customers))}) ORDER BY customer, date, id",
        customers)
    return [folded(Row(*row)) for row in found]


def folded(row):
    """A row with the blanks of its detail folded: a program may wrap it anywhere."""
    return row._replace(detail=" ".join(row.detail.split()))


@pytest.fixture
def newcomer(db):
    """Customer 123, who has no movements yet."""
    db.execute("INSERT INTO customer (number, name) VALUES (123, 'Pérez e Hijos')")


@pytest.fixture
def load(run, tmp_path, newcomer):
    """load(bytes, "--partial"): import them as movements.csv; the command's result."""
    def loaded(content, *options, kind="movements", name=None):
        file = tmp_path / (name or f"{kind}.csv")
        file.write_bytes(content)
        return run("import", kind, file, *options)
    return loaded


# --- What is read ---------------------------------------------------------------------------------

@pytest.mark.parametrize("dialect", READ)
def test_however_it_is_written_the_same_movements_arrive(load, db, dialect):
    answer = load(READ[dialect])
    assert answer.exit_code == 0, answer.output
    assert ledger(db, 123, 1007) == [folded(row) for row in ROWS]
    assert "10 new, 0 changed" in answer.output


def any_dialect(seed):
    """Some combination of it all."""
    choose = random.Random(seed).choice    # noqa: S311 - a lottery
    encoding = choose(["utf-8", "utf-8-sig", "utf-16", "cp1252"])
    money = choose([comma, dotted, pesos, pesos_inside, shortest, minus_after, bracketed, point])
    separator, ends = choose(";,\t|"), choose(["\r\n", "\n", "\r"])
    header, sep = choose([HEADER, DEBE_HABER]), choose([[], [], [f"sep={separator}"]])
    return file_of(
        encoding, header=header, money=money, separator=separator, ends=ends,
        date=choose([slashed, dashed, brief, timed, str, iso_timed]),
        customer=choose([str, "{:06}".format]), quoting=choose([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
        above=[*sep, *TITLES[:choose([0, 0, 1, 4, 14])]],
        below=choose([[], ["", ""], [total_of(header, money)]]))


@pytest.mark.parametrize("seed", range(15))
def test_any_combination_is_read(load, db, seed):
    answer = load(any_dialect(seed))
    assert answer.exit_code == 0, answer.output
    assert ledger(db, 123, 1007) == [folded(row) for row in ROWS]


@pytest.mark.parametrize("name", STORED)
def test_files_as_one_meets_them_are_read(run, db, newcomer, name):
    answer = run("import", "movements", FILES / name, *STORED[name])
    assert answer.exit_code == 0, answer.output
    assert ledger(db, 123, 1007) == [folded(row) for row in ROWS]


NAMES = ["Peña Núñez", "García Güemes", "Ibáñez, José", "PEÑA NÚÑEZ", "Ñandú", "Ángel O'Higgins"]


@pytest.mark.parametrize("encoding", ["cp850", "cp1252", "utf-8"])
def test_names_are_read_as_they_were_written_by_dos_and_windows(load, db, encoding):
    rows = [ROWS[2]._replace(number=n, detail=name) for n, name in enumerate(NAMES)]
    answer = load(text_of([["Nº", *HEADER], *([n, *cells_of(row)] for n, row in enumerate(rows))],
                          ).encode(encoding), "--column", "numero=numero")
    assert [row.detail for row in ledger(db, 123)] == NAMES
    assert ("movements.csv: read as DOS" in answer.output) == (encoding == "cp850")


@pytest.mark.parametrize("name", ["PEÑA", "José María Ñandú, Güemes 5", "Núñez"])
def test_one_name_is_enough_to_know_dos(load, db, name):
    load(text_of([HEADER, cells_of(ROWS[2]._replace(detail=name))]).encode("cp850"))
    assert [row.detail for row in ledger(db, 123)] == [name]


@pytest.mark.parametrize("detail", [
    "de\N{NO-BREAK SPACE}la", "US$\N{NO-BREAK SPACE}5", "5¢ cada uno", "¡Oferta! £5", "KÖNIG S.A.",
    "José", "100 €", "PÉREZ", "Ángela"])
def test_nothing_that_windows_writes_is_taken_for_dos(load, db, detail):
    load(text_of([HEADER, cells_of(ROWS[2]._replace(detail=detail))]).encode("cp1252"))
    assert [row.detail for row in ledger(db, 123)] == [" ".join(detail.split())]


@pytest.mark.parametrize("header", [
    "Cód. de Cliente", "NRO CLIENTE", "N° de cliente", "Cod.Cliente"])
def test_an_abbreviated_header_is_known(load, db, header):
    assert load(file_of(shown=[header, *HEADER[1:]])).exit_code == 0
    assert ledger(db, 123, 1007) == [folded(row) for row in ROWS]


@pytest.mark.parametrize(("column", "header", "beside"), [
    ("numero", "Nro. Comprobante", "N°"),       # a counter of rows
    ("numero", "Nro.", "N°"), ("numero", "Comprobante", "Nº"), ("numero", "Nro.", "Cbte."),
    ("usuario", "Cliente", "Cód."), ("importe", "Total", "Imp."), ("numero", "Número", "N°")])
def test_a_vague_header_yields_to_one_that_says_more(load, db, column, header, beside):
    shown = [header if name == column else name for name in HEADER]
    lines = [[beside, *shown], *(["x", *cells_of(row)] for row in ROWS)]
    assert load(text_of(lines).encode()).exit_code == 0
    assert ledger(db, 123, 1007) == [folded(row) for row in ROWS]


@pytest.mark.parametrize(("column", "headers"), [
    ("usuario", "cliente|cod. cliente|cód. de cliente|código cliente|código de cliente|nro. cliente"
     "|nro. de cliente|nº cliente|nº de cliente|número de cliente|id cliente|código|cuenta|Cód."),
    ("fecha", "fecha de emisión|fecha emisión|fecha comprobante|fecha cbte.|emisión"),
    ("tipo", "tipo de comprobante|tipo comprobante|tipo cbte.|cód. comprobante|t. comp."),
    ("punto_venta", "punto de venta|pto. venta|pto. de venta|pto. vta.|p.v.|sucursal"),
    ("numero", "número|nro.|nº|número desde|número de comprobante|nro. comprobante"
     "|nro. de comprobante|comprobante|N°"),
    ("detalle", "concepto|descripción|observaciones|leyenda"),
    ("importe", "monto|importe total|imp. total|total|Imp."),
    ("vencimiento", "fecha de vencimiento|fecha vencimiento|vto.|fecha vto."),
    ("cae", "nro. cae|nº cae|cód. autorización|código de autorización"),
    ("vencimiento_cae", "vencimiento del cae|vencimiento cae|vto. cae|fecha vto. cae"),
    ("nombre", "razón social|apellido y nombre|denominación"),
    ("cuit", "cuit/cuil|c.u.i.t.|nro. doc. receptor|nro. documento receptor"),
    ("codigo_postal", "código postal|cp|c.p.|cod. postal"),
    ("emails", "email|e-mail|e-mails|correo|correos|correo electrónico|mail"),
    ("telefonos", "teléfonos|teléfono|tel|tel."),
    ("punto_venta", "PtoVta|PtoVenta|PuntoDeVenta|PTO_VTA"), ("usuario", "CodCliente|NroCliente"),
    ("tipo", "TipoCbte|TipoDeComprobante"), ("numero", "NroComprobante"), ("importe", "ImpTotal"),
    ("vencimiento", "FechaVto|FechaDeVencimiento"), ("fecha", "FechaCbte|FechaDeEmisión")])
def test_each_spelling_of_a_header_is_known(column, headers):
    for header in headers.split("|"):
        assert cac.place_columns(["x", header], [column], {}) == {column: [1]}


def test_a_totals_row_is_told(load):
    answer = load(file_of(below=[total_of()]))
    assert "line 13: a total" in answer.output
    assert "10 lines" in answer.output


def test_a_detail_is_stored_as_it_came(load, db):
    load(file_of())
    stored = [row.detail for row in db.execute("SELECT detail FROM movement WHERE customer = 123")]
    assert "=1+1; @ejemplo" in stored


def test_what_looks_like_markup_or_a_formula_is_only_text(load, db, run):
    nasty = ['<script>alert(1)</script>', '=HYPERLINK("http://evil.example","x")', "{{7*7}}",
             "'; DROP TABLE movement; --", "\u202egnp.exe", "%s %d {0}"]
    rows = [ROWS[2]._replace(number=n, detail=text) for n, text in enumerate(nasty, 1)]
    load(text_of([HEADER, *map(cells_of, rows)]).encode())
    found = db.execute("SELECT detail FROM movement WHERE customer = 123 ORDER BY number")
    assert [row.detail for row in found] == nasty


@pytest.mark.parametrize(("typed", "day"), [
    ("15/12/98", "1998-12-15"), ("15/12/1998", "1998-12-15"), ("1/2/26", "2026-02-01")])
def test_old_years_of_two_digits_are_of_their_century(load, db, typed, day):
    assert load(with_cell("fecha", typed)).exit_code == 0
    assert day in [row.date for row in ledger(db, 1007)]


@pytest.mark.parametrize(("options", "amount"), [
    (["--decimal", "comma"], 12100000),     # thousands
    (["--decimal", "point"], None),         # three decimals
    ([], None)])                            # nothing in the file tells
def test_a_lone_121_000_needs_to_be_told_apart(load, db, options, amount):
    cells = ["121.000" if name == "importe" else cell
             for name, cell in zip(HEADER, cells_of(ROWS[0]), strict=True)]
    answer = load(text_of([HEADER, cells]).encode(), "--force", *options)
    assert answer.exit_code == (0 if amount else 1), answer.output
    assert [row.amount for row in ledger(db, 123)] == [amount] * bool(amount)
    assert "--decimal" in answer.output or options


def test_121_000_is_thousands_where_the_column_has_decimal_commas(load, db):
    cells = [cells_of(row) for row in ROWS]
    cells[0][6], cells[1][6] = "1.000", "-1.000"
    assert load(text_of([HEADER, *cells]).encode()).exit_code == 0
    assert ledger(db, 123, 1007) == [folded(row) for row in ROWS]


def test_the_type_decides_the_sign_if_asked(load, db):
    cells = [cells_of(row._replace(amount=abs(row.amount))) for row in ROWS]
    assert load(text_of([HEADER, *cells]).encode(), "--sign-by-type").exit_code == 0
    assert ledger(db, 123, 1007) == [folded(row) for row in ROWS]


def test_a_column_may_be_told(load, db):
    shown = [{"usuario": "COD_CLI", "importe": "NETO"}.get(name, name) for name in HEADER]
    answer = load(file_of(shown=shown), "--column", "usuario=COD_CLI", "--column", "importe=NETO")
    assert answer.exit_code == 0, answer.output
    assert ledger(db, 123, 1007) == [folded(row) for row in ROWS]


# --- What is refused ------------------------------------------------------------------------------

def with_cell(column, cell, header=HEADER):
    """The file with one cell of the sixth row spelled like this."""
    cells = [cells_of(row, header) for row in ROWS]
    cells[5][header.index(column)] = cell
    return text_of([header, *cells]).encode()


def with_line(line):
    """The file with this instead of its sixth row."""
    cells = [cells_of(row) for row in ROWS]
    return text_of([HEADER, *cells[:5], line, *cells[6:]]).encode()


WRONG_CELLS = [     # column, cell, what is said of it
    ("fecha", "31/02/2026", ""),                # no such day
    ("fecha", "03/25/2026", ""),                # month first
    ("fecha", "46000", ""),                     # Excel's serial number
    ("fecha", "", ""),                          # missing
    ("fecha", "ayer", ""),                      # no date
    ("fecha", "0000-00-00", ""),                # MySQL's no date
    ("fecha", "15/09/0026", ""),                # two digits of a year, dressed up
    ("fecha", "15/09/20266", ""),
    ("vencimiento", "10/13/2026", ""),
    ("vencimiento_cae", "2026-09-31", ""),
    ("importe", "12,345", ""),                  # three decimals
    ("importe", "1234,567", ""),                # three decimals
    ("importe", "12.34", "--decimal"),          # a decimal point among decimal commas
    ("importe", "gratis", ""),                  # letters
    ("importe", "1234,56 CR", ""),              # letters after it
    ("importe", "#¡VALOR!", ""),                # Excel's error
    ("importe", "1,23E+05", ""),                # Excel's exponent
    ("importe", "", ""),                        # missing
    ("importe", "--5,00", ""),
    ("importe", "(-5,00)", ""),                 # twice negative
    ("importe", "12.34.567,00", ""),            # thousands that are none
    ("importe", "99999999999999999999,00", ""), # more than the ledger holds
    ("importe", "10000000000000,00", ""),       # one centavo more than the ledger holds
    ("importe", "１２,００", ""),                # digits of full width
    ("usuario", "9999", ""),                    # unknown
    ("usuario", "", ""),                        # a movement, and nobody's
    ("usuario", "0", ""),
    ("usuario", "-5", ""),
    ("usuario", "1234567890", ""),              # too long
    ("usuario", "Gloria", ""),                  # a name
    ("usuario", "1007,5", ""),
    ("usuario", "100.7", ""),                   # not 1007: it was a number
    ("usuario", "1,007E+03", ""),
    ("tipo", "77", ""),                         # unknown
    ("tipo", "FX", ""),
    ("tipo", "", ""),
    ("punto_venta", "100000", ""),              # six digits
    ("punto_venta", "-3", ""),
    ("numero", "100000000", ""),                # nine digits
    ("numero", "0003-00013001x", ""),
    ("numero", "", ""),
    ("cae", "123", ""),                         # not 14 digits
    ("cae", "7,6366E+13", ""),                  # Excel ate it
    ("cae", "7636600000000A", ""),
]


def refused(answer, db, before):
    """What a refused import said; nothing may have changed."""
    assert answer.exit_code == 1, answer.output
    assert answer.output.strip().endswith("Nothing was saved.")
    assert isinstance(answer.exception, SystemExit)     # and no other error
    assert everything(db) == before
    return answer.output


@pytest.mark.parametrize(("column", "cell", "said"), WRONG_CELLS, ids=lambda part: part or "-")
def test_a_wrong_cell_is_told_with_its_line(load, db, column, cell, said):
    before = everything(db)
    output = refused(load(with_cell(column, cell)), db, before)
    assert f"movements.csv, line {LINE_OF_SIXTH}: {column}" in output
    assert f"«{cell}»" in output or not cell
    assert said in output


WRONG_LINES = {     # what is wrong: (the file, the line, what is said)
    "a short row": (with_line(["1007", "01/09/2026", "6", "3"]), LINE_OF_SIXTH, "4"),
    "a long row": (with_line([*cells_of(ROWS[5]), "x", "y"]), LINE_OF_SIXTH, "12"),
    "an unquoted separator": (with_line("1007;01/09/2026;6;3;13001;Alta; baja;1,00;;;"),
                              LINE_OF_SIXTH, "baja"),
    "a truncated last row": (file_of()[:-30], 12, ""),
    "a quote that never ends": (with_line('1007;01/09/2026;6;3;13001;"Alta;1,00;;;'),
                                LINE_OF_SIXTH, ""),
    "the same voucher twice": (text_of([HEADER, *map(cells_of, [*ROWS, ROWS[5]])]).encode(), 13,
                               str(LINE_OF_SIXTH)),
    "neither debit nor credit": (with_cell("debe", "", DEBE_HABER), LINE_OF_SIXTH, "importe"),
    "when a CAE falls due, without the CAE": (
        with_cell("vencimiento_cae", "11/10/2026").replace(b"76366000000001", b""),
        LINE_OF_SIXTH, "cae"),
    "a wrong balance": (balance_column().replace(b";;500,50;", b";;500,05;"), 11, "saldo"),
    "a customer's first balance is not the amount": (
        balance_column().replace(b"1.234,56;;10", b"1.234,55;;10"), LINE_OF_SIXTH, "saldo"),
}


@pytest.mark.parametrize("what", WRONG_LINES)
def test_a_wrong_line_is_told(load, db, what):
    content, line, said = WRONG_LINES[what]
    before = everything(db)
    output = refused(load(content), db, before)
    assert f"movements.csv, line {line}" in output
    assert said in output


@pytest.mark.parametrize(("header", "key"), [
    (HEADER, "usuario, tipo, punto_venta, numero"),
    ([name for name in HEADER if name != "punto_venta"], "usuario, tipo, numero")])
def test_what_is_there_twice_is_told_by_the_files_columns(load, db, header, key):
    lines = [cells_of(row, header) for row in [*ROWS[:2], ROWS[0]]]
    output = refused(load(text_of([header, *lines]).encode()), db, everything(db))
    assert f"line 4: the same {key} as line 2\n" in output


def test_one_is_told_as_one(load):
    assert "1 line: 1 new," in load(text_of([HEADER, cells_of(ROWS[0])]).encode()).output
    assert "it has 1 cell, the header has 10\n" in load(with_line(["1007"])).output


def test_a_quote_that_never_ends_is_told_in_a_long_file_too(load, db):
    rest = [cells_of(ROWS[1]._replace(number=n)) for n in range(5000)]
    wrong = text_of([HEADER, '123;02/11/2026;1;3;9000;"Alta;1,00;;;', *rest]).encode()
    assert "movements.csv, line 2:" in refused(load(wrong), db, everything(db))


@pytest.mark.parametrize("options", [
    ["--column", "usuario"], ["--column", "="], ["--column", "color=COLOR"],
    ["--decimal", "colon"], ["--nonsense"]], ids=" ".join)
def test_options_that_mean_nothing_are_wrong_usage(load, db, options):
    before = everything(db)
    assert load(file_of(), *options).exit_code == 2
    assert everything(db) == before


def test_a_column_that_is_told_and_not_there_is_refused(load, db):
    answer = load(file_of(), "--column", "usuario=COD_CLI")
    assert "usuario" in refused(answer, db, everything(db))


def test_without_a_database_it_is_said_where_one_was_looked_for(load, app):
    app.config["DATABASE"] = "/nowhere/cac.db"
    answer = load(file_of())
    assert answer.exit_code == 1 and isinstance(answer.exception, SystemExit)
    assert "/nowhere/cac.db" in answer.output


def zipped(*names):
    """A ZIP of such files; with these of a workbook's it is one."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "usuario;fecha")
    return file.getvalue()


ZIP = Path(FILES, "arca-emitidos.zip").read_bytes()
WRONG_FILES = {     # what it is: (its bytes, what is said)
    "empty": (b"", "empty"),
    "only a mark of the byte order": (codecs.BOM_UTF8, "empty"),
    "a damaged workbook": (zipped("[Content_Types].xml", "xl/worksheets/sheet1.xml"), "damaged"),
    "a ZIP that is cut short": (ZIP[:-60], "damaged or locked ZIP"),
    "a damaged ZIP": (ZIP[:80] + bytes(80) + ZIP[160:], "damaged or locked ZIP"),
    "a ZIP of two files": (zipped("a.csv", "b.csv"), "ZIP"),
    "an empty ZIP": (zipped(), ""),
    "a ZIP of a file without a name": (zipped("a.csv").replace(b"a.csv", b"\0.csv"), ""),
    "a ZIP that says it begins before itself": (
        ZIP[:-6] + (10**6).to_bytes(4, "little") + ZIP[-2:], "damaged or locked ZIP"),
    "a damaged .xls": (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), "damaged"),
    "an HTML page": (b"<!DOCTYPE html>\n<html><head><title>Error 500</title></head></html>", ""),
    "a PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n", ""),
    "binary": (bytes(range(256)) * 8, ""),
    "prose": ("Le mando los movimientos mañana.\nSaludos,\nMarta\n".encode(), ""),
    "no rows": (text_of([HEADER]).encode(), "rows"),
    "no customer's column": (file_of(shown=["x", *HEADER[1:]]), "usuario"),
    "no amount's column": (file_of(shown=[*HEADER[:6], "x", *HEADER[7:]]), "importe"),
    "debit without credit": (file_of(header=DEBE_HABER, shown=[
        "x" if name == "haber" else name for name in DEBE_HABER]), "importe"),
    "two columns of one name": (file_of(shown=[*HEADER[:7], "importe", *HEADER[8:]]), "importe"),
    "thirty title lines": (file_of(above=TITLES * 2), "usuario"),
    "no header": (text_of(map(cells_of, ROWS)).encode(), "usuario"),
    "NUL within": (with_cell("detalle", "a\0b"), ""),
}


@pytest.mark.parametrize("what", WRONG_FILES)
def test_a_file_that_is_none_is_refused_as_what_it_is(load, db, what):
    content, said = WRONG_FILES[what]
    before = everything(db)
    output = refused(load(content), db, before)
    assert "movements.csv" in output
    assert said in output


def test_a_missing_column_is_told_with_the_header_that_was_read(load):
    output = load(file_of(shown=["x", *HEADER[1:]])).output
    assert "usuario" in output
    assert "punto_venta" in output


@pytest.mark.parametrize(("path", "said"), [
    ("nowhere.csv", "nowhere.csv"), (".", ""), ("/proc/self/mem", "/proc/self/mem")])
def test_a_path_that_is_no_file_is_refused(run, db, tmp_path, path, said):
    before = everything(db)
    answer = run("import", "movements", tmp_path / path)
    assert answer.exit_code in (1, 2)
    assert said in answer.output
    assert isinstance(answer.exception, SystemExit)
    assert everything(db) == before


def test_all_errors_are_printed_where_no_terminal_is(load, db):
    before = everything(db)
    rows = [ROWS[2]._replace(number=n, date="2026-13-01") for n in range(55)]
    wrong = text_of([HEADER, *map(cells_of, rows)]).encode()
    assert refused(load(wrong), db, before).count("movements.csv, line ") == 55


def test_at_most_twenty_errors_are_printed_on_a_terminal(database, tmp_path):
    rows = [ROWS[5]._replace(number=n, date="2026-13-01") for n in range(55)]
    (tmp_path / "movements.csv").write_text(text_of([HEADER, *map(cells_of, rows)]))
    ours, theirs = pty.openpty()
    with running("cac.py", "import", "movements", tmp_path / "movements.csv", database=database,
                 output=theirs) as process:
        process.wait()
    output = os.read(ours, 65536).decode()
    assert output.count("movements.csv, line ") == 20 and "… and 35 more" in output


def test_every_error_is_told_not_only_the_first(load, db):
    cells = [cells_of(row) for row in ROWS]
    cells[2][1], cells[7][6] = "31/11/2026", "mil"
    output = refused(load(text_of([HEADER, *cells]).encode()), db, everything(db))
    assert "line 4" in output
    assert "line 10" in output


def damaged(content, lottery):
    """A file to which something happened on its way."""
    first, last = sorted(lottery.sample(range(len(content)), 2))
    return lottery.choice([
        content[:first], content[:first] + content[last:], content[:last] + content[first:],
        content[:first] + lottery.randbytes(2) + content[first:],
        content[:first] + lottery.choice(b'";,\t\r\n\0 -(').to_bytes() + content[first:],
        b"\n".join(lottery.sample(lines := content.split(b"\n"), len(lines)))])


def test_a_damaged_zip_is_read_or_refused_in_one_sentence():
    lottery, whole = random.Random(7), zipped("a.csv")      # noqa: S311 - a lottery
    said = set()
    for _ in range(600):
        content = bytearray(whole)
        for place in lottery.sample(range(4, len(whole)), lottery.randint(1, 4)):
            content[place] = lottery.randrange(256)
        try:
            cac.unzip(bytes(content))
        except ValueError as error:
            said.add(str(error))
    assert said == {"it is a damaged or locked ZIP", "it is a ZIP with more than one CSV in it"}


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_file_is_read_or_refused_and_nothing_else(load, run, db, seed):
    lottery, before = random.Random(seed), everything(db)    # noqa: S311 - a lottery
    for _ in range(12):
        content = damaged(READ[lottery.choice(list(READ))], lottery)
        answer = load(content, "--force")
        if answer.exit_code:
            refused(answer, db, before)
        else:
            assert run("undo", 1).exit_code == 0
            db.execute("DELETE FROM import")
            db.execute("UPDATE sqlite_sequence SET seq = 100800400 WHERE name = 'movement'")
            assert everything(db) == before


# --- ARCA's Mis Comprobantes ----------------------------------------------------------------------

ISSUED = [  # the file names its receivers by CUIT: Dante and Elena
    Row(1004, "2026-11-18", 1, 3, 4790, "", 302500, "", "76467654321001"),
    Row(1005, "2026-11-18", 1, 3, 4791, "", 203555, "", "76467654321002"),
    Row(1005, "2026-11-19", 3, 3, 410, "", -50000, "", "76467654321003"),
]


def new_vouchers(db):
    """What Dante and Elena have of the days that the file is about, without their details."""
    return [row._replace(detail="") for row in ledger(db, 1004, 1005) if row.date > "2026-11-17"]


@pytest.mark.parametrize("name", ["arca-emitidos.csv", "arca-emitidos.zip",
                                  "arca-emitidos-planilla.csv"])
def test_arca_s_list_of_issued_vouchers_is_added(run, db, name):
    answer = run("import", "movements", FILES / name, "--partial")
    assert answer.exit_code == 0, answer.output
    assert new_vouchers(db) == ISSUED


def test_arca_s_list_of_received_vouchers_is_none_of_ours(run, db):
    before = everything(db)
    answer = run("import", "movements", FILES / "arca-recibidos.csv", "--partial")
    assert "arca-recibidos.csv" in refused(answer, db, before)


def test_a_receiver_who_is_no_customer_is_told_and_left_out(load, db):
    known = Path(FILES, "arca-emitidos.csv").read_bytes()
    output = load(known.replace(b"30990010044", b"30500000173"), "--partial").output
    assert "30500000173" in output
    assert new_vouchers(db) == ISSUED[1:]


def test_the_same_list_finds_who_has_become_a_customer_since(load, db):
    list_of_today = Path(FILES, "arca-emitidos.csv").read_bytes()
    db.execute("UPDATE customer SET cuit = NULL WHERE number = 1004")
    load(list_of_today)
    db.execute("UPDATE customer SET cuit = '30990010044' WHERE number = 1004")
    load(list_of_today)
    assert new_vouchers(db) == ISSUED


def test_vouchers_in_dollars_are_left_out_and_added_up(load, db):
    pesos = Path(FILES, "arca-emitidos.csv").read_bytes()
    answer = load(pesos.replace(b"1,00;$;", b"1495,00;USD;", 2))
    assert "2 vouchers in USD left out, 5.060,55 in all" in answer.output
    assert "1 line: 1 new, 0 changed, 0 equal, 0 refused, 2 left out" in answer.output
    assert new_vouchers(db) == ISSUED[2:]


def test_a_foreign_currency_elsewhere_is_refused(load, db):
    lines = [[*HEADER, "moneda"], [*cells_of(ROWS[5]), "USD"]]
    output = refused(load(text_of(lines).encode()), db, everything(db))
    assert "line 2" in output and "USD" in output
