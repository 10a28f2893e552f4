"""The generated pages say what the code says, their examples work, and promises are held by tests."""

import importlib
import pkgutil
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import exporter.aws
from benchmarks.results import COMMITTED
from benchmarks.results import load as load_results
from docs.build_performance import PAGES, PERFORMANCE
from exporter.aws.calls import Operation
from exporter.errors import ConfigError
from exporter.settings import Catalogue, load

ROOT = Path(__file__).parents[2]
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = load_results(COMMITTED)
NUMBER = re.compile(r"(?<![\w.,])(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?: ?(%|(?:times|ms|MB|s)\b))?(?!\w|\.\d)")


@dataclass(frozen=True)
class Number:
    """A number of a text.

    Attributes:
        text: as it stands there, with its unit.
        half: half of its last digit: what it is rounded by at the most.
        unit: `""` for none.
    """

    text: str
    value: float
    half: float
    unit: str

    @classmethod
    def all_of(cls, text: str) -> "Iterator[Number]":
        for found in NUMBER.finditer(text):
            whole, fraction, unit = found.groups("")
            yield cls(found[0], float(whole.replace(",", "") + fraction), 0.5 / 10 ** len(fraction[1:]), unit)

    def shows(self, measured: float) -> bool:
        return abs(measured - self.value) <= self.half * (1 + 1e-9)


def not_measured(figure: str, claims: Iterable[str], table: Iterable[str]) -> list[str]:
    """Return the numbers of a figure that are neither in claims nor in a table, rounded as they are there.

    Units must agree. A number without one can't be told from others in a table, so it must be in a claim.
    """
    claimed = [number for text in claims for number in Number.all_of(text)]
    listed = [number for text in table for number in Number.all_of(text) if number.unit]
    return [
        number.text
        for number in Number.all_of(figure)
        if not any(number.shows(each.value) for each in claimed if number.unit in ("", each.unit))
        and not any(number.shows(each.value) for each in listed if number.unit == each.unit)
    ]


def figures() -> list[tuple[str, str, str]]:
    """Return what, figure and command of each row of the README's table; one without a command has that above."""
    section = README.partition("\n## Measured\n")[2].partition("\n## ")[0]
    rows, command = [], ""
    for what, figure, own in re.findall(r"^\| (.+?) \| (.+?) \| (.*?) ?\|$", section, re.MULTILINE)[1:]:
        command = own.strip("`") or command
        rows.append((what, figure, command))
    assert rows, "the README has no table of figures"
    return rows


def promises() -> list[str]:
    """Return every promise of a table of docs/hardening.md, and every one of a list of SECURITY.md."""
    tables = (ROOT / "docs" / "hardening.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?!promise |---)(.*) \|$", tables, re.MULTILINE)
    return rows + re.findall(r"^- (.*\n(?:  .*\n)*)", SECURITY, re.MULTILINE)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", CONFIGURATION, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "builder", [["docs/build.py"], ["docs/build_cost.py"], ["-m", "docs.build_performance"]], ids=" ".join
)
def test_no_generated_page_is_out_of_date(builder: list[str]) -> None:
    check = subprocess.run([sys.executable, *builder, "--check"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")


def test_the_configuration_page_has_every_option() -> None:
    for option in Catalogue.of_settings().options.values():
        assert f"| `{option.path}`<br>`{option.variable}` |" in CONFIGURATION


@pytest.mark.parametrize("text", blocks("yaml"))
def test_an_example_file_of_the_configuration_page_is_valid(text: str, tmp_path: Path) -> None:
    path = tmp_path / "kms.yaml"
    path.write_text(text, encoding="utf-8")

    assert load({"config": str(path)}, {}).settings


def test_the_last_two_examples_of_the_configuration_page_say_the_same(tmp_path: Path) -> None:
    path = tmp_path / "kms.yaml"
    path.write_text(blocks("yaml")[-1], encoding="utf-8")
    (variables,) = blocks("sh")
    environ = dict(word.split("=", 1) for word in shlex.split(variables))

    assert load({}, environ).settings == load({"config": str(path)}, {}).settings


def test_the_mistakes_that_the_configuration_page_quotes_are_told_so(tmp_path: Path) -> None:
    path = tmp_path / "kms.yaml"
    path.write_text("# a comment\naws:\n  region: []\n\n\nrefresh:\n  interval: 90\n", encoding="utf-8")
    (quoted,) = blocks("text")

    with pytest.raises(ConfigError) as caught:
        load({"config": str(path)}, {})
    assert set(str(caught.value).replace(f"{tmp_path}/", "").splitlines()) == set(quoted.splitlines())


@pytest.mark.parametrize(("what", "figure", "command"), figures(), ids=[what for what, _, _ in figures()])
def test_a_figure_of_the_readme_is_what_was_measured(what: str, figure: str, command: str) -> None:
    names = [name for name, result in RESULTS.items() if result.command == command]
    assert names, f"{what}: there are no results of {command}"
    assert list(Number.all_of(figure)), f"{what}: no number"
    claims = [f"{claim.claim}: {claim.figure}" for claim in RESULTS[names[0]].claims]
    table = PAGES[PERFORMANCE][names[0]](RESULTS) if names[0] in PAGES[PERFORMANCE] else ()

    wrong = not_measured(figure, claims, table)
    assert wrong == [], f"{what}: {command} did not measure {', '.join(wrong)}"


@pytest.mark.parametrize(
    ("figure", "wrong"),
    [
        ("1,235 s, then 13% of a core", []),
        ("1,234 s, then 13.2% of a core", ["1,234 s", "13.2%"]),
        ("p50 8.7 ms (2.1 times)", []),
        ("p99 8.6 ms (2.2 times)", ["8.6 ms", "2.2 times"]),
        ("401 requests in any 10 s", []),
        ("402 requests, 8.7 s", ["402", "8.7 s"]),
    ],
)
def test_a_figure_that_was_not_measured_is_found_out(figure: str, wrong: list[str]) -> None:
    claims = ["requests in any 10 s: 401 a second", "against bare bytes: 2.10 times (8.7 ms)"]
    table = ["| seconds | requests in any 1 s | of a core |", "|---:|---:|---:|", "| 1234.6 s | 402 | 13.1% |"]

    assert not_measured(figure, claims, table) == wrong


@pytest.mark.parametrize("promise", promises())
def test_a_promise_is_held_by_tests_that_exist(promise: str) -> None:
    held = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", promise)
    assert held, "it names no test"
    for file, name in held:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^ *(def|class) {name}\b", text, re.MULTILINE), f"{file} has no {name}"


def test_the_security_page_names_every_call_of_the_service_and_no_other() -> None:
    called = {
        value.name
        for module in pkgutil.walk_packages(exporter.aws.__path__, "exporter.aws.")
        for value in vars(importlib.import_module(module.name)).values()
        if isinstance(value, Operation) and module.name != "exporter.aws.changes"
    }
    (told,) = re.findall(r"^- It reads\. It calls(.*?)\(`tests/", SECURITY, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`(\w+)`", told)) == called
