"""Every option: its name, default, unit, check and meaning. The reference, the help and the checks come from here.

An option stands in the field alone: whoever adds one adds a line here and uses it; nothing else lists options.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from exporter.settings.durations import Duration
from exporter.settings.values import (
    NO_END,
    AccountId,
    AggregatorName,
    Day,
    ExternalId,
    FromText,
    KeyPattern,
    LabelsApart,
    Link,
    ListenAddress,
    OptionalAccountId,
    OptionalListenAddress,
    OptionalRegion,
    OptionalTagKey,
    QueueUrl,
    Reason,
    Region,
    RoleArn,
    RoleName,
    ShortText,
    TagKey,
    TelemetryPath,
    Unique,
    names_every_key,
    split_address,
)


class AtRestart:
    """Marks an option whose change takes effect at the next start only, not at a reload."""


class Conflict(NamedTuple):
    """Why two options that are fine alone can't stand together.

    Attributes:
        option: the option to blame, relative to the section.
        reason: a predicate; `{name}` stands for another option of the section and shows its value and source.
        accepted: what would do.
    """

    option: str
    reason: str
    accepted: str


class Section(BaseModel):
    """A group of options."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def conflicts(self) -> Iterator[Conflict]:
        """Tell which of the section's options contradict each other."""
        yield from ()

    @model_validator(mode="after")
    def _refuse_conflicts(self) -> Self:
        conflicts = tuple(self.conflicts())
        if conflicts:
            text = "; ".join(f"{conflict.option} {conflict.reason}" for conflict in conflicts)
            raise PydanticCustomError("conflict", "{text}", {"text": text, "conflicts": conflicts})
        return self


class Web(Section):
    """The HTTP server."""

    listen_address: Annotated[ListenAddress, AtRestart()] = Field(
        default="0.0.0.0:10841", description="Where the exporter listens."
    )
    telemetry_path: Annotated[TelemetryPath, AtRestart()] = Field(
        default="/metrics", description="Where the metrics are."
    )
    config_file: Annotated[str, AtRestart()] = Field(
        default="",
        description="Web configuration of exporter-toolkit's format: TLS, client certificates, users, response headers "
        "(docs/web-security.md); empty = none. It is read again when it changes.",
    )
    probe_address: Annotated[OptionalListenAddress, AtRestart()] = Field(
        default="",
        description="Where `/healthz` and `/readyz`, and nothing else, are also served without TLS and passwords; "
        "empty = nowhere.",
    )
    enable_reload: Annotated[bool, AtRestart()] = Field(
        default=False, description="Whether `POST /-/reload` reads the configuration again, as SIGHUP always does."
    )
    runbook_url: Annotated[Link, AtRestart()] = Field(
        default="", description="Link to your own runbook, shown beside each pending key on the status page."
    )

    def conflicts(self) -> Iterator[Conflict]:
        """Two listeners can't share a port of one address."""
        if self.probes_at is None:
            return
        (host, port), (probe_host, probe_port) = self.address, self.probes_at
        everywhere = {"", "0.0.0.0", "::"}  # noqa: S104 - compared, not listened on
        if port and port == probe_port and (host == probe_host or everywhere & {host, probe_host}):
            yield Conflict("probe_address", "is taken by {listen_address}", "another port")

    @property
    def address(self) -> tuple[str, int]:
        """Host, `""` for every interface, and port, 0 for a free one."""
        return split_address(self.listen_address)

    @property
    def probes_at(self) -> tuple[str, int] | None:
        """Host and port of the listener for probes, None without one."""
        return split_address(self.probe_address) if self.probe_address else None


class Item(Section):
    """An object in a list of a configuration."""

    @model_validator(mode="before")
    @classmethod
    def _drop_unset(cls, data: Any) -> Any:
        """Take a known option without a value (`name:` in YAML) as not given."""
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None or name not in cls.model_fields}


class Account(Item):
    """An account watched through a role in it."""

    role_arn: RoleArn = Field(description="The role to assume.")
    external_id: ExternalId = Field(
        default=SecretStr(""), description="External id that the role's trust policy asks for; never shown."
    )
    name: str = Field(default="", description="Name to show with the account.")
    regions: Annotated[tuple[Region, ...], FromText, Unique] = Field(
        default=(), description="Regions to watch in this account; empty = those of `aws.regions`."
    )


