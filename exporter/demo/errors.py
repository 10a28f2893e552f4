"""What an AWS service refuses with."""


class AwsError(Exception):
    """A refusal as the service states it.

    Attributes:
        code: the error code, such as `NotFoundException`.
        message: the text for people.
        status: the HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
