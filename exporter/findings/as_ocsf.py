"""The report as OCSF Compliance Findings (https://schema.ocsf.io/1.5.0/classes/compliance_finding), in a JSON array.

Control SC-12, cryptographic key establishment and management, of NIST SP 800-53 Rev. 5. One finding for each pending
key, one that passes for each target in which every key was read and none is pending, and one without a result for each
thing that could not be checked.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from py_ocsf_models import OCSF_VERSION
from py_ocsf_models.events.findings.activity_id import ActivityID
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding
from py_ocsf_models.events.findings.compliance_finding_type_id import ComplianceFindingTypeID
from py_ocsf_models.events.findings.severity_id import SeverityID
from py_ocsf_models.events.findings.status_id import StatusID
from py_ocsf_models.objects.account import TypeID
from py_ocsf_models.objects.cloud import Cloud
from py_ocsf_models.objects.compliance_status import StatusID as Result

from exporter.facts import DAY, Facts
from exporter.findings import words
from exporter.findings.as_json import finding_of
from exporter.findings.report import CheckedTarget, Finding, Gap, Report, Verdict, due_at

STANDARD: Final = "NIST SP 800-53 Rev. 5"
CONTROL: Final = "SC-12"
CHECK: Final = "kms-key-pending-deletion"

_ABOUT: Final = "No KMS key is pending deletion, unless that is declared intended and the key is not used."
_CRITICAL_DAYS: Final = 2
_HIGH_DAYS: Final = 7
_TYPE: Final = "Software and Configuration Checks"


class CloudComplianceFinding(ComplianceFinding):
    """A Compliance Finding with the attribute that OCSF's profile `cloud` adds."""

    cloud: Cloud


@dataclass(frozen=True, slots=True)
class _Subject:
    """What one event is about.

    Attributes:
        uid: the same in every report, so that a receiver knows it again.
        resource: as OCSF's `resource_details`.
        created: when it began, Unix seconds; None when unknown.
        more: what OCSF has no attribute for.
    """

    uid: str
    title: str
    description: str
    result: Result
    severity: SeverityID
    status: StatusID
    detail: str
    resource: Mapping[str, object]
    account_id: str
    account_name: str
    region: str
    created: float | None = None
    remediation: str = ""
    more: Mapping[str, object] = field(default_factory=dict)


def as_ocsf(report: Report) -> bytes:
    """Return a JSON array, in ASCII."""
    events = [
        CloudComplianceFinding.model_validate(_encodable(_event(report, subject))).model_dump(
            mode="json", exclude_none=True
        )
        for subject in _subjects(report)
    ]
    return json.dumps(events, indent=2).encode() + b"\n"


def _subjects(report: Report) -> Iterator[_Subject]:
    yield from (_of_finding(finding, principals=report.principals) for finding in report.findings)
    yield from map(_of_gap, report.gaps)
    yield from (_of_target(checked) for checked in report.targets if checked.complete and not checked.pending)


def _event(report: Report, subject: _Subject) -> Mapping[str, object]:
    moment = _milliseconds(report.ended)
    return {
        "activity_id": ActivityID.Create,
        "activity_name": ActivityID.Create.name,
        "class_name": "Compliance Finding",
        "cloud": {
            "provider": "AWS",
            "region": subject.region or None,
            "account": {
                "name": subject.account_name or subject.account_id or words.UNKNOWN,
                "uid": subject.account_id or words.UNKNOWN,
                "type_id": TypeID.AWS_Account,
                "type": "AWS Account",
            },
        },
        "compliance": {
            "control": CONTROL,
            "desc": _ABOUT,
            "standards": [STANDARD],
            "requirements": [f"{CONTROL} Cryptographic Key Establishment and Management"],
            "status_id": subject.result,
            "checks": [{"uid": CHECK, "name": "No key pending deletion", "desc": _ABOUT, "status_id": subject.result}],
        },
        "finding_info": {
            "uid": subject.uid,
            "title": subject.title,
            "desc": subject.description,
            "types": [_TYPE],
            "created_time": None if subject.created is None else _milliseconds(subject.created),
            "last_seen_time": moment,
            "data_sources": ["AWS KMS"],
        },
        "message": subject.title,
        "metadata": {
            "uid": _uid(subject.uid, str(moment)),
            "event_code": CHECK,
            "product": {"name": "kms-exporter", "vendor_name": "kms-exporter", "version": report.version},
            "profiles": ["cloud"],
            "version": OCSF_VERSION,
        },
        "remediation": {"desc": subject.remediation} if subject.remediation else None,
        "resources": [subject.resource],
        "severity_id": subject.severity,
        "severity": subject.severity.name,
        "start_time": _milliseconds(report.started),
        "end_time": moment,
        "status_id": subject.status,
        "status": subject.status.name,
        "status_code": subject.result.name.upper(),
        "status_detail": subject.detail,
        "time": moment,
        "type_uid": ComplianceFindingTypeID.Create,
        "type_name": "Compliance Finding: Create",
        "unmapped": {"checked_by": report.caller.arn if report.caller else None, **subject.more},
    }


