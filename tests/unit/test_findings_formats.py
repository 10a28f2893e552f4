"""Each form of the report, read back by a parser that nobody here wrote; with what strangers may have written in it."""

import csv
import io
import json
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding

from exporter.findings.as_csv import COLUMNS, as_csv
from exporter.findings.as_json import as_json
from exporter.findings.as_junit import as_junit
from exporter.findings.as_ocsf import as_ocsf
from exporter.findings.as_table import as_plain
from exporter.findings.judging import report_of
from exporter.findings.report import Report
from exporter.model import Deletion, DeniedUses, Evidence, Grants, Key, Scheduling, Usage, UsageCase
from exporter.oneshot import Scope
from exporter.settings import Settings
from tests.support.looks import CALLER, HERE, THERE, a_key, a_look, a_state
from tests.support.snapshots import DAY, NOW

HOSTILE = (
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "＝1+1",  # noqa: RUF001
    "\x1b[31mred\x1b[0m\x07",
    "]]><script>alert(1)</script>&amp;",
    'quote " and, comma\nand a line\x00',
    "\u202egnp.exe \ud800 \ufffe 鍵 🔑",
    "[bold]markup[/bold] :smile: {braces} %s",
)
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
SCHEMA = json.loads((resources.files("exporter.findings") / "findings.schema.json").read_text("utf-8"))
ACKNOWLEDGED = {"deletions": {"acknowledgements": [{"key": "calm", "reason": "retired", "ticket": "CHG-1"}]}}

Form = Callable[[Report], bytes]


def full_report(**changes: Any) -> Report:
    """Return a report of everything that there can be: findings of each verdict, gaps of most kinds, a clear target."""
    soon = Evidence(
        scheduling=Scheduling(NOW - DAY, "alice", "arn:aws:iam::1:user/alice", "event-1"),
        usage=Usage(UsageCase.USED, NOW - 99 * DAY, NOW - 2 * DAY, "Decrypt", "event-2"),
        grants=Grants(2, ("rds.amazonaws.com",)),
        denied_uses=DeniedUses(3, NOW - 60, "bob", "Decrypt"),
    )
    look = a_look(
        a_state(
            a_key("soon", left=DAY, aliases=("alias/soon",), tags=(("owner", "team"),)),
            a_key("later", left=20 * DAY),
            a_key("calm", left=3 * DAY),
            Key("mrk-waits", a_key().arn + "w", "PendingReplicaDeletion", deletion=Deletion(window=14 * DAY)),
            evidence={"soon": soon, "later": Evidence(usage=Usage(UsageCase.NEVER, NOW - 99 * DAY))},
            unreadable={"dark": "AccessDeniedException"},
            account_name="platform",
        ),
        a_state(a_key("fine", left=None), target=THERE),
        **{"account_errors": {"333344445555": "AssumeRole: AccessDenied"}, "organization_error": "denied", **changes},
    )
    return report_of(look, Settings.model_validate(ACKNOWLEDGED), fail_within=7 * DAY)


def hostile_report(text: str) -> Report:
    evidence = Evidence(
        scheduling=Scheduling(NOW, text, text, text), grants=Grants(1, (text,)), denied_uses=DeniedUses(1, NOW, text)
    )
    key = a_key("abc", aliases=(text,), description=text, tags=((text, text),), key_spec=text, state="PendingDeletion")
    state = a_state(
        key, evidence={"abc": evidence}, unreadable={text: text}, account_name=text, sources={}, last_error=text
    )
    dark = a_state(target=THERE, up=False, last_error=text, account_name=text)
    look = a_look(state, dark, account_errors={HERE.account_id: text}, organization_error=text)
    return report_of(look, Settings())


def clear_report() -> Report:
    return report_of(a_look(a_state(a_key(left=None))), Settings())


def valid_json(report: Report) -> Any:
    document = json.loads(as_json(report))
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return document


def rows(report: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv(report).decode("utf-8-sig"), newline="")))


def suites(report: Report) -> ET.Element:
    return ET.fromstring(as_junit(report))


def events(report: Report) -> list[dict[str, Any]]:
    found = json.loads(as_ocsf(report))
    for event in found:
        ComplianceFinding.model_validate(event)
    return found


