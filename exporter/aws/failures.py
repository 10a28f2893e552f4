"""What an exception of botocore means: how it is called, whether trying again can help, and what it costs."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from botocore import exceptions as botocore_errors
from botocore.parsers import ResponseParserError

from exporter.aws.redaction import hide


class Scope(Enum):
    """What a failure that outlived its retries costs."""

    ITEM = "item"
    """The one thing asked for: other keys of the target may well answer."""
    TARGET = "target"
    """The whole pass: asking for the next key would only fail, and hang, the same way."""


class Remedy(Enum):
    """What may make the next attempt succeed."""

    NONE = "none"
    WAIT = "wait"
    """Time: the request is repeated after a pause of its own."""
    SLOW_DOWN = "slow down"
    """A lower rate: every request of this operation pauses."""
    RENEW = "renew"
    """Other credentials."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed request.

    Attributes:
        reason: AWS error code, or `timeout`, `connection`, `credentials`, `invalid_response`; for what nobody foresaw,
            such as a setting that botocore can't use, the name of the exception.
        attempts: how often a request is sent at the most when it fails like this.
    """

    reason: str
    detail: str
    scope: Scope = Scope.ITEM
    remedy: Remedy = Remedy.NONE
    attempts: int = 1

    def without(self, secrets: Collection[str | None]) -> "Failure":
        """Return it without `secrets`, those of the request that failed."""
        return replace(self, reason=hide(self.reason, secrets), detail=hide(self.detail, secrets))


# https://github.com/boto/botocore: botocore/retries/standard.py, `ThrottledRetryableChecker`.
_THROTTLED: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
# Errors common to all AWS APIs that speak of the signature or the session, not of what was asked:
# https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html
_CREDENTIALS: Final = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
# https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html#API_DescribeKey_Errors
_PASSING: Final = frozenset(
    {"DependencyTimeoutException", "InternalFailure", "KMSInternalException", "ServiceUnavailable"}
)

_NO_CREDENTIALS: Final = (
    botocore_errors.CredentialRetrievalError,
    botocore_errors.NoAuthTokenError,
    botocore_errors.NoCredentialsError,
    botocore_errors.PartialCredentialsError,
    botocore_errors.SSOError,
    botocore_errors.TokenRetrievalError,
)
_SERVER_ERROR = 500


def understand(error: Exception) -> Failure:
    """Say what `error`, raised by a boto3 call or by reading its answer, means."""
    # Below its first line an error of the parser quotes the answer, which may hold the credentials of a session.
    text = str(error).partition("\n")[0] if isinstance(error, ResponseParserError) else str(error)
    detail = " ".join(text.split()) or type(error).__name__
    match error:
        case botocore_errors.ClientError():
            return _refused(error)
        case botocore_errors.ReadTimeoutError() | botocore_errors.ConnectTimeoutError():
            return Failure("timeout", detail, Scope.TARGET, Remedy.WAIT, attempts=2)
        case botocore_errors.ConnectionError() | botocore_errors.HTTPClientError():
            return Failure("connection", detail, Scope.TARGET, Remedy.WAIT, attempts=3)
        case botocore_errors.ParamValidationError():
            # Not sent: what an earlier answer named, such as a key without an id, can't be asked for.
            return Failure("invalid_response", detail)
        case (
            ResponseParserError()
            | LookupError()
            | TypeError()
            | ValueError()
            | AttributeError()
            | ArithmeticError()
            | RuntimeError()
        ):
            # Not what the API model promises, so nothing can be read out of it, least of all "no keys". The last two
            # come of numbers beyond measure, of dates that botocore can't place, and of nesting without end.
            return Failure("invalid_response", detail, Scope.ITEM, Remedy.WAIT, attempts=3)
    reason = "credentials" if isinstance(error, _NO_CREDENTIALS) else type(error).__name__
    return Failure(reason, detail, Scope.TARGET)


def _refused(error: botocore_errors.ClientError) -> Failure:
    code = str(error.response.get("Error", {}).get("Code") or "Unknown")
    message = " ".join(str(error.response.get("Error", {}).get("Message") or "").split())
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _THROTTLED:
        return Failure(code, message, Scope.ITEM, Remedy.SLOW_DOWN, attempts=10)
    if code in _CREDENTIALS:
        return Failure(code, message, Scope.TARGET, Remedy.RENEW, attempts=2)
    if code in _PASSING or status >= _SERVER_ERROR:
        return Failure(code, message, Scope.ITEM, Remedy.WAIT, attempts=6)
    return Failure(code, message)
