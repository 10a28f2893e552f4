"""The command line: reads the configuration, wires the rooms, and is the only place that prints."""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Final, NoReturn

import exporter
from exporter.demo.scenario import demo_world
from exporter.demo.server import EmulatorServer, environment
from exporter.demo.timeline import play
from exporter.errors import ConfigError
from exporter.log import start_logging
from exporter.service import Service
from exporter.settings import Loaded, add_options, load, show
from exporter.web.app import create_app
from exporter.web.server import serve

_UNUSABLE: Final = 2
"""The exit status for a configuration or a command line that can't be used."""
_INTERRUPTED: Final = 130
_SWITCH_INTERVAL: Final = 0.0005
"""How long, in seconds, a sweep may keep a scrape waiting for the interpreter."""
_DEMO_OPTIONS: Final = {
    "KMS_EXPORTER_WEB__LISTEN_ADDRESS": "127.0.0.1:10841",
    "KMS_EXPORTER_AWS__ORGANIZATION__ENABLED": "true",
    "KMS_EXPORTER_KEYS__TAGS": '["owner", "kms-exporter/deletion-approved"]',
    "KMS_EXPORTER_REFRESH__INTERVAL": "5s",
    "KMS_EXPORTER_REFRESH__FALLBACK_INTERVAL": "15s",
}
"""What the demo sets unless its user does."""

Flags = Mapping[str, object]
Command = Callable[[Flags, Sequence[str]], None]


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command that `argv` (the process' arguments) names, and exit with its status."""
    namespace, unrecognized = _parser().parse_known_args(argv)
    command: Command = namespace.command
    try:
        command(vars(namespace), unrecognized)
        sys.stdout.flush()
    except ConfigError as error:
        for line in str(error).splitlines():
            print(f"kms-exporter: {line}", file=sys.stderr)
        sys.exit(_UNUSABLE)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `kms-exporter config show | head -1`
    sys.exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "kms-exporter",
        description="Prometheus exporter for AWS KMS keys that are about to be destroyed.",
        epilog="kms-exporter COMMAND --help shows every option.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"kms-exporter {exporter.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add(commands, "serve", _serve, "watch the keys and serve their metrics to Prometheus")
    config = commands.add_parser("config", help="check or show the configuration", allow_abbrev=False)
    of_config = config.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add(of_config, "validate", _validate, "check the configuration; nothing is started")
    _add(of_config, "show", _show, "print the effective configuration, each value with its source")
    _add(commands, "demo", _demo, "watch an emulated AWS on this machine, with deletions that happen while you look")
    return parser


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, command: Command, about: str
) -> None:
    parser = commands.add_parser(
        name,
        help=about,
        description=f"{about[0].upper()}{about[1:]}.",
        usage="%(prog)s [--config FILE] [--SECTION.OPTION VALUE ...]",
    )
    add_options(parser)
    parser.set_defaults(command=command)


def _validate(flags: Flags, unrecognized: Sequence[str]) -> None:
    loaded = load(flags, os.environ, unrecognized)
    print(f"OK: {loaded.file or 'no file'}")


def _show(flags: Flags, unrecognized: Sequence[str]) -> None:
    print(show(load(flags, os.environ, unrecognized)), end="")


def _serve(flags: Flags, unrecognized: Sequence[str]) -> None:
    _run(lambda: load(flags, os.environ, unrecognized))


def _demo(flags: Flags, unrecognized: Sequence[str]) -> None:
    world = demo_world()
    with EmulatorServer(world) as emulator:
        # Nothing of the user's own AWS configuration may reach the emulator, nor the demo a real account.
        mine = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        os.environ.clear()
        os.environ.update(_DEMO_OPTIONS | mine | environment(emulator.url))
        play(world)
        _run(
            lambda: load(flags, os.environ, unrecognized),
            lambda address: print(_demo_text(address, emulator.url), flush=True),
        )


def _run(read: Callable[[], Loaded], announce: Callable[[str], None] = lambda _: None) -> None:
    """Serve until the process is told to end; `announce` gets the address once it listens."""
    loaded = read()
    settings = loaded.settings
    log = start_logging(level=settings.log.level, form=settings.log.format)
    sys.setswitchinterval(_SWITCH_INTERVAL)
    service = Service(loaded, read, revision=_revision(), log=log)

    def listening(address: str) -> None:
        log.info("listening", address=address, telemetry_path=settings.web.telemetry_path)
        announce(address)
        service.start()

    def hangup() -> None:
        with contextlib.suppress(ConfigError):  # told and counted by the service
            service.reload()

    app = create_app(service, telemetry_path=settings.web.telemetry_path)
    try:
        serve(app, *settings.web.address, listening=listening, hangup=hangup)
    finally:
        service.stop()
    log.info("stopped")


def _demo_text(address: str, emulator: str) -> str:
    return f"""
    An emulated AWS organization is being watched: four accounts, a hundred keys.
    After 20 s a key gets scheduled for deletion, after 40 s one is saved, after 60 s one is gone for ever.

      page      http://{address}/
      metrics   http://{address}/metrics
      JSON      http://{address}/api/v1/keys
      AWS       {emulator}  (aws --endpoint-url {emulator} kms list-keys)

    Ctrl-C ends it.
"""


def _revision() -> str:
    """Return the commit that the package was built from, as the build wrote it down, `""` for a plain checkout."""
    file = resources.files(exporter) / "REVISION"
    return file.read_text().strip() if file.is_file() else ""
