"""What nobody foresaw is logged with its traceback, which holds no value but the text of the error."""

import io
import logging

import pytest

from exporter.log import JsonFormatter, Log, TextFormatter
from tests.secrets.canaries import Canaries

TOKEN = "IQoJb3JpZ2luX2VjEXAMPLETOKEN/+="


def sign(token: str) -> str:
    """Fail as code does that nobody foresaw, with a secret among its variables."""
    header = {"x-amz-security-token": token}
    raise RuntimeError(f"{len(header)} headers can't be signed")


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()], ids=["text", "json"])
def test_a_crash_tells_where_and_no_values(formatter: logging.Formatter) -> None:
    canaries, out = Canaries(), io.StringIO()
    token = canaries.plant("token", TOKEN)
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    logger = logging.Logger("crash")  # noqa: LOG001 - belongs to this test alone
    logger.addHandler(handler)
    try:
        sign(token)
    except RuntimeError as error:
        Log(logger).error("pass_crashed", exc_info=error, region="eu-west-1")

    assert "1 headers can't be signed" in out.getvalue()
    assert "in sign" in out.getvalue()
    assert canaries.found_in({"log": out.getvalue()}) == []
