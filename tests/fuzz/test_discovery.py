"""Answers about accounts and regions that are not what they should be: no account appears that AWS did not name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from exporter.aws.discovery import Discovery, Memory, Watch
from exporter.settings import Settings
from tests.fuzz.corpus import VALID, each_kept, noting, valid
from tests.fuzz.documents import TEXTS, anything
from tests.fuzz.effort import tries
from tests.fuzz.told import everything_can_be_told, snapshot_of
from tests.fuzz.wire import HERE, Wire
from tests.support.snapshots import NOW

SERVICES: Final = {"organization_accounts": "organizations", "regions": "ec2", "caller": "sts"}
SETTINGS: Final = Settings.model_validate({"aws": {"organization": {"enabled": True}}})
MARKS: Final = ("<", ">", "</", "/>", "&amp;", "&x;", "<!DOCTYPE a [<!ENTITY x 'y'>]>", "]]>", "<a>" * 2_000, "\x00")


@st.composite
def near_xml(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Return XML in which some pieces are gone, doubled, or something else."""
    text = draw(st.sampled_from(seeds)).decode()
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 40)))
        piece = draw(st.sampled_from(["", text[start:end] * 2, *MARKS, *TEXTS]))
        text = text[:start] + piece + text[end:]
    return text.encode("utf-8", "surrogatepass")


def discovered(aws: Wire, name: str, body: bytes) -> Watch:
    """Discover with one answer that is `body`, and the others as they should be."""
    for other, service in SERVICES.items():
        aws.answers(body if other == name else valid(other)[0], service=service)
    discovery = Discovery(
        settings=SETTINGS.aws,
        calls=aws.calls,
        home=aws.access,
        partition="aws",
        memory=Memory(),
        now=lambda: NOW,
        monotonic=lambda: 0.0,
    )

    async def last() -> Watch:
        watch = Watch()
        async for watch in discovery.look():  # noqa: B007 - the last one is wanted
            pass
        return watch

    with noting(name, body):
        watch = aws.run(last())
        for error in filter(None, (*watch.account_errors.values(), watch.organization_error)):
            assert error.splitlines() == [error]
        for access in watch.accesses.values():
            assert access.target.account_id.isdigit()
            assert access.target.account_id in " ".join(texts(body))
            everything_can_be_told(snapshot_of(target=access.target, account_name=access.account_name))
    return watch


def texts(body: bytes) -> Iterator[str]:
    """Yield everything in which an account may have been named."""
    yield body.decode("utf-8", "replace")
    yield HERE.account_id
    yield from (seed.decode() for name in SERVICES for seed in valid(name))


@each_kept("organization_accounts")
def test_lists_that_are_kept(aws: Wire, kept_input: Path) -> None:
    watch = discovered(aws, "organization_accounts", kept_input.read_bytes())
    assert (not watch.organization_error) is kept_input.name.startswith(VALID)


@tries(25)
@given(body=anything(valid("organization_accounts")))
def test_no_list_of_accounts_ends_discovery(aws: Wire, body: bytes) -> None:
    discovered(aws, "organization_accounts", body)


@tries(25)
@given(body=near_xml(valid("regions")))
def test_no_list_of_regions_ends_discovery(aws: Wire, body: bytes) -> None:
    discovered(aws, "regions", body)


@tries(25)
@given(body=near_xml(valid("caller")))
def test_no_answer_about_the_caller_ends_discovery(aws: Wire, body: bytes) -> None:
    discovered(aws, "caller", body)