class Organization(Section):
    """Every account of an AWS organization."""

    enabled: bool = Field(
        default=False,
        description="Watch every active account of the organization. Takes credentials of the management account or "
        "of a delegated administrator.",
    )
    role_name: RoleName = Field(default="KmsExporter", description="The role to assume in each of its accounts.")
    include: Annotated[tuple[AccountId, ...], FromText, Unique] = Field(
        default=(), description="Accounts to watch; empty = all."
    )
    exclude: Annotated[tuple[AccountId, ...], FromText, Unique] = Field(
        default=(), description="Accounts to leave out."
    )

    def conflicts(self) -> Iterator[Conflict]:
        """An account can't be both in and out."""
        both = [account for account in self.include if account in self.exclude]
        if both:
            yield Conflict(
                "exclude", f"shares {', '.join(both)} with {{include}}", "accounts that include does not name"
            )


class Aws(Section):
    """What is watched, and how AWS is asked."""

    regions: Annotated[tuple[Region, ...], FromText, Unique] = Field(
        default=(), description="Regions to watch; empty = every region that is enabled in the account, discovered."
    )
    accounts: Annotated[tuple[Account, ...], FromText] = Field(
        default=(), description="Accounts to watch, each through a role."
    )
    home_account: bool = Field(default=True, description="Also watch the account of the exporter's own credentials.")
    organization: Organization = Organization()
    request_rate: float = Field(
        default=0.2, gt=0, le=1, description="Share of each KMS request quota that may be used, per account and region."
    )
    connect_timeout: Duration = Field(default=3, ge=0.01, le=60, description="How long a connection to AWS may take.")
    read_timeout: Duration = Field(
        default=10,
        ge=0.01,
        le=300,
        description="How long AWS may be silent in an answer. A whole answer may take four times as long.",
    )

    @field_validator("accounts")
    @classmethod
    def _roles_apart(cls, accounts: tuple[Account, ...]) -> tuple[Account, ...]:
        counts = Counter(account.role_arn for account in accounts)
        repeated = ", ".join(arn for arn, count in counts.items() if count > 1)
        if repeated:
            raise ValueError(f"names a role more than once: {repeated}")
        return accounts

    def conflicts(self) -> Iterator[Conflict]:
        """There must be something to watch."""
        if not (self.home_account or self.accounts or self.organization.enabled):
            yield Conflict(
                "home_account",
                "leaves no account to watch beside {accounts} and {organization.enabled}",
                "true, or an account in aws.accounts, or aws.organization.enabled",
            )


class Keys(Section):
    """Which keys are exported, and with which labels."""

    export: Literal["customer", "pending", "all"] = Field(
        default="customer",
        description="Keys that have series of their own: `customer` managed ones; `pending`, those that an alert may "
        "be about (pending deletion, cancelled lately, or with imported material that expires); or "
        "`all`, AWS managed ones included, which are described then. Every key is counted in `kms_keys` in each mode.",
    )
    tags: Annotated[tuple[TagKey, ...], FromText, Unique, LabelsApart] = Field(
        default=(), description="Tags exported as `tag_<name>` labels of `kms_key_info`."
    )
    last_usage: bool = Field(
        default=False,
        description="Also ask when keys that are not pending deletion were last used, about once a day each, as slowly "
        "as the request budget of GetKeyLastUsage (5 a second) says.",
    )


class Refresh(Section):
    """When AWS is asked again."""

    interval: Duration = Field(
        default=60,
        ge=5,
        le=86_400,
        description="Time between changes passes: new keys, keys that vanished, every pending key, keys that events "
        "name.",
    )
    full_interval: Duration = Field(
        default=3600,
        ge=5,
        le=604_800,
        description="Time between full passes, in which every key is described, while events that tell of changes are "
        "readable for the target.",
    )
    fallback_interval: Duration = Field(
        default=300,
        ge=5,
        le=604_800,
        description="Time between full passes, in which every key is described, while no source of events is readable "
        "for the target.",
    )
    concurrency: int = Field(default=16, ge=1, le=256, description="Requests in flight, all targets together.")
    keep_failed: Duration = Field(
        default=86_400, ge=5, le=2_592_000, description="How long the last known keys of a failing target are served."
    )

    def conflicts(self) -> Iterator[Conflict]:
        """A full pass is a changes pass and more, so it is no more frequent; one failed pass must not drop a target."""
        for name in ("full_interval", "fallback_interval"):
            if getattr(self, name) < self.interval:
                yield Conflict(name, "is shorter than {interval}", "the same or longer")
        if self.keep_failed < 2 * self.interval:
            yield Conflict("keep_failed", "is shorter than twice {interval}", "two intervals or more")