class TestJson:
    def test_it_keeps_to_its_schema(self) -> None:
        jsonschema.Draft202012Validator.check_schema(SCHEMA)
        valid_json(full_report())
        valid_json(clear_report())
        valid_json(full_report(caller=None, caller_error="timeout", scope=Scope(regions=frozenset({HERE.region}))))

    def test_the_schema_explains_every_member(self) -> None:
        described = [
            (name, member)
            for part in (SCHEMA, *SCHEMA["$defs"].values())
            for name, member in part.get("properties", {}).items()
        ]
        assert [name for name, member in described if not ("description" in member or "$ref" in member)] == []

    def test_it_tells_who_looked_at_what_and_when(self) -> None:
        document = valid_json(full_report())
        assert document["identity"] == {
            "account_id": CALLER.account_id,
            "arn": CALLER.arn,
            "user_id": CALLER.user_id,
        }
        checked = document["checked"]
        assert (checked["started"], checked["ended"]) == ("2026-09-21T14:13:10Z", "2026-09-21T14:13:20Z")
        assert [(target["region"], target["keys"], target["complete"]) for target in checked["targets"]] == [
            (HERE.region, 4, False),
            (THERE.region, 1, True),
        ]
        assert checked["fail_within_days"] == 7

    def test_a_finding_has_every_fact(self) -> None:
        found = valid_json(full_report())["findings"][0]
        expected = {
            "account_id": HERE.account_id,
            "region": HERE.region,
            "key_id": "soon",
            "alias": "alias/soon",
            "state": "PendingDeletion",
            "deletion_date": "2026-09-22T14:13:20Z",
            "days_left": 1.0,
            "verdict": "fails",
            "scheduled_by": "alice",
            "scheduled_at": "2026-09-20T14:13:20Z",
            "last_used": "2026-09-19T14:13:20Z",
            "usage": "used",
            "denied_uses": 3,
            "grantees": ["rds.amazonaws.com"],
            "needed": True,
            "acknowledged": False,
            "tags": {"owner": "team"},
        }
        assert {name: found[name] for name in expected} == expected

    def test_the_acknowledgement_of_a_calm_one_is_told(self) -> None:
        (calm,) = [found for found in valid_json(full_report())["findings"] if found["key_id"] == "calm"]
        assert (calm["verdict"], calm["acknowledgement"]["ticket"]) == ("acknowledged", "CHG-1")

    def test_unknown_is_null_and_never_none_or_zero(self) -> None:
        (calm,) = [found for found in valid_json(full_report())["findings"] if found["key_id"] == "calm"]
        assert (calm["scheduled_by"], calm["denied_uses"], calm["grants"], calm["usage"]) == (None, None, None, None)
        assert set(calm["unknown"]) == {
            "scheduled_by",
            "last_usage",
            "grants",
            "denied_uses",
            "acknowledgement_tag",
        }

    def test_what_could_not_be_checked_is_told(self) -> None:
        document = valid_json(full_report())
        assert [gap["kind"] for gap in document["unreadable"]] == ["organization", "account", "key"]
        assert document["status"] == 2


class TestCsv:
    def test_there_is_a_row_for_each_finding_and_each_gap(self) -> None:
        assert [row["kind"] for row in rows(full_report())] == ["finding"] * 4 + ["unreadable"] * 3

    def test_each_row_says_when_and_by_whom(self) -> None:
        assert {(row["checked_at"], row["checked_by"]) for row in rows(full_report())} == {
            ("2026-09-21T14:13:20Z", CALLER.arn)
        }

    def test_unknown_is_empty(self) -> None:
        (calm,) = [row for row in rows(full_report()) if row["key_id"] == "calm"]
        assert (calm["denied_uses"], calm["grants"], calm["last_used"]) == ("", "", "")

    def test_numbers_stay_numbers(self) -> None:
        late = report_of(a_look(a_state(a_key(left=-DAY / 2))), Settings())
        assert rows(late)[0]["days_left"] == "-0.5"

    @pytest.mark.parametrize("text", HOSTILE)
    def test_no_cell_is_a_formula(self, text: str) -> None:
        cells = [cell for row in rows(hostile_report(text)) for name, cell in row.items() if name != "days_left"]
        assert [cell for cell in cells if cell.startswith(tuple("=+-@\t\r＝＋－＠"))] == []  # noqa: RUF001


class TestOcsf:
    def test_each_pending_key_gap_and_clear_target_is_a_compliance_finding_of_sc_12(self) -> None:
        found = events(full_report())
        assert [event["status_code"] for event in found] == [*3 * ["FAIL"], "PASS", *3 * ["WARNING"], "PASS"]
        assert {(event["class_uid"], event["category_uid"], event["type_uid"]) for event in found} == {
            (2003, 2, 200301)
        }
        assert {event["compliance"]["control"] for event in found} == {"SC-12"}

    def test_an_acknowledged_one_passes_as_suppressed(self) -> None:
        (calm,) = [event for event in events(full_report()) if event["status"] == "Suppressed"]
        assert (calm["compliance"]["status_id"], calm["severity"]) == (1, "Informational")
        assert calm["status_detail"] == "acknowledged: yes: retired, CHG-1"

    def test_a_finding_has_the_same_uid_in_every_report_and_another_than_all_others(self) -> None:
        first, second = events(full_report()), events(full_report())
        uids = [event["finding_info"]["uid"] for event in first]
        assert uids == [event["finding_info"]["uid"] for event in second]
        assert len(set(uids)) == len(uids)

    def test_times_are_milliseconds(self) -> None:
        assert {event["time"] for event in events(full_report())} == {int(NOW * 1000)}

    def test_it_names_account_region_and_key(self) -> None:
        event = events(full_report())[0]
        assert event["cloud"]["account"]["uid"] == HERE.account_id
        assert event["resources"][0]["uid"] == a_key("soon").arn
        assert event["unmapped"]["finding"]["scheduled_by"] == "alice"


