"""The shape of the code: what its docstring, its README and its style promise."""

import ast
import dis
import re
from collections import Counter
from pathlib import Path
from types import CodeType, ModuleType

import cac
import pytest
from conftest import ROOT

SOURCE = (ROOT / "cac.py").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCHEMA = (ROOT / "schema.sql").read_text(encoding="utf-8")
BANNERS = {found[1]: SOURCE[:found.start()].count("\n") + 1
           for found in re.finditer(r"^# === ([\w-]+) =+$", SOURCE, re.M)}     # part: its line
TEMPLATES = sorted((ROOT / "templates").rglob("*.*"))
ALONE = {"base.html", "down.html"}       # down.html is shown when base.html cannot be: no database
PAGES = [file for file in TEMPLATES if file.parent.name == "templates"
         and not file.name.startswith("_") and file.name not in ALONE]
IMPURE = {"flask", "flask_login", "flask_wtf", "click", "sqlite3", "time", "os", "secrets",
          "smtplib", "socket", "subprocess", "threading", "tempfile", "pathlib"}
CLOCKS = {"now", "utcnow", "today"}     # of datetime and of date


def part_of(line):
    """The part of cac.py in which a line stands."""
    return [part for part, first in BANNERS.items() if first <= line][-1]


def globals_used(code):
    """The global names that a function uses, and clocks, with those of the functions inside it."""
    used = {one.argval for one in dis.get_instructions(code) if one.opname == "LOAD_GLOBAL"}
    inner = [one for one in code.co_consts if isinstance(one, CodeType)]
    return used.union(CLOCKS & set(code.co_names), *map(globals_used, inner))


def functions():
    """(part, name, global names used) of each function and class of cac.py."""
    module = compile(SOURCE, "cac.py", "exec")
    return [(part_of(code.co_firstlineno), code.co_name, globals_used(code))
            for code in module.co_consts if isinstance(code, CodeType)
            and not code.co_name.startswith("<")]


def definitions():
    """{name: the part that defines it} of cac.py's functions and classes."""
    return {node.name: part_of(node.lineno) for node in ast.parse(SOURCE).body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def home_of(name):
    """The package that a global name of cac.py comes from."""
    value = getattr(cac, name, None)
    module = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
    return (module or "").partition(".")[0]


def is_impure(name):
    """Whether a name is a clock, or something that a rule must not know."""
    return name in CLOCKS or home_of(name) in IMPURE


# --- cac.py ---------------------------------------------------------------------------------------

def test_the_contents_are_the_parts_in_their_order():
    contents = cac.__doc__.partition("Contents")[2].partition("\n\n")[0]
    assert re.findall(r"^    ([\w-]+) ", contents, re.M) == list(BANNERS)


def test_a_part_uses_only_those_above_it():
    order, homes = list(BANNERS), definitions()
    upwards = [(part, name, used) for part, name, names in functions() for used in names
               if used in homes and order.index(homes[used]) > order.index(part)]
    assert upwards == []


def test_no_name_is_defined_twice():
    names = [target.id for node in ast.parse(SOURCE).body if isinstance(node, ast.Assign)
             for target in node.targets if isinstance(target, ast.Name)] + list(definitions())
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_the_rules_know_no_page_no_database_and_no_clock():
    rules = [(name, used) for part, name, used in functions() if part in ("Rules",)]
    assert len(rules) > 20
    assert [(name, one) for name, used in rules for one in used if is_impure(one)] == []


def test_importing_it_has_no_effect(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(SOURCE, ROOT / "cac.py", "exec"), {"__name__": "cac", "__file__": ROOT / "cac.py"})  # noqa: S102
    assert list(tmp_path.iterdir()) == []


def test_every_view_and_command_says_what_it_is():
    nodes = [node for node in ast.walk(ast.parse(SOURCE)) if isinstance(node, ast.FunctionDef)]
    assert [node.name for node in nodes if node.decorator_list and not ast.get_docstring(node)
            and not node.name.startswith("_")] == []


# --- Templates and styles -------------------------------------------------------------------------

@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_each_page_extends_the_base(file):
    assert file.read_text(encoding="utf-8").startswith('{% extends "base.html" %}')


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_no_template_has_inline_style_script_or_raw_markup(file):
    text = file.read_text(encoding="utf-8")
    raw = r"\sstyle\s*=|<style|\son\w+\s*=|javascript:|\|\s*safe\b|autoescape"
    if file.name == "layout.html":  # of the mails: no mail program reads a style sheet
        raw = raw.replace("|<style", "")
    assert not re.search(raw, text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)


@pytest.mark.parametrize("file", [*TEMPLATES, *(ROOT / "static").rglob("*.*")],
                         ids=lambda file: file.name)
def test_no_file_of_a_page_comes_from_elsewhere(file):
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"(src|srcset|@import|url\()[=\s\"']*(https?:)?//", text)


