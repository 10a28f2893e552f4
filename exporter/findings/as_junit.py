"""The report as JUnit XML, which CI systems draw.

A suite for each account and region: a test that every key was read, and one for each pending key, which fails where the
exit status says so and is skipped, with the reason, where the deletion is acknowledged or due later. What could not be
checked is an error.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final
from xml.etree import ElementTree as ET

from exporter.findings import words
from exporter.findings.report import Finding, Gap, GapKind, Report, Verdict
from exporter.findings.text import in_xml
from exporter.model import Target
from exporter.times import rfc3339

_OF_TARGETS: Final = frozenset({GapKind.TARGET, GapKind.KEY})


def as_junit(report: Report) -> bytes:
    """Return the document in UTF-8."""
    root = ET.Element("testsuites", {"name": "kms-exporter check", "time": f"{report.ended - report.started:.3f}"})
    _add_suite(root, report, "accounts and regions", _scope_cases(report))
    cases: defaultdict[Target, list[ET.Element]] = defaultdict(list)
    for gap in report.gaps:
        if gap.kind in _OF_TARGETS:
            cases[Target(gap.account_id, gap.region)].append(_gap_case(gap))
    for checked in report.targets:
        if checked.complete:
            output = f"{checked.keys} keys, {checked.pending} pending deletion"
            cases[checked.target].append(_case(_class(checked.target), "every key was read", output=output))
    for finding in report.findings:
        cases[finding.facts.target].append(_finding_case(finding, principals=report.principals))
    for checked in report.targets:
        name = in_xml(f"{checked.target} {checked.account_name}".rstrip())
        _add_suite(root, report, name, cases[checked.target])
    _count(root)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _add_suite(root: ET.Element, report: Report, name: str, cases: Iterable[ET.Element]) -> None:
    timestamp = (rfc3339(report.started) or "").removesuffix("Z")  # the schema that CI systems use has no zone
    suite = ET.SubElement(root, "testsuite", {"name": name, "timestamp": timestamp, "time": "0"})
    properties = ET.SubElement(suite, "properties")
    for key, value in (
        ("kms-exporter.version", report.version),
        ("checked.started", rfc3339(report.started)),
        ("checked.ended", rfc3339(report.ended)),
        ("checked.by", report.caller.arn if report.caller else words.UNKNOWN),
    ):
        ET.SubElement(properties, "property", {"name": key, "value": in_xml(value or words.UNKNOWN)})
    suite.extend(cases)
    _count(suite)


def _count(element: ET.Element) -> None:
    cases = list(element.iter("testcase"))
    element.set("tests", str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(sum(case.find(tag) is not None for case in cases)))


def _scope_cases(report: Report) -> Iterable[ET.Element]:
    yield from (_gap_case(gap) for gap in report.gaps if gap.kind not in _OF_TARGETS)
    for account in report.accounts:
        if not account.error:
            yield _case("kms", f"account {account.account_id} can be entered")


def _class(target: Target) -> str:
    return f"kms.{target.account_id}.{target.region}"


def _gap_case(gap: Gap) -> ET.Element:
    of_class = _class(Target(gap.account_id, gap.region)) if gap.kind in _OF_TARGETS else "kms"
    case = _case(of_class, f"{gap.subject} could be checked")
    _add_result(case, "error", gap.reason, kind=gap.kind, body=gap.reason)
    return case


def _finding_case(finding: Finding, *, principals: bool) -> ET.Element:
    facts = finding.facts
    case = _case(_class(facts.target), f"{words.name_of(facts)} ({facts.key.key_id}) is not pending deletion")
    body = "\n".join(_details(finding, principals=principals))
    if finding.verdict is Verdict.FAILS:
        _add_result(case, "failure", words.verdict(finding), kind=facts.key.state, body=body)
    else:
        _add_result(case, "skipped", f"{words.verdict(finding)} Acknowledged: {words.acknowledged(facts)}")
        ET.SubElement(case, "system-out").text = in_xml(body)
    return case


def _details(finding: Finding, *, principals: bool) -> Iterable[str]:
    facts = finding.facts
    yield f"key           {facts.key.arn}"
    yield f"to be deleted {words.date(facts)} (left: {words.left(facts)})"
    yield f"scheduled by  {words.who(finding, principals=principals)}"
    yield f"last used     {words.last_used(facts)}"
    if denied := words.denied(facts):
        yield f"uses          {denied} since it was scheduled"
    yield f"acknowledged  {words.acknowledged(facts)}"
    for source, reason in finding.missing.items():
        yield f"not known     {words.SOURCES[source]}: {reason}"
    yield f"save it with  {facts.save_commands[0]}"


def _case(of_class: str, name: str, *, output: str = "") -> ET.Element:
    case = ET.Element("testcase", {"classname": of_class, "name": in_xml(name), "time": "0"})
    if output:
        ET.SubElement(case, "system-out").text = output
    return case


def _add_result(case: ET.Element, tag: str, message: str, *, kind: str = "", body: str = "") -> None:
    attributes = {"message": in_xml(message)} | ({"type": in_xml(kind)} if kind else {})
    ET.SubElement(case, tag, attributes).text = in_xml(body) or None
