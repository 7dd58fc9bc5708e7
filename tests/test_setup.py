"""The operator's first hour: the company's data and its brands, by file, questions, command."""

import tomllib
from contextlib import closing

import cac
import pytest
from conftest import ROOT, everything

COMPANY = ROOT / "tests" / "files" / "empresa.toml"
REQUIRED = {"company_name": "Fibra Sur", "company_legal_name": "Fibra Sur S.A.",
            "company_cuit": "30-71234567-1", "company_phone": "0221 444-5566"}


@pytest.fixture
def new(app, tmp_path):
    """The application, on a database as `init` makes it."""
    app.config["DATABASE"] = str(tmp_path / "new.db")
    cac.make_database(tmp_path / "new.db", "schema.sql")
    cac.connect(tmp_path / "new.db").close()    # the first one changes its journal
    return tmp_path / "new.db"


@pytest.fixture
def setup(run, tmp_path):
    """setup(text): the command's result for a file that holds it."""
    def done(text):
        (tmp_path / "empresa.toml").write_text(text, encoding="utf-8")
        return run("setup", tmp_path / "empresa.toml")
    return done


def answers_to(questions, **answers):
    """What the operator types: the answer to each named setting, else only Enter."""
    return "".join(f"{answers.get(name, '')}\n" for name in questions)


def rows(path, sql):
    """What a query finds."""
    with closing(cac.connect(path)) as db:
        return [tuple(row) for row in db.execute(sql)]


# --- setup ----------------------------------------------------------------------------------------

def test_a_new_database_knows_no_company(new, run):
    assert run("setup", "--print").output.count('company_name = ""') == 1
    assert rows(new, "SELECT * FROM brand") == []
    assert run("check").exit_code == 1


@pytest.mark.parametrize("page", ["/ingresar", "/olvido", "/contacto", "/preguntas", "/nada",
                                  "/estilo/cac.css", "/estilo/cac.svg", "/salud"])
def test_before_it_is_set_up_no_page_is_broken(new, browser, page):
    assert browser.get(page).status_code in (200, 404)
    assert browser.get("/cuenta").status_code == 302


def test_a_file_sets_up_the_company(new, run):
    assert run("setup", COMPANY).output == "The company is set up: NetOne.\n"
    assert "BAD" not in run("check").output
    assert rows(new, "SELECT code FROM voucher_type WHERE dineromail = 1") == [(1,), (6,)]
    assert rows(new, "SELECT bank, alias FROM bank_account") == [
        ("Banco de la Nación Argentina", "NETONE.CLIENTES"), ("Banco Galicia", None)]
    assert rows(new, "SELECT code, position FROM brand") == [("netone", 1), ("tornadostore", 2)]
    assert rows(new, "SELECT value FROM setting WHERE name = 'dm_limit'") == [("500000",)]


def test_what_is_printed_can_be_read_back(run, setup, db):
    before, text = sorted(everything(db)), run("setup", "--print").output
    assert tomllib.loads(text)["settings"]["dm_limit"] == "5.000,00"
    assert setup(text).exit_code == 0
    assert sorted(everything(db)) == before


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_saved(new, setup):
    before = new.read_bytes()
    result = setup('dineromail_types = [1, 777]\nnonsense = 1\n[settings]\ncompany_name = "X"\n'
                   'company_cuit = "30-71234567-2"\ndm_limit = "mucho"\nno_such = "1"\n'
                   '[[bank_account]]\nbank = "Galicia"\ncbu = "12"\n'
                   '[[brand]]\ncode = "Ñandú"\nname = "Ñandú"\ncolour = "#ffee00"\n')
    assert result.exit_code == 1
    for said in ("there is no voucher type 777", "nonsense: there is no such part",
                 "company_cuit takes a CUIT", "dm_limit takes an amount", "there is no no_such",
                 "bank_account 1: cbu takes a CBU", "bank_account 1: holder takes",
                 "brand 1: code takes", "brand 1: colour takes a colour", "Nothing was saved."):
        assert said in result.stderr
    assert new.read_bytes() == before


@pytest.mark.parametrize("text", [
    "company_name", "[settings]\ncompany_name = [1]", "[settings]\npage_size = true",
    "settings = 1", "bank_account = 7", "brand = ['x']", "dineromail_types = 'x'",
    "dineromail_types = [true]"])
def test_a_file_that_is_written_otherwise_is_refused_without_a_trace(new, setup, text):
    result = setup(text)
    assert (result.exit_code, "Traceback" in result.output) == (1, False)
    assert "Nothing was saved." in result.stderr


def test_a_file_that_is_not_there_is_refused(run):
    assert "no.toml: [Errno 2]" in run("setup", "no.toml").stderr


def test_without_a_brand_the_company_becomes_one(new, setup, browser):
    settings = "".join(f'{name} = "{value}"\n' for name, value in REQUIRED.items())
    assert setup(f"[settings]\n{settings}").output == "The company is set up: Fibra Sur.\n"
    assert rows(new, "SELECT code, name, website FROM brand") == [("fibrasur", "Fibra Sur", "")]
    page = browser.page("/ingresar")
    assert "Fibra Sur" in page.title.string
    assert page.select_one(".mark svg text").string == "FS"


def test_what_is_still_missing_is_told(new, setup):
    said = setup('[settings]\ncompany_name = "Fibra Sur"').output
    assert "still missing: company_cuit, company_legal_name, company_phone or admin_email." in said