class Changes(Section):
    """Where changes of keys are learned from, beside sweeps."""

    cloudtrail: bool = Field(
        default=True,
        description="Ask CloudTrail (LookupEvents, free of charge) which keys changed, who scheduled a deletion and "
        "when, and which uses of a pending key were denied.",
    )
    sqs_queue_url: QueueUrl = Field(
        default="",
        description="SQS queue to which EventBridge rules send the KMS events of accounts and regions, for detection "
        "within seconds; empty = none. `{shard}` in it stands for shard.index: each shard takes a queue of its own.",
    )
    config_aggregator: AggregatorName = Field(
        default="",
        description="AWS Config aggregator of the home account and region that is asked for pending keys in accounts "
        "and regions that nobody watches; empty = none.",
    )
    config_interval: Duration = Field(
        default=900,
        ge=60,
        le=86_400,
        description="Time between two questions to AWS Config, whose data may be a day old.",
    )


class Acknowledgement(Item):
    """A deletion that is declared intended."""

    key: KeyPattern = Field(description="ARN, id or alias (`alias/name`) of the key; `*` and `?` as in file names.")
    account: OptionalAccountId = Field(default="", description="Only in this account; empty = in any.")
    region: OptionalRegion = Field(default="", description="Only in this region; empty = in any.")
    reason: Reason = Field(description="Why the deletion is intended.")
    approved_by: ShortText = Field(default="", description="Who approved it.")
    ticket: ShortText = Field(default="", description="The ticket or change that says so.")
    until: Day = Field(default=NO_END, description="Last day, in UTC, on which the declaration holds; empty = no end.")
    all_keys: bool = Field(
        default=False, description="Must be true where `key` names no key in particular, such as `*` or `alias/*`."
    )

    @field_validator("all_keys")
    @classmethod
    def _meant(cls, all_keys: bool, info: ValidationInfo) -> bool:
        """What silences every key must be meant."""
        key = info.data.get("key", "")
        if not all_keys and key and names_every_key(key):
            text = f"must be true for the key {key!r}, which acknowledges the deletion of every key"
            raise PydanticCustomError(
                "unmeant", "{text}", {"text": text, "accepted": "true, or a key that names fewer"}
            )
        return all_keys


class Deletions(Section):
    """What is told of deletions."""

    acknowledgements: Annotated[tuple[Acknowledgement, ...], FromText] = Field(
        default=(), description="Deletions that are declared intended: they stay visible, and page nobody."
    )
    acknowledgement_tag: OptionalTagKey = Field(
        default="kms-exporter/deletion-approved",
        description="Tag that declares a key's deletion intended when it was set before the deletion was scheduled (a "
        "pending key can't be tagged). Its value is the reason; `until=2027-01-31`, `ticket=...` and `by=...` in it "
        "are understood. Empty = no tag does.",
    )
    last_usage: bool = Field(default=True, description="Ask when pending keys were last used (GetKeyLastUsage).")
    grants: bool = Field(default=True, description="Ask for the grants on pending keys (ListGrants).")
    scheduled_by: bool = Field(
        default=True, description="Tell who scheduled a deletion, and who was denied a use. False hides it everywhere."
    )
    keep_tombstones: Duration = Field(
        default=604_800,
        ge=0,
        le=31_536_000,
        description="How long a key that was pending and is gone, or whose deletion was cancelled, is still told.",
    )


class Shard(Section):
    """Which part of the targets this process watches, where several processes share them."""

    index: int = Field(default=0, ge=0, le=999, description="Which of the shards this process is, from 0.")
    total: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="How many shards there are; each target (one account in one region) is watched by exactly one.",
    )

    def conflicts(self) -> Iterator[Conflict]:
        """A shard that does not exist would watch nothing."""
        if self.index >= self.total:
            yield Conflict("index", "is no shard of {total}", f"0 to {self.total - 1}")


class Log(Section):
    """The exporter's log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severity that is logged."
    )
    format: Literal["text", "json"] = Field(default="text", description="Form of a log line.")


class Settings(BaseSettings):
    """The whole configuration, checked and immutable."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", validate_default=True, env_prefix="KMS_EXPORTER_", env_nested_delimiter="__"
    )

    web: Web = Web()
    aws: Aws = Aws()
    keys: Keys = Keys()
    refresh: Refresh = Refresh()
    changes: Changes = Changes()
    deletions: Deletions = Deletions()
    shard: Shard = Shard()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the caller alone.

        `load` reads flags, environment and file itself: it must tell of each value where it came from, refuse
        variables that name no option, and report every mistake at once, none of which the stock sources do.
        """
        return (init_settings,)
