"""The generated pages say what the code says, their examples work, and promises are held by tests."""

import importlib
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import exporter.aws
from exporter.aws.calls import Operation
from exporter.errors import ConfigError
from exporter.settings import Catalogue, load

ROOT = Path(__file__).parents[2]
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


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
