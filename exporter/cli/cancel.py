"""`cancel-deletion`: its arguments."""

from collections.abc import Sequence
from typing import Final

from exporter.cli.commands import Commands, Flags

_EPILOG: Final = """exit status: 0, every key is saved, or nothing was to be done; 1, some are not saved, or not
everything could be looked at; 2, nothing was attempted. It takes kms:CancelKeyDeletion, kms:EnableKey and
kms:DescribeKey: docs/iam.md has the policy. docs/cancel-deletion.md
describes the record."""


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add(
        "cancel-deletion",
        _cancel,
        "cancel the deletion of keys, enable them, and verify that they are",
        usage="(KEY ... | --all-unacknowledged) --reason TEXT [--record FILE] [--dry-run]",
        epilog=_EPILOG,
    )
    parser.add_argument("keys", metavar="KEY", nargs="*", help="a key ARN; or a key id or alias/NAME, with --region")
    parser.add_argument(
        "--all-unacknowledged",
        dest="everything",
        action="store_true",
        help="every pending key of everything that the configuration watches, but for those whose deletion is "
        "acknowledged and that nobody uses",
    )
    parser.add_argument(
        "--region",
        dest="regions",
        action="append",
        metavar="REGION",
        default=[],
        help="the region of key ids and aliases (default: that of the AWS configuration); "
        "with --all-unacknowledged only keys of this region; may be repeated there",
    )
    parser.add_argument(
        "--account",
        dest="accounts",
        action="append",
        metavar="ACCOUNT",
        default=[],
        help="with --all-unacknowledged only keys of this account; may be repeated",
    )
    parser.add_argument(
        "--role-name",
        metavar="NAME",
        default="",
        help="the role to assume in the accounts of keys that are not in the account of your own credentials",
    )
    parser.add_argument("--reason", metavar="TEXT", default="", help="why; kept in the record; required")
    parser.add_argument("--ticket", metavar="TEXT", default="", help="the ticket or incident; kept in the record")
    parser.add_argument("--no-enable", dest="enable", action="store_false", help="leave the keys disabled")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--record",
        metavar="FILE",
        default="",
        help="append what is done, while it is done, to FILE (JSON lines) and at the end to FILE.txt (to read); "
        "after an interruption run the same command on the same file again",
    )


def _cancel(flags: Flags, unrecognized: Sequence[str]) -> int:
    # Here, so that the service, which starts from this command line too, has nothing in its process that changes keys.
    from exporter.cli.cancelling import run  # noqa: PLC0415 - see above

    return run(flags, unrecognized)
