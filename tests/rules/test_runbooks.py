"""Every alert has a runbook, its links lead somewhere, and its commands are ones that the programs take."""

import json
import re
import shlex
from pathlib import Path
from typing import Final

import pytest

from tests.rules.aws_commands import commands, mistakes, shell_blocks
from tests.rules.declared import declared_metrics
from tests.rules.own_commands import own_mistakes
from tests.rules.paths import ROOT, RUNBOOKS
from tests.rules.promql_labels import metrics_of
from tests.rules.rule_files import ALERT_NAMES, ALERTS, RECORDING, identity

PAGES: Final = sorted([*RUNBOOKS.glob("*.md"), ROOT / "docs" / "alerting.md", ROOT / "docs" / "procedures.md"])
STEPS: Final = (
    "1-identify",
    "2-verify-the-intent",
    "3-find-the-reason-and-what-would-be-lost",
    "4-cancel-and-enable",
    "5-verify",
    "6-document",
    "7-review",
    "8-when-to-let-it-go",
)
ABOUT_DELETION: Final = sorted({rule["alert"] for rule in ALERTS if rule["labels"]["concern"] in {"deletion", "loss"}})


def _anchors(markdown: str) -> set[str]:
    """Return the anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _commands(program: str) -> list[tuple[str, str]]:
    """Return the calls of a program in all pages and alerts, each with the name of where it stands."""
    found = [
        (page.name, shlex.join(command))
        for page in PAGES
        for block in shell_blocks(page.read_text())
        for command in commands(program, block)
    ]
    return sorted(
        {
            *found,
            *(
                (identity(rule), shlex.join(command))
                for rule in ALERTS
                for line in rule["annotations"]["description"].splitlines()
                if line.startswith(f"{program} ")
                for command in commands(program, _filled(line))
            ),
        }
    )


def _queries() -> list[tuple[str, str]]:
    """Return the queries of all pages, one in each block, with the names of the pages."""
    blocks = re.compile(r"^ *```promql\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
    return [(page.name, query.strip()) for page in PAGES for query in blocks.findall(page.read_text())]


def _filled(line: str) -> str:
    """Return a line of an annotation with variables in the place of its templates."""
    for template, variable in {"{{ . }}": "$ARN", "{{ $labels.account_id }}": "$ACCOUNT"}.items():
        line = line.replace(template, variable)
    return re.sub(r"\{\{.*?\}\}", "X", line)


def test_every_alert_has_its_runbook_and_no_runbook_is_left_over() -> None:
    pages = {page.stem for page in RUNBOOKS.glob("Kms*.md")}
    assert pages == set(ALERT_NAMES)


def test_index_lists_every_runbook_with_its_severity() -> None:
    index = (RUNBOOKS / "README.md").read_text()
    for rule in ALERTS:
        (line,) = re.findall(rf"^\| \[{rule['alert']}\]\({rule['alert']}\.md\) \| (.*?) \|", index, re.MULTILINE)
        assert rule["labels"]["severity"] in line


@pytest.mark.parametrize("name", ABOUT_DELETION)
def test_runbook_of_a_deletion_goes_through_the_eight_steps_in_order(name: str) -> None:
    page = (RUNBOOKS / f"{name}.md").read_text()
    assert tuple(re.findall(r"^\d\. \[.*?\]\(deletion-steps\.md#(.*?)\)", page, re.MULTILINE)) == STEPS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_pages_and_headings_that_exist(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target.read_text()), link


def test_policies_of_the_procedures_are_well_formed() -> None:
    policies = re.findall(
        r"^```json\n(.*?)^```", (ROOT / "docs" / "procedures.md").read_text(), re.DOTALL | re.MULTILINE
    )
    assert len(policies) == 3
    for policy in policies:
        for statement in json.loads(policy)["Statement"]:
            assert statement["Effect"] == "Deny"
            assert statement["Condition"]


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("Kms*.md")), ids=lambda page: page.stem)
def test_runbook_is_short_enough_to_be_read_at_night(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.stem}\n")
    assert len(text.split()) < 450


@pytest.mark.parametrize(("where", "command"), _commands("aws"))
def test_command_is_one_that_the_aws_cli_takes(where: str, command: str) -> None:
    assert not mistakes(shlex.split(command)), where


@pytest.mark.parametrize(("where", "command"), _commands("kms-exporter"))
def test_command_is_one_that_the_exporter_takes(where: str, command: str) -> None:
    assert not own_mistakes(shlex.split(command)), where


@pytest.mark.parametrize(("where", "query"), _queries())
def test_query_is_one_and_asks_for_series_that_are_made(where: str, query: str) -> None:
    assert metrics_of(query) <= declared_metrics().keys() | {rule["record"] for rule in RECORDING}, where


@pytest.mark.parametrize("name", ABOUT_DELETION)
def test_runbook_of_a_deletion_saves_the_key_with_the_exporter_or_leads_to_where_that_is(name: str) -> None:
    page = (RUNBOOKS / f"{name}.md").read_text()
    assert "kms-exporter cancel-deletion" in page or "deletion-steps.md#4-cancel-and-enable" in page


@pytest.mark.parametrize(
    ("command", "mistake"),
    [
        ("aws kms cancel-deletion --key-id k", "kms has no operation cancel-deletion"),
        ("aws kms enable-key --region r", "enable-key needs KeyId"),
        ("aws kms enable-key --keyid k", "enable-key has no option --keyid"),
        ("aws iam update-access-key --access-key-id k --status Off", "update-access-key does not take --status Off"),
    ],
)
def test_what_is_taken_for_a_mistake(command: str, mistake: str) -> None:
    assert mistake in mistakes(command.split())


@pytest.mark.parametrize(
    "command",
    [
        "kms-exporter cancel-deletion $ARN",
        "kms-exporter cancel-deletion --all-unacknowledged $ARN --reason r",
        "kms-exporter cancel-deletion $ARN --reason r --recrod f",
        "kms-exporter cancel $ARN --reason r",
        "kms-exporter check --output pdf",
    ],
)
def test_what_is_taken_for_a_mistake_of_our_own(command: str) -> None:
    assert own_mistakes(command.split())


def test_commands_are_found_in_loops_and_substitutions() -> None:
    script = (
        'for K in $(aws kms list-keys --output text); do\n  aws kms enable-key \\\n    --key-id "$K" && echo\ndone\n'
    )
    assert list(commands("aws", script)) == [
        ["aws", "kms", "list-keys", "--output", "text"],
        ["aws", "kms", "enable-key", "--key-id", "$K"],
    ]
