"""What an AWS service refuses with."""


class AwsError(Exception):
    """A refusal as the service states it.

    Attributes:
        code: the error code, such as `NotFoundException`.
        message: the text for people.
        status: the HTTP status.
        query_code: the code that a service which once spoke AWS query had for it then, which clients still go by;
            `""` for none.
    """

    def __init__(self, code: str, message: str, status: int = 400, *, query_code: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.query_code = query_code
