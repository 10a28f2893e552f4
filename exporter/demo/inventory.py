"""The keys and aliases of one account in one region, as a collection."""

from exporter.demo.arns import arn
from exporter.demo.errors import AwsError
from exporter.demo.keys import Alias, Key
from exporter.demo.rules import Rules


class Inventory:
    """What there is in one account and region; `Vault` adds what can be done to it.

    Attributes:
        keys: by id; read it, change it through the methods.
        aliases: by name.
        ghosts: ids of deleted keys that ListKeys still lists, since KMS is eventually consistent.
        arn_prefix: of keys (`key/...`) and aliases.
    """

    __slots__ = (
        "_alias_order",
        "_key_order",
        "account_id",
        "aliases",
        "arn_prefix",
        "ghosts",
        "keys",
        "region",
        "rules",
    )

    def __init__(self, account_id: str, region: str, rules: Rules) -> None:
        self.account_id = account_id
        self.region = region
        self.rules = rules
        self.arn_prefix = arn("kms", region, account_id, "")
        self.keys: dict[str, Key] = {}
        self.aliases: dict[str, Alias] = {}
        self.ghosts: set[str] = set()
        self._key_order: list[str] | None = None
        self._alias_order: list[str] | None = None

    def add(self, key: Key) -> None:
        """Put a key that was made elsewhere into this vault."""
        self.keys[key.key_id] = key
        self._key_order = None

    def add_alias(self, name: str, target: str | None) -> Alias:
        """Create an alias; without a target it is a predefined AWS alias whose key does not exist yet."""
        with self.rules.agenda.lock:
            now = self.rules.agenda.time()
            alias = self.aliases[name] = Alias(name, target, now, now)
            self._alias_order = None
        return alias

    def key(self, key_id: str) -> Key:
        """Return a key.

        Raises:
            AwsError: `NotFoundException`.
        """
        self.rules.agenda.settle()
        try:
            return self.keys[key_id]
        except KeyError:
            raise AwsError("NotFoundException", f"Key '{self.arn_prefix}key/{key_id}' does not exist") from None

    def take_out(self, key: Key) -> None:
        """Take out a key with its aliases."""
        del self.keys[key.key_id]
        self._key_order = None
        for name in [name for name, alias in self.aliases.items() if alias.target == key.key_id]:
            del self.aliases[name]
            self._alias_order = None

    def key_ids(self) -> list[str]:
        """Return the ids that ListKeys lists, sorted; ghosts among them."""
        with self.rules.agenda.lock:
            if self._key_order is None or self.ghosts:
                self._key_order = sorted(self.keys.keys() | self.ghosts) if self.ghosts else sorted(self.keys)
            return self._key_order

    def alias_names(self) -> list[str]:
        """Return the names of all aliases, sorted."""
        with self.rules.agenda.lock:
            if self._alias_order is None:
                self._alias_order = sorted(self.aliases)
            return self._alias_order

    def pending(self) -> list[Key]:
        """Return the keys on their way to destruction, sorted by id."""
        with self.rules.agenda.lock:
            self.rules.agenda.settle()
            return sorted((key for key in self.keys.values() if key.pending), key=lambda key: key.key_id)

    def new_id(self, *, multi_region: bool) -> str:
        """Return an id that no key has."""
        bits = f"{self.rules.random.getrandbits(128):032x}"
        if multi_region:
            return f"mrk-{bits}"
        return f"{bits[:8]}-{bits[8:12]}-{bits[12:16]}-{bits[16:20]}-{bits[20:]}"
