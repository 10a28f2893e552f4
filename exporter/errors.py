"""The errors that this package raises on purpose."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.model import Target


class ExporterError(Exception):
    """Base of every error raised on purpose; its text is one line fit for a user."""


class ConfigError(ExporterError):
    """The configuration can't be used; the text names the option, its value, its source and what is accepted."""


class TargetError(ExporterError):
    """A call on behalf of a target failed, after the retries that could have helped.

    Attributes:
        target: the account and region asked.
        operation: the AWS operation, such as `ListKeys`.
        reason: the AWS error code, or one of `timeout`, `connection`, `credentials`, `invalid_response`; for
            what nobody foresaw, the name of the exception.
    """

    def __init__(self, target: "Target", operation: str, reason: str, detail: str = "") -> None:
        what = f"{operation} in {target}: {reason}"
        super().__init__(f"{what}: {detail}" if detail else what)
        self.target = target
        self.operation = operation
        self.reason = reason
        self.detail = detail