def test_a_brand_with_customers_stays_the_others_are_replaced(run, setup, db):
    db.execute("UPDATE customer SET brand = 'netegia'")
    setup('[[brand]]\ncode = "nueva"\nname = "Nueva"\nwebsite = ""\ncolour = "#1b6b57"')
    codes = [row.code for row in db.execute("SELECT code FROM brand ORDER BY position")]
    assert codes == ["nueva", "netegia"]


def test_it_asks_for_all_and_asks_again_what_it_cannot_take(new, run):
    names = [row[0] for row in rows(new, "SELECT name FROM list_settings")]
    cuit = names.index("company_cuit")
    typed = answers_to(names[:cuit], **REQUIRED) + "30-1\n" + answers_to(names[cuit:], **REQUIRED)
    account = ["1 6", "y", "Galicia", "CC 1", "Fibra Sur S.A.", "30712345671",
               "0070999020000123456788", "", "n", "n"]
    result = run("setup", input=typed + "\n".join(account) + "\n")
    assert "Error: it takes a CUIT" in result.output
    assert result.output.endswith("The company is set up: Fibra Sur.\n")
    assert rows(new, "SELECT bank, cuit FROM bank_account") == [("Galicia", "30712345671")]


def test_who_only_presses_enter_changes_nothing(run, db):
    before = sorted(everything(db))
    assert run("setup", input="\n" * 99).exit_code == 0
    assert sorted(everything(db)) == before


def test_who_stops_in_the_middle_changes_nothing(new, run):
    before = new.read_bytes()
    assert run("setup", input="int. 1\nbob@example.com\n").exit_code == 1
    assert new.read_bytes() == before


def test_from_an_empty_folder_to_the_first_customer_with_own_data(new, run, browser, tmp_path):
    (tmp_path / "c.csv").write_text("usuario;nombre;marca\n2001;Olga;TornadoStore\n2002;Raúl;\n")
    (tmp_path / "m.csv").write_text("usuario;fecha;tipo;punto_venta;numero;importe\n"
                                    "2001;20/11/2026;6;3;77;1250,40\n")
    for words in (["setup", COMPANY], ["import", "customers", tmp_path / "c.csv"],
                  ["import", "movements", tmp_path / "m.csv"]):
        assert run(*words).exit_code == 0
    link = run("password", 2001).stdout.strip().partition("/clientes")[2]
    assert browser.send(link, clave_nueva="caballo correcto bateria").status_code == 303
    assert browser.sign_in(2001, "caballo correcto bateria").status_code == 303
    page = browser.page("/cuenta")
    assert "1.250,40" in page.get_text() and "TornadoStore" in page.title.string
    assert rows(new, "SELECT brand FROM customer ORDER BY 1") == [("netone",), ("tornadostore",)]


def test_customers_before_a_company_are_refused_in_a_sentence(new, run, tmp_path):
    (tmp_path / "customers.csv").write_text("usuario;nombre\n2001;Olga\n")
    result = run("import", "customers", tmp_path / "customers.csv")
    assert (result.exit_code, "there is no brand: run `setup` first" in result.stderr) == (1, True)


# --- brand ----------------------------------------------------------------------------------------

def test_a_new_brand_has_a_style_sheet_a_mark_and_a_place_in_the_bar(run, browser):
    result = run("brand", "hosting", "--name", "Hosting <Sur>", "--website", "https://h.example/",
                 "--colour", "#1b6b57")
    assert result.output == "hosting: Hosting <Sur>, https://h.example/, #1b6b57, position 6\n"
    assert ":root { --brand: #1b6b57; }" in browser.get("/estilo/hosting.css").text
    assert ">HS</text>" in browser.get("/estilo/hosting.svg").text
    links = [link.string for link in browser.page("/ingresar").select(".brands a")]
    assert links[-1] == "Hosting <Sur>"


def test_a_brand_is_changed_and_keeps_what_is_not_told(run, db, visit):
    before = visit("Ana").page("/cuenta").link["href"]
    assert run("brand", "netone", "--colour", "#8a1c1c").exit_code == 0
    row = db.execute("SELECT * FROM brand WHERE code = 'netone'").fetchone()
    assert (row.name, row.colour, row.position) == ("NetOne", "#8a1c1c", 1)
    after = visit("Ana").page("/cuenta").link["href"]
    assert (before == after, after.startswith("/estilo/netone.css")) == (False, True)


@pytest.mark.parametrize(("code", "words", "said"), [
    ("netone", ["--colour", "#ffcc00"], "dark enough for white letters"),
    ("netone", ["--colour", "blue"], "dark enough"), ("netone", ["--website", "x.com"], "https"),
    ("netone", ["--position", 2], "emarketing is there"), ("nueva", [], "--name: it takes"),
    ("../x", ["--name", "X"], "--code: it takes")])
def test_a_brand_that_cannot_be_shown_is_refused(run, db, code, words, said):
    before = sorted(everything(db))
    result = run("brand", code, *words)
    assert (result.exit_code, said in result.stderr) == (1, True)
    assert sorted(everything(db)) == before


def test_each_mark_is_a_picture_and_the_manuals_brands_have_their_own(browser, db):
    marks = [browser.get(f"/estilo/{row.code}.svg") for row in db.execute("SELECT * FROM brand")]
    assert {mark.mimetype for mark in marks} == {"image/svg+xml"}
    assert not any("<text" in mark.text for mark in marks)
    assert browser.get("/estilo/nobody.svg").status_code == 404


def test_white_is_read_on_the_colour_of_each_brand(db):
    colours = [row.colour for row in db.execute("SELECT colour FROM brand")]
    assert min(map(cac.contrast_with_white, colours)) > 4.5
    assert cac.contrast_with_white("#000000") == 21
    assert round(cac.contrast_with_white("#ffffff"), 3) == 1
