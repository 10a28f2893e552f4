"""`serve`, `demo` and `config`: the commands around the running service."""

import contextlib
import os
import resource
import sys
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Final

import exporter
from exporter.cli.commands import Commands, Flags
from exporter.demo import beyond
from exporter.demo.scenario import demo_world
from exporter.demo.server import EmulatorServer, environment
from exporter.demo.timeline import play
from exporter.errors import ConfigError
from exporter.log import start_logging
from exporter.service import Service
from exporter.settings import Loaded, load, show
from exporter.web.app import create_app, create_probes
from exporter.web.security.configuration import read_web_file
from exporter.web.security.following import Security
from exporter.web.security.guard import Guard
from exporter.web.security.policy import policy_of
from exporter.web.server import Probes, serve

_SWITCH_INTERVAL: Final = 0.0005
"""How long, in seconds, a sweep may keep a scrape waiting for the interpreter."""
_OPEN_FILES: Final = 65_536
"""Sockets and files that may be open at once, where the hard limit allows. Strangers who begin TLS handshakes and never
end them hold a socket each for a minute, and the usual soft limit of 1024 would lock scrapers out."""
_DEMO_OPTIONS: Final = {
    "web.listen_address": "127.0.0.1:10841",
    "aws.organization.enabled": "true",
    "changes.config_aggregator": beyond.AGGREGATOR,
    "changes.config_interval": "60s",
    "keys.tags": "owner,kms-exporter/deletion-approved",
    "deletions.acknowledgements": """[
        {"key": "alias/card-vault-2023", "reason": "Cards of 2023 are erased", "approved_by": "carol",
         "ticket": "SEC-98"},
        {"key": "alias/settlement-archive", "reason": "Moved to the new archive", "ticket": "CHG-4802",
         "until": "2099-12-31"},
        {"key": "alias/registry-2023", "reason": "The old registry is gone"}
    ]""",
    "refresh.interval": "5s",
    "refresh.full_interval": "60s",
    "refresh.fallback_interval": "15s",
}
"""The demo's own defaults. One acknowledgement is contradicted by uses, another is about no key."""


def add(commands: Commands) -> None:
    """Add the commands to the command line."""
    commands.add("serve", _serve, "watch the keys and serve their metrics to Prometheus")
    config = commands.group("config", "check or show the configuration")
    config.add("validate", _validate, "check the configuration; nothing is started")
    config.add("show", _show, "print the effective configuration, each value with its source")
    own = (f"{path} {text}" if "\n" not in text else f"some {path}" for path, text in _DEMO_OPTIONS.items())
    commands.add(
        "demo",
        _demo,
        "watch an emulated AWS on this machine, with deletions that happen while you look",
        epilog=f"The demo has defaults of its own: {', '.join(own)}.",
    )


def _validate(flags: Flags, unrecognized: Sequence[str]) -> int:
    loaded = load(flags, os.environ, unrecognized)
    web_file = loaded.settings.web.config_file
    if web_file:
        policy_of(read_web_file(web_file, loaded.sources["web.config_file"]))
    print(f"OK: {', '.join(filter(None, (loaded.file, web_file))) or 'no file'}")
    return 0


def _show(flags: Flags, unrecognized: Sequence[str]) -> int:
    print(show(load(flags, os.environ, unrecognized)), end="")
    return 0


def _allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _serve(flags: Flags, unrecognized: Sequence[str]) -> int:
    _run(lambda: load(flags, os.environ, unrecognized))
    return 0


def _demo(flags: Flags, unrecognized: Sequence[str]) -> int:
    world = demo_world()
    beyond.add(world)
    with EmulatorServer(world) as emulator:
        # Nothing of the user's own AWS configuration may reach the emulator, nor the demo a real account.
        mine = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        os.environ.clear()
        os.environ.update(mine | environment(emulator.url))
        play(world)
        _run(
            lambda: load(flags, os.environ, unrecognized, _DEMO_OPTIONS),
            lambda address: print(_demo_text(address, emulator.url), flush=True),
        )
    return 0


def _run(read: Callable[[], Loaded], announce: Callable[[str], None] = lambda _: None) -> None:
    """Serve until the process is told to end; `announce` gets the address once it listens."""
    loaded = read()
    settings = loaded.settings
    log = start_logging(level=settings.log.level, form=settings.log.format)
    sys.setswitchinterval(_SWITCH_INTERVAL)
    _allow_open_files()
    web = settings.web

    def read_again() -> Loaded:
        again = read()
        start_logging(level=again.settings.log.level, form=again.settings.log.format)
        return again

    service = Service(loaded, read_again, revision=_revision(), log=log)
    security = None
    if web.config_file:
        named_by = loaded.sources["web.config_file"]
        security = Security(web.config_file, log, named_by=named_by, told=service.web_config_read)

    def listening(address: str) -> None:
        log.info("listening", address=address, telemetry_path=web.telemetry_path, tls=tls is not None)
        announce(address)
        service.start()

    def hangup() -> None:
        with contextlib.suppress(ConfigError):  # told and counted by the service
            service.reload()

    app = create_app(
        service,
        telemetry_path=web.telemetry_path,
        runbook_url=web.runbook_url,
        enable_reload=web.enable_reload,
    )
    tls = security.listener_context() if security else None
    probes = None
    if web.probes_at:
        probes = Probes(
            create_probes(service),
            *web.probes_at,
            listening=lambda address: log.info("probes_listening", address=address),
            named_by=loaded.sources["web.probe_address"],
        )
    try:
        serve(
            Guard(app, security) if security else app,
            *web.address,
            listening=listening,
            hangup=hangup,
            named_by=loaded.sources["web.listen_address"],
            tls=tls,
            probes=probes,
        )
    finally:
        service.stop()
    log.info("stopped")


def _demo_text(address: str, emulator: str) -> str:
    return f"""
    An emulated AWS organization is being watched: four accounts, a hundred keys.
    After 20 s a key gets scheduled for deletion, after 40 s one is saved, after 60 s one is gone for ever.
    In a fifth account, which nobody watches, AWS Config knows of a key pending deletion.

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
