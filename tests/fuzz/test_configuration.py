"""Configurations of all sorts: each is put into force or refused, with a clear line for each mistake and no secret.

What is read must not take more than its length is worth: no aliases that stand for millions of values, no pattern that
goes over a value again and again.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import ConfigError
from exporter.settings import Catalogue, Settings, load
from exporter.web.security.configuration import read_web_file
from exporter.web.security.policy import policy_of
from tests.fuzz.corpus import VALID, each_kept, noting, valid
from tests.fuzz.documents import anything
from tests.fuzz.effort import tries

SECRET: Final = "s3cret-id"
DEEP: Final = st.integers(1, 1_200).map(lambda depth: "[" * depth + "]" * depth)
PIECES: Final = (
    "~",
    "null",
    "''",
    "!!binary aGk=",
    "!!python/object:os.system {}",
    "!<tag:x%0Ay> 1",
    "&a [*a]",
    "*nobody",
    "? [a]\n: b",
    "- ",
    "{",
    "}",
    "[",
    "\t",
    "|\n  x",
    '"\\ud800"',
    '"\\0"',
    '"\\U00110000"',
    '"\\UFFFFFFFF"',
    "%YAML 1." + "1" * 5_000,
    "%TAG ! tag:%FF,x:",
    "---\n---",
    "<<: {a: b}",
    "9" * 400,
    "9" * 400 + "h",
    "1e999",
    "nan",
    "-1",
    "0x7f",
    "2026-13-01",
    "\ufeff",
    "\x85",
    "\u2028",
    "é" * 200,
    "a.b: c",
    '"a\\nb": 1\n"a\\nb": 2',
)


@st.composite
def near_yaml(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Return a file in which lines are gone, doubled, elsewhere, or have another value."""
    lines = draw(st.sampled_from(seeds)).decode().splitlines()
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        piece = draw(st.one_of(st.sampled_from(PIECES), DEEP, st.text(max_size=12)))
        name, colon, _ = lines[at].partition(":")
        match draw(st.sampled_from(["value", "value", "value", "drop", "double", "insert", "indent"])):
            case "drop" if len(lines) > 1:
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "insert":
                lines.insert(at, piece)
            case "indent":
                lines[at] = f"  {lines[at]}"
            case _:
                lines[at] = f"{name}{colon} {piece}"
    return draw(st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf"])) + "\n".join(lines).encode("utf-8", "surrogatepass")


def files(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    return st.one_of(near_yaml(seeds), near_yaml(seeds), near_yaml(seeds), st.binary(max_size=200))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], Path]:
    path = tmp_path_factory.mktemp("fuzz") / "config.yaml"

    def write(data: bytes) -> Path:
        path.write_bytes(data)
        return path

    return write


def clear(error: ConfigError, hidden: str | None = None) -> None:
    """Check that each line says something, and can be printed, and that a secret is not in it."""
    lines = str(error).split("\n")
    assert lines
    assert all(line.strip() and line.isprintable() for line in lines), str(error)
    assert hidden is None or hidden not in str(error)


def configured(path: Path, data: bytes) -> Settings | None:
    with noting("configuration", data):
        try:
            return load({"config": str(path)}, {}).settings
        except ConfigError as error:
            clear(error)
            return None


def web_configured(path: Path, data: bytes) -> bool:
    with noting("web_configuration", data):
        try:
            policy_of(read_web_file(str(path)))
        except ConfigError as error:
            clear(error, hidden="fmbRCnNPERl4YcVHIZ8Fj")
            return False
    return True


@each_kept("configuration")
def test_files_that_are_kept(written: Callable[[bytes], Path], kept_input: Path) -> None:
    data = kept_input.read_bytes()
    assert (configured(written(data), data) is not None) is kept_input.name.startswith(VALID)


@tries(80)
@given(data=files(valid("configuration")))
def test_a_file_is_in_force_or_refused_in_clear_lines(written: Callable[[bytes], Path], data: bytes) -> None:
    configured(written(data), data)


@each_kept("web_configuration")
def test_web_files_that_are_kept(written: Callable[[bytes], Path], kept_input: Path) -> None:
    data = kept_input.read_bytes()
    web_configured(written(data), data)  # the certificates that they name are not beside them


@tries(80)
@given(data=files(valid("web_configuration")))
def test_a_web_file_is_in_force_or_refused_in_clear_lines(written: Callable[[bytes], Path], data: bytes) -> None:
    web_configured(written(data), data)


def from_environment(data: bytes) -> bool:
    variable = os.fsdecode(data).replace("\x00", "")
    with noting("variable", data):
        try:
            load({}, {"KMS_EXPORTER_AWS": variable})
        except ConfigError as error:
            clear(error, hidden=SECRET)
            return False
    return True


@each_kept("variable")
def test_variables_that_are_kept(kept_input: Path) -> None:
    assert from_environment(kept_input.read_bytes()) is kept_input.name.startswith(VALID)


@tries(80)
@given(data=anything(valid("variable")))
def test_a_variable_is_in_force_or_refused_in_clear_lines(data: bytes) -> None:
    from_environment(data)


@tries(50)
@given(depth=st.integers(1, 1_500))
def test_nesting_of_any_depth_is_told_of(depth: int) -> None:
    from_environment(b'{"regions": ' + b"[" * depth + b"]" * depth + b"}")


@tries(50)
@given(data=st.data())
def test_flags_and_variables_of_any_text_are_in_force_or_refused(data: st.DataObject) -> None:
    option = data.draw(st.sampled_from(sorted(Catalogue.of_settings().options.values(), key=lambda each: each.path)))
    text = data.draw(st.one_of(st.sampled_from(PIECES), st.text(max_size=30), DEEP))
    flags: dict[str, Any] = {option.path: text} if data.draw(st.booleans()) else {}
    try:
        load(flags, {} if flags else {option.variable: text})
    except ConfigError as error:
        clear(error)
