"""What an exception of botocore means."""

import pytest
from botocore import exceptions as botocore_errors
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from exporter.aws.failures import Failure, Remedy, Scope, understand

URL = "http://127.0.0.1:1"


def refusal(code: str, status: int = 400, message: str = "No.") -> ClientError:
    error = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(error, "DescribeKey")  # type: ignore[arg-type]  # metadata is told in part only


def gist(failure: Failure) -> tuple[str, Scope, Remedy, int]:
    return failure.reason, failure.scope, failure.remedy, failure.attempts


@pytest.mark.parametrize(
    "code",
    [
        "ThrottlingException",  # KMS
        "Throttling",  # STS
        "ThrottledException",  # tagging
        "TooManyRequestsException",  # Organizations
        "RequestLimitExceeded",  # EC2
        "LimitExceededException",
    ],
)
def test_what_is_throttled_is_slowed_down_and_costs_a_single_key(code: str) -> None:
    assert gist(understand(refusal(code))) == (code, Scope.ITEM, Remedy.SLOW_DOWN, 10)


def test_throttling_is_throttling_whatever_its_status() -> None:
    assert understand(refusal("ThrottlingException", 503)).remedy is Remedy.SLOW_DOWN


@pytest.mark.parametrize(
    "code",
    [
        "ExpiredTokenException",  # KMS
        "ExpiredToken",  # STS
        "RequestExpired",  # EC2
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "AuthFailure",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
    ],
)
def test_refused_credentials_are_renewed_and_cost_the_pass(code: str) -> None:
    assert gist(understand(refusal(code, 403))) == (code, Scope.TARGET, Remedy.RENEW, 2)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("KMSInternalException", 500),
        ("DependencyTimeoutException", 503),
        ("InternalFailure", 500),
        ("ServiceUnavailable", 503),
        ("InternalError", 500),  # EC2
        ("KMSInternalException", 400),
        ("CodeOfTomorrow", 502),
    ],
)
def test_a_fault_of_the_service_may_pass(code: str, status: int) -> None:
    assert gist(understand(refusal(code, status))) == (code, Scope.ITEM, Remedy.WAIT, 6)


@pytest.mark.parametrize(
    "code",
    ["AccessDeniedException", "AccessDenied", "NotFoundException", "KMSInvalidStateException", "CodeOfTomorrow"],
)
def test_any_other_refusal_is_final_and_costs_a_single_key(code: str) -> None:
    assert gist(understand(refusal(code))) == (code, Scope.ITEM, Remedy.NONE, 1)


def test_a_refusal_without_a_code_is_one_all_the_same() -> None:
    assert gist(understand(ClientError({}, "ListKeys"))) == ("Unknown", Scope.ITEM, Remedy.NONE, 1)


@pytest.mark.parametrize(
    "error",
    [
        botocore_errors.ReadTimeoutError(endpoint_url=URL),
        botocore_errors.ConnectTimeoutError(endpoint_url=URL),
    ],
)
def test_a_time_out_costs_the_pass_after_a_second_attempt(error: Exception) -> None:
    assert gist(understand(error)) == ("timeout", Scope.TARGET, Remedy.WAIT, 2)


@pytest.mark.parametrize(
    "error",
    [
        botocore_errors.EndpointConnectionError(endpoint_url=URL),
        botocore_errors.ConnectionClosedError(endpoint_url=URL),
        botocore_errors.ProxyConnectionError(proxy_url=URL),
        botocore_errors.SSLError(endpoint_url=URL, error=OSError("certificate verify failed")),
        botocore_errors.HTTPClientError(error="bad status line"),
    ],
)
def test_a_connection_that_breaks_costs_the_pass_after_a_third_attempt(error: Exception) -> None:
    assert gist(understand(error)) == ("connection", Scope.TARGET, Remedy.WAIT, 3)


@pytest.mark.parametrize(
    "error",
    [
        botocore_errors.NoCredentialsError(),
        botocore_errors.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        botocore_errors.CredentialRetrievalError(provider="process", error_msg="exit status 1"),
        botocore_errors.UnauthorizedSSOTokenError(),
    ],
)
def test_without_credentials_there_is_nothing_to_try(error: Exception) -> None:
    assert gist(understand(error)) == ("credentials", Scope.TARGET, Remedy.NONE, 1)


@pytest.mark.parametrize(
    "error",
    [
        ResponseParserError("no JSON"),
        KeyError("Keys"),
        IndexError(),
        TypeError("text expected"),
        ValueError("same page"),
        AttributeError("timestamp"),
        RecursionError("too deep"),
        OverflowError("too large to convert to float"),
        RuntimeError("Unable to calculate correct timezone offset"),
    ],
)
def test_an_answer_that_can_not_be_read_may_be_a_better_one_next_time(error: Exception) -> None:
    assert gist(understand(error)) == ("invalid_response", Scope.ITEM, Remedy.WAIT, 3)


def test_what_can_not_be_asked_for_is_no_reason_to_stop() -> None:
    error = botocore_errors.ParamValidationError(report="Invalid length for parameter KeyId")
    assert gist(understand(error)) == ("invalid_response", Scope.ITEM, Remedy.NONE, 1)


@pytest.mark.parametrize("error", [botocore_errors.ProfileNotFound(profile="x"), MemoryError("too much")])
def test_what_nobody_foresaw_is_told_by_its_name(error: Exception) -> None:
    assert gist(understand(error)) == (type(error).__name__, Scope.TARGET, Remedy.NONE, 1)


def test_the_detail_is_one_line() -> None:
    assert understand(refusal("AccessDenied", message="not\n  authorized")).detail == "not authorized"
    assert understand(ValueError("two\nlines")).detail == "two lines"


def test_the_detail_is_never_empty_for_an_exception_without_a_text() -> None:
    assert understand(IndexError()).detail == "IndexError"