class TestJunit:
    def test_what_fails_fails_what_is_tolerated_is_skipped_and_what_is_unknown_is_an_error(self) -> None:
        root = suites(full_report())
        assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
            "tests": "10",
            "failures": "1",
            "errors": "3",
            "skipped": "3",
        }

    def test_a_clear_target_has_a_test_that_passed(self) -> None:
        (case,) = suites(clear_report()).findall("testsuite[2]/testcase")
        assert (case.get("name"), case.find("failure"), case.find("error")) == ("every key was read", None, None)

    def test_a_failure_says_how_to_save_the_key(self) -> None:
        text = suites(full_report()).findtext(".//failure") or ""
        assert "kms-exporter cancel-deletion" in text
        assert "alice" in text

    def test_each_test_has_a_name_of_its_own(self) -> None:
        names = [(case.get("classname"), case.get("name")) for case in suites(full_report()).iter("testcase")]
        assert len(set(names)) == len(names)

    def test_nothing_watched_is_an_error_too(self) -> None:
        assert suites(report_of(a_look(), Settings())).get("errors") == "1"


class TestPlain:
    def test_each_key_is_one_line_the_most_urgent_first(self) -> None:
        lines = as_plain(full_report()).decode().splitlines()
        assert " ".join(lines[0].split()) == "LEFT KEY ACCOUNT REGION SCHEDULED BY LAST USED ACKNOWLEDGED"
        assert [line.split("  ")[0] for line in lines[1:5]] == ["1.0 d", "no date", "20.0 d", "3.0 d"]
        assert re.search(
            r"alias/soon \(soon\) +111122223333 \(platform\) +eu-west-1 +alice +2 d ago \(3 denied\)", lines[1]
        )

    def test_what_could_not_be_checked_stands_below_in_plain_sight(self) -> None:
        text = as_plain(full_report()).decode()
        assert "\nCould not check\n  organization: denied\n  account 333344445555: AssumeRole: AccessDenied\n" in text

    def test_it_tells_who_looked_when_and_at_what(self) -> None:
        text = as_plain(full_report()).decode()
        assert "5 keys in 1 of 2 targets (an account in a region), 3 accounts" in text
        assert f"by {CALLER.arn}" in text
        assert "from 2026-09-21T14:13:10Z to 2026-09-21T14:13:20Z" in text

    @pytest.mark.parametrize(
        ("report", "verdict"),
        [
            (clear_report(), "Everything was checked. 0 unacknowledged deletions pending."),
            (
                full_report(),
                (
                    "Could not check everything (3 things). 1 unacknowledged deletion pending, due within 7d. "
                    "2 unacknowledged deletions due later. 1 acknowledged deletion."
                ),
            ),
            (report_of(a_look(account_errors={"home": "denied"}), Settings()), "Could not check anything (1 thing)."),
        ],
    )
    def test_the_last_line_is_the_verdict(self, report: Report, verdict: str) -> None:
        assert as_plain(report).decode().splitlines()[-1] == verdict


@pytest.mark.parametrize("form", [as_json, as_csv, as_junit, as_ocsf, as_plain])
@pytest.mark.parametrize("text", HOSTILE)
def test_no_hostile_text_gets_a_control_character_into_a_report(form: Form, text: str) -> None:
    assert CONTROLS.findall(form(hostile_report(text)).decode("utf-8-sig").replace("\r\n", "\n")) == []


@pytest.mark.parametrize("form", [as_junit, as_ocsf, as_plain])
def test_an_acknowledgement_is_told_with_the_day_that_was_declared(form: Form) -> None:
    declared = {"acknowledgements": [{"key": "calm", "reason": "retired", "until": "2027-01-31"}]}
    report = report_of(a_look(a_state(a_key("calm"))), Settings.model_validate({"deletions": declared}))
    assert "until 2027-01-31" in form(report).decode()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_breaks_no_form(text: str) -> None:
    report = hostile_report(text)
    assert valid_json(report)["findings"][0]["alias"] == text
    assert len(rows(report)) == len(report.findings) + len(report.gaps)
    assert suites(report).get("failures") == "1"
    assert len(events(report)) == len(report.findings) + len(report.gaps)
    assert len([line for line in as_plain(report).decode().splitlines() if line.startswith("20.0 d")]) == 1


class TestDocuments:
    PAGE = (Path(__file__).parents[2] / "docs" / "check.md").read_text("utf-8")

    def test_the_page_names_every_member_of_the_json(self) -> None:
        members = {
            name
            for part in (SCHEMA, *SCHEMA["$defs"].values())
            for name in part.get("properties", {}).keys() - {"findings"}
        }
        assert {name for name in members if f"`{name}" not in self.PAGE} == set()

    def test_the_page_names_every_column_of_the_csv_in_order(self) -> None:
        named = self.PAGE.partition("The columns:")[2].partition(".\n")[0]
        assert tuple(re.findall(r"`(\w+)`", named)) == COLUMNS
