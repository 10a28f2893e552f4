"""The client side against an AWS that no one here wrote: from the same story, it must conclude the same.

The story is told to moto and to the emulator through the same boto3 calls. It leaves out what moto 5.2.5 does not know:
`PendingReplicaDeletion` (a primary with replicas gets a date at once), `PendingImport`, pages, throttling, denied keys,
keys that are gone once their date has passed; and replicas, which the emulator makes in another way. Of AWS managed
keys moto knows the aliases, but lists no keys.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

from exporter.aws.connection import Connection, connect
from exporter.aws.discovery import Memory, Watch
from exporter.demo.server import EmulatorServer, environment
from exporter.demo.world import World
from exporter.inventory import Inventory
from exporter.model import Key, PassKind, Target, TargetState, Transition
from exporter.settings import Settings
from tests.aws.harness import Hasty, Heard, watching
from tests.support.moto import moto_server

HOME, MEMBER = "123456789012", "222233334444"  # the first is moto's
ROLE = f"arn:aws:iam::{MEMBER}:role/KmsExporter"
IRELAND, VIRGINIA = "eu-west-1", "us-east-1"
DAY = 86_400.0


@dataclass
class Side:
    """One of the two worlds, and what the exporter makes of it.

    Attributes:
        told: what happened in the last round of passes.
    """

    runner: asyncio.Runner
    inventory: Inventory
    connection: Connection | None = None
    told: list[Transition] = field(default_factory=list)

    def kms(self, region: str = IRELAND, account_id: str = HOME) -> Any:
        here = boto3.Session()
        if account_id == HOME:
            return here.client("kms", region)
        session = here.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="story")["Credentials"]
        return here.client(
            "kms",
            region,
            aws_access_key_id=session["AccessKeyId"],
            aws_secret_access_key=session["SecretAccessKey"],
            aws_session_token=session["SessionToken"],
        )

    def discover(self, settings: Settings) -> Watch:
        self.connection = connect(
            settings, memory=Memory(), telemetry=Heard(), now=time.time, monotonic=time.monotonic, rng=Hasty()
        )
        return self.runner.run(_last(self.connection))

    def sweep(self, watch: Watch, kind: PassKind) -> None:
        assert self.connection is not None
        self.inventory.watch({target: access.account_name for target, access in watch.accesses.items()}, {}, None)
        self.told = []
        for target, access in watch.accesses.items():
            state = self.inventory.state(target)
            assert state is not None
            work = self.connection.sweeper.sweep(access, kind, state.keys, state.unreadable)
            self.told += self.inventory.apply(target, self.runner.run(work))

    def known(self) -> dict[tuple[str, str], list[dict[str, object]]]:
        """Return what is known of every key, without what differs by chance."""
        return {
            (state.target.account_id, state.target.region): sorted(
                (self._comparable(key) for key in _keys(state)), key=repr
            )
            for state in self.inventory.snapshot.targets
        }

    def aws_managed(self, account_id: str, region: str) -> frozenset[str]:
        state = self.inventory.state(Target(account_id, region))
        assert state is not None
        assert state.keys is not None
        return state.keys.aws_managed

    def changes(self) -> list[tuple[str, str, str, str]]:
        return sorted((each.kind, each.key.description, each.before, each.key.state) for each in self.told)

    def _comparable(self, key: Key) -> dict[str, object]:
        facts: dict[str, object] = {
            name: getattr(key, name)
            for name in ("description", "state", "key_manager", "key_spec", "key_usage", "origin", "multi_region")
        }
        at = key.deletion.at if key.deletion else None
        return facts | {
            "arn": key.arn.replace(key.key_id, "ID"),
            "aliases": key.aliases,
            "tags": key.tags,
            "days_left": None if at is None else round((at - time.time()) / DAY, 1),
            "is_new": key.created_at is not None and abs(key.created_at - time.time()) < 600,
        }


async def _last(connection: Connection) -> Watch:
    watch = Watch()
    async for watch in connection.discovery.look():  # noqa: B007 - the last one is wanted
        pass
    return watch


def _keys(state: TargetState) -> list[Key]:
    assert state.keys is not None
    assert {key.key_manager for key in state.keys.by_id.values()} <= {"CUSTOMER"}, "others need not be described"
    return list(state.keys.by_id.values())


Story = Callable[[Side], object]
InBoth = Callable[[Story], tuple[object, object]]


@pytest.fixture
def in_both(monkeypatch: pytest.MonkeyPatch) -> InBoth:
    """Let a story happen in either world; return how it ends in the emulator and in moto."""

    def tell(story: Story) -> tuple[object, object]:
        ends = []
        for served in (emulator, moto):
            with served() as url:
                for name, value in environment(url).items():
                    monkeypatch.setenv(name, value)
                with side() as here:
                    ends.append(story(here))
        return ends[0], ends[1]

    return tell


@contextmanager
def emulator() -> Iterator[str]:
    world = World(home_account=HOME, home_regions=[IRELAND, VIRGINIA])
    world.home.name = "master"  # as moto calls it
    world.add_account(MEMBER, "member", [IRELAND, VIRGINIA])
    world.add_role(MEMBER, "KmsExporter")
    world.create_organization()
    for region in (IRELAND, VIRGINIA):
        world.vault(HOME, region).create_key(manager="AWS", alias="alias/aws/ebs")
    with EmulatorServer(world) as server:
        yield server.url


@contextmanager
def moto() -> Iterator[str]:
    with moto_server() as url:
        organizations = boto3.Session().client(
            "organizations", IRELAND, endpoint_url=url, aws_access_key_id="any", aws_secret_access_key="any"
        )
        organizations.create_organization(FeatureSet="ALL")
        organizations.create_account(AccountName="member", Email="member@example.com")
        organizations.close()
        yield url


@contextmanager
def side() -> Iterator[Side]:
    with asyncio.Runner() as runner:
        inventory = Inventory(keep_failed=DAY, keep_tombstones=DAY, now=time.time, monotonic=time.monotonic)
        here = Side(runner, inventory)
        yield here
        if here.connection is not None:
            here.connection.close()


def create(kms: Any, name: str, **options: Any) -> str:
    """Create a key that is told from the others by its description; return its id."""
    created = kms.create_key(Description=name, KeyUsage=options.pop("KeyUsage", "ENCRYPT_DECRYPT"), **options)
    return str(created["KeyMetadata"]["KeyId"])


def furnish(here: Side) -> dict[str, str]:
    """Create keys of every kind that both worlds know; return the id of each by its name."""
    ireland, virginia, member = here.kms(), here.kms(VIRGINIA), here.kms(IRELAND, MEMBER)
    ids = {
        name: create(ireland, name) for name in ("plain", "named", "disabled", "pending", "longer", "saved", "doomed")
    }
    ids["tagged"] = create(ireland, "tagged", Tags=[{"TagKey": "team", "TagValue": "core"}])
    ids["signing"] = create(ireland, "signing", KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")
    ids["primary"] = create(ireland, "primary", MultiRegion=True)
    ids["elsewhere"] = create(virginia, "elsewhere")
    ids["member"] = create(member, "member")
    ireland.create_alias(AliasName="alias/z", TargetKeyId=ids["named"])
    ireland.create_alias(AliasName="alias/a", TargetKeyId=ids["named"])
    ireland.disable_key(KeyId=ids["disabled"])
    ireland.schedule_key_deletion(KeyId=ids["pending"], PendingWindowInDays=7)
    ireland.schedule_key_deletion(KeyId=ids["longer"])
    ireland.schedule_key_deletion(KeyId=ids["saved"], PendingWindowInDays=10)
    ireland.cancel_key_deletion(KeyId=ids["saved"])
    virginia.schedule_key_deletion(KeyId=ids["elsewhere"], PendingWindowInDays=20)
    member.schedule_key_deletion(KeyId=ids["member"], PendingWindowInDays=15)
    return ids


EVERYTHING = watching(accounts=[{"role_arn": ROLE, "name": "member"}], regions=[IRELAND, VIRGINIA])
WITH_TAGS = EVERYTHING.model_copy(update={"keys": EVERYTHING.keys.model_copy(update={"tags": ("team",)})})


def test_what_is_known_after_a_first_look_is_the_same(in_both: InBoth) -> None:
    def story(here: Side) -> object:
        furnish(here)
        here.sweep(here.discover(WITH_TAGS), PassKind.FULL)
        assert here.aws_managed(HOME, IRELAND), "in both they are known by their aliases"
        return here.known()

    ours, theirs = in_both(story)
    assert ours == theirs
    assert isinstance(ours, dict)
    assert {place: len(keys) for place, keys in ours.items()} == {
        (HOME, IRELAND): 10,
        (HOME, VIRGINIA): 1,
        (MEMBER, IRELAND): 1,
        (MEMBER, VIRGINIA): 0,
    }
    pending = [(key["description"], key["days_left"]) for keys in ours.values() for key in keys if key["days_left"]]
    assert sorted(pending) == [("elsewhere", 20), ("longer", 30), ("member", 15), ("pending", 7)]


def test_what_happens_between_two_passes_is_told_alike(in_both: InBoth) -> None:
    def story(here: Side) -> object:
        ids = furnish(here)
        watch = here.discover(WITH_TAGS)
        here.sweep(watch, PassKind.FULL)
        assert not here.told
        ireland = here.kms()
        ireland.schedule_key_deletion(KeyId=ids["doomed"], PendingWindowInDays=8)
        ireland.cancel_key_deletion(KeyId=ids["pending"])
        ireland.cancel_key_deletion(KeyId=ids["longer"])
        ireland.schedule_key_deletion(KeyId=ids["longer"], PendingWindowInDays=9)
        ireland.disable_key(KeyId=ids["plain"])
        new = create(ireland, "new", Tags=[{"TagKey": "team", "TagValue": "edge"}])
        ireland.create_alias(AliasName="alias/new", TargetKeyId=new)
        here.sweep(watch, PassKind.CHANGES)
        after_changes = here.changes()
        here.sweep(watch, PassKind.FULL)
        return after_changes, here.changes(), here.known()

    ours, theirs = in_both(story)
    assert ours == theirs
    assert isinstance(ours, tuple)
    assert ours[0] == [
        ("created", "new", "", "Enabled"),
        ("deletion_cancelled", "pending", "PendingDeletion", "Disabled"),
        ("deletion_rescheduled", "longer", "PendingDeletion", "PendingDeletion"),
    ]
    assert ours[1] == [
        ("deletion_scheduled", "doomed", "Enabled", "PendingDeletion"),
        ("state_changed", "plain", "Enabled", "Disabled"),
    ]


def test_the_accounts_of_an_organization_are_found(in_both: InBoth) -> None:
    def story(here: Side) -> object:
        watch = here.discover(watching(organization={"enabled": True}, regions=[IRELAND]))
        names = sorted(access.account_name for access in watch.accesses.values())
        return names, sorted(watch.account_errors.values()), watch.organization_error

    assert in_both(story) == ((["master", "member"], ["", ""], ""),) * 2


def test_the_regions_of_an_account_are_found(in_both: InBoth) -> None:
    def story(here: Side) -> object:
        watch = here.discover(watching())
        regions = {target.region for target in watch.accesses}
        return regions >= {IRELAND, VIRGINIA}, dict(watch.account_errors)  # moto has every region enabled

    assert in_both(story) == ((True, {HOME: ""}),) * 2