def test_the_style_sheet_is_short_and_shouts_at_nobody():
    css = (ROOT / "static" / "cac.css").read_text(encoding="utf-8")
    assert len(css.splitlines()) <= 450
    assert "!important" not in css


def test_each_class_of_the_style_sheet_is_used():
    css = (ROOT / "static" / "cac.css").read_text(encoding="utf-8")
    selectors = re.sub(r"/\*.*?\*/|\{[^{}]*\}", "", css, flags=re.S)
    names = set(re.findall(r"\.([a-z][\w-]*)", selectors))
    markup = [*TEMPLATES, ROOT / "static" / "cac.js"]
    used = "".join(file.read_text(encoding="utf-8") for file in markup)
    assert len(names) > 50
    assert [name for name in names if not re.search(rf"[\" }}]{name}[\" {{]", used)] == []


@pytest.mark.parametrize("file", [file for file in TEMPLATES if file.parent.name == "templates"],
                         ids=lambda file: file.name)
def test_each_template_is_short(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= (40 if file in PAGES else 60) and max(map(len, lines)) <= 160


# --- schema.sql -----------------------------------------------------------------------------------

@pytest.mark.parametrize("name", re.findall(r"CREATE TABLE (\w+)", SCHEMA))
def test_each_table_says_what_it_is_for(name):
    above, line = re.search(rf"(.*)\n(CREATE TABLE {name}\b.*)", SCHEMA).groups()
    assert re.match(r"-- [^─]", above) or " -- " in line


def test_each_table_is_strict():
    assert SCHEMA.count("CREATE TABLE") == len(re.findall(r"^\) STRICT", SCHEMA, re.M))


def test_each_index_names_the_page_that_it_serves():
    indexes = re.findall(r"^CREATE (?:UNIQUE )?INDEX.*", SCHEMA, re.M)
    assert [index for index in indexes if " -- " not in index] == []


def test_the_payment_services_of_the_schema_are_those_of_the_code():
    named = re.findall(r"CHECK \(service IN (\(.*?\))\)", SCHEMA)
    assert [sorted(re.findall(r"\w+", line)) for line in named] == [sorted(cac.SERVICES)] * 2
    assert all(service.setting in cac.SETTINGS for service in cac.SERVICES.values())


# --- README and requirements ----------------------------------------------------------------------

@pytest.mark.parametrize("name", sorted(cac.bp.cli.commands))
def test_each_command_is_in_the_readme(name):
    assert re.search(rf"`(python cac\.py )?{name}\b", README)


@pytest.mark.parametrize("name", [*cac.SETTINGS, "CONFIG"])
def test_each_setting_of_the_process_is_in_the_readme(name):
    assert f"`CAC_{name}`" in README


def test_each_setting_of_the_business_is_in_the_readme(db):
    names = [row.name for row in db.execute("SELECT name FROM setting WHERE kind <> 'mark'")]
    assert len(names) > 10
    assert [name for name in names if f"`{name}`" not in README] == []


def test_each_environment_setting_in_the_example_exists():
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^#?\s*CAC_(\w+)=", example, re.M)) <= set(cac.SETTINGS)


@pytest.mark.parametrize("file", ["requirements.txt", "tests/requirements.txt"])
def test_each_requirement_is_pinned(file):
    lines = (line.partition("#")[0].strip() for line in Path(ROOT, file).read_text().splitlines())
    loose = [line for line in lines if line and not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9.]*", line)]
    assert loose in ([], ["-r ../requirements.txt"])
