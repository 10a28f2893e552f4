"""Writes the table of docs/dependencies.md: what is installed beside the exporter, and why.

python -m docs.build_dependencies          write it
python -m docs.build_dependencies --check  only tell whether it is out of date, exit status 1 if so
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from scripts.locked import OURS, Locked, locked

PAGE: Final = Path(__file__).parent / "dependencies.md"
BEGIN: Final = "<!-- dependencies: written by docs/build_dependencies.py -->\n"
END: Final = "<!-- /dependencies -->\n"

SERVICE: Final = "`serve`"
TABLES: Final = "tables and progress of `check`, `estimate`, `cancel-deletion`"
OCSF: Final = "`check --output ocsf`"
NOBODY: Final = "nobody"


class Reason(NamedTuple):
    """What a package is there for, and what loads it."""

    why: str
    loaded_by: str = SERVICE


REASONS: Final = {
    "annotated-types": Reason("bounds of options, as pydantic writes them"),
    "anyio": Reason("threads for pages that look at every key"),
    "bcrypt": Reason("password hashes of the web configuration, which exporter-toolkit's format prescribes"),
    "boto3": Reason("AWS API"),
    "botocore": Reason("AWS API: models, signatures, sources of credentials"),
    "click": Reason("uvicorn's command line; imported with it, never used"),
    "dnspython": Reason("email-validator's", OCSF),
    "email-validator": Reason("fields of OCSF objects that are addresses", OCSF),
    "h11": Reason("uvicorn's other HTTP parser", NOBODY),
    "httptools": Reason("HTTP parser (llhttp) of the server, and of answers of AWS"),
    "idna": Reason("domain names of addresses", OCSF),
    "isal": Reason("gzip of the page of metrics (ISA-L)"),
    "jinja2": Reason("status page, escaped by default"),
    "jmespath": Reason("boto3's paginators and waiters"),
    "markdown-it-py": Reason("rich's", NOBODY),
    "markupsafe": Reason("escaping for jinja2"),
    "mdurl": Reason("markdown-it-py's", NOBODY),
    "prometheus-client": Reason("the exporter's own metrics"),
    "py-ocsf-models": Reason("OCSF findings", OCSF),
    "pydantic": Reason("checks of the configuration"),
    "pydantic-core": Reason("pydantic's, compiled"),
    "pydantic-settings": Reason("the configuration out of flags, environment and file"),
    "pygments": Reason("rich's", NOBODY),
    "python-dateutil": Reason("times in AWS answers"),
    "python-dotenv": Reason("imported by pydantic-settings; no `.env` is read"),
    "pyyaml": Reason("configuration files, read by its safe loader"),
    "rich": Reason("tables for people", TABLES),
    "s3transfer": Reason("imported by boto3; S3 is not called"),
    "six": Reason("python-dateutil's"),
    "starlette": Reason("routes, requests, responses"),
    "typing-extensions": Reason("types of newer Pythons"),
    "typing-inspection": Reason("pydantic's"),
    "urllib3": Reason("connections to AWS through a proxy, and for credentials"),
    "uvicorn": Reason("HTTP server"),
    "uvloop": Reason("event loop of the HTTP server (libuv)"),
}


def table() -> str:
    """Return what stands between the marks.

    Raises:
        KeyError: a package is there for no reason.
    """
    return "\n".join(("", *_lines(list(locked())), "", ""))


def _lines(packages: Sequence[Locked]) -> Iterator[str]:
    direct = sum(OURS in each.via for each in packages)
    yield f"{len(packages)} packages: {direct} that `pyproject.toml` names, {len(packages) - direct} that those need."
    yield ""
    yield "| package | version | licence | needed by | why | loaded by |"
    yield "|---|---|---|---|---|---|"
    for each in packages:
        via = ", ".join("**us**" if name == OURS else name for name in sorted(each.via, key=lambda name: name != OURS))
        why, loaded_by = REASONS[each.name]
        yield f"| {each.name} | {each.version} | {each.licence} | {via} | {why} | {loaded_by} |"


def main() -> None:
    """Write the table, or tell that it is not what it should be."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    written = f"{before}{BEGIN}{table()}{END}{after}"
    if "--check" not in sys.argv:
        PAGE.write_text(written, encoding="utf-8")
    elif written != page:
        print(f"{PAGE.name} is out of date: python -m docs.build_dependencies")
        sys.exit(1)


if __name__ == "__main__":
    main()