def _of_finding(finding: Finding, *, principals: bool) -> _Subject:
    facts, key = finding.facts, finding.facts.key
    calm = finding.verdict is Verdict.ACKNOWLEDGED
    return _Subject(
        uid=_uid(key.arn),
        title=f"KMS key {words.name_of(facts)} is pending deletion",
        description=f"{words.verdict(finding)} Deletion: {words.date(facts)}, scheduled by "
        f"{words.who(finding, principals=principals)}; last used: {words.last_used(facts)}.",
        result=Result.Pass if calm else Result.Fail,
        severity=SeverityID.Informational if calm else _severity(facts),
        status=StatusID.Suppressed if calm else StatusID.New,
        detail=f"acknowledged: {words.acknowledged(facts)}",
        resource={
            "uid": key.arn,
            "name": words.name_of(facts),
            "type": "AWS::KMS::Key",
            "cloud_partition": key.partition,
            "region": facts.target.region,
            "labels": [f"{name}={value}" for name, value in key.tags],
        },
        account_id=facts.target.account_id,
        account_name=facts.account_name,
        region=facts.target.region,
        created=facts.scheduled_at,
        remediation=f"Unless it is intended, save the key: {facts.save_commands[0]}",
        more={"finding": finding_of(finding)},
    )


def _of_target(checked: CheckedTarget) -> _Subject:
    target = checked.target
    return _Subject(
        uid=_uid(str(target)),
        title=f"No KMS key of {target} is pending deletion",
        description=f"All of {checked.keys} customer managed keys were read, and none is pending deletion.",
        result=Result.Pass,
        severity=SeverityID.Informational,
        status=StatusID.Resolved,
        detail="every key was read",
        resource={
            "uid": str(target),
            "name": str(target),
            "type": "AWS account and region",
            "region": target.region,
        },
        account_id=target.account_id,
        account_name=checked.account_name,
        region=target.region,
        created=checked.checked_at,
    )


def _of_gap(gap: Gap) -> _Subject:
    return _Subject(
        uid=_uid("unreadable", gap.kind, gap.account_id, gap.region, gap.key_id),
        title=f"Could not check: {gap.subject}",
        description="Whether keys are pending deletion is not known here.",
        result=Result.Warning,
        severity=SeverityID.Medium,
        status=StatusID.New,
        detail=gap.reason,
        resource={
            "uid": gap.key_id or gap.region or gap.account_id or None,
            "name": gap.subject,
            "type": "AWS::KMS::Key" if gap.key_id else f"AWS {gap.kind}",
            "region": gap.region or None,
        },
        account_id=gap.account_id,
        account_name="",
        region=gap.region,
    )


def _severity(facts: Facts) -> SeverityID:
    days = (due_at(facts) - facts.now) / DAY
    if facts.needed or days < _CRITICAL_DAYS:
        return SeverityID.Critical
    return SeverityID.High if days < _HIGH_DAYS else SeverityID.Medium


def _uid(*parts: str) -> str:
    return sha256("\n".join((CHECK, *parts)).encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _milliseconds(moment: float) -> int:
    """Return Unix seconds as an OCSF timestamp (https://schema.ocsf.io/1.5.0/data_types, `timestamp_t`)."""
    return round(moment * 1000)


def _encodable(value: object) -> object:
    """Return a document whose text has bytes: what AWS answered may hold lone surrogates, which have none."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case Mapping():
            return {_encodable(name): _encodable(inner) for name, inner in value.items()}
        case list():
            return [_encodable(inner) for inner in value]
    return value
