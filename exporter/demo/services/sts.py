"""AWS Security Token Service (API Reference, 2011-06-15)."""

from datetime import UTC, datetime
from typing import Final

from exporter.demo.errors import AwsError
from exporter.demo.services.base import Answer, Call, Code, Codes, Service

_DEFAULT_DURATION: Final = 3600
_DURATIONS: Final = range(900, 43_201)
_CHAINED_DURATION: Final = 3600


def get_caller_identity(call: Call) -> Answer:
    """Tell who the caller is."""
    caller = call.principal
    return {"UserId": caller.user_id, "Account": caller.account_id, "Arn": caller.arn}


def assume_role(call: Call) -> Answer:
    """Hand out credentials of a role that lets the caller in and whose external id the caller knows."""
    role_arn = _required(call, "RoleArn")
    session_name = _required(call, "RoleSessionName")
    role = call.world.roles.get(role_arn)
    if role is None or not role.assumable or role.external_id not in {None, call.params.get("ExternalId")}:
        raise AwsError(
            "AccessDenied",
            f"User: {call.principal.arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}",
            403,
        )
    expires_at = call.world.agenda.time() + _duration(call, role.max_session)
    session = call.world.credentials.mint(role, session_name, expires_at)
    return {
        "Credentials": {
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_key,
            "SessionToken": session.token,
            "Expiration": datetime.fromtimestamp(expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "AssumedRoleUser": {"AssumedRoleId": session.user_id, "Arn": session.arn},
    }


def _duration(call: Call, longest: int) -> int:
    """Return the session's length in seconds: an hour at most when chained (IAM User Guide, "Role chaining")."""
    try:
        duration = int(call.params.get("DurationSeconds", _DEFAULT_DURATION))
    except ValueError:
        raise AwsError("ValidationError", "DurationSeconds is not a number") from None
    if duration not in _DURATIONS:
        raise AwsError("ValidationError", f"DurationSeconds must be from {_DURATIONS.start} to {_DURATIONS.stop - 1}")
    if call.principal.chained and duration > _CHAINED_DURATION:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        )
    if duration > longest:
        raise AwsError(
            "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    return duration


def _required(call: Call, name: str) -> str:
    value: str = call.params.get(name, "")
    if not value:
        raise AwsError("ValidationError", f"1 validation error detected: Value null at '{name}'")
    return value


SERVICE: Final = Service(
    name="sts",
    codes=Codes(
        denied=Code("AccessDenied", 403),
        throttled=Code("Throttling"),
        internal=Code("InternalFailure", 500),
        unknown_token=Code("InvalidClientTokenId", 403),
        expired_token=Code("ExpiredToken", 403),
        bad_signature=Code("SignatureDoesNotMatch", 403),
        unknown_operation=Code("InvalidAction"),
    ),
    operations={"GetCallerIdentity": get_caller_identity, "AssumeRole": assume_role},
)
