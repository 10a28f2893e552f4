"""`cancel-deletion`: looks, shows, asks, saves, and tells; the rooms that do these things are wired here."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from typing import Any, Final

import botocore.session
from botocore.exceptions import BotoCoreError

from exporter.acknowledgements import Acknowledgements
from exporter.aws.caller import Caller, who_am_i
from exporter.aws.calls import Telemetry
from exporter.aws.connection import Connection, connect
from exporter.aws.discovery import Memory
from exporter.cli import cancel_text
from exporter.cli.bar import Silent, progress_bar
from exporter.cli.cancel_facts import Line, Tone, why_nothing
from exporter.cli.cancel_screen import Screen, few
from exporter.cli.cancel_wishes import Wishes, read_wishes
from exporter.cli.commands import Flags
from exporter.errors import ConfigError, TargetError
from exporter.findings.judging import report_of
from exporter.findings.report import Report
from exporter.log import Log, start_logging
from exporter.oneshot import look_once, narrowed
from exporter.remediation.doors import Doors, any_account, roles_of, with_role
from exporter.remediation.journal import Journal
from exporter.remediation.plan import Action, Plan
from exporter.remediation.planning import Planner
from exporter.remediation.record import RecordFile, Unfinished, append_text, open_record, read_unfinished
from exporter.remediation.rescue import Rescue
from exporter.remediation.results import Outcome, Result
from exporter.settings import Settings, load

_DONE: Final = 0
_NOT_ALL: Final = 1
_NOTHING_ATTEMPTED: Final = 2
_PATIENCE: Final = 120.0
"""How long, in seconds, is waited for a change to show."""


def run(flags: Flags, unrecognized: Sequence[str]) -> int:
    """Run the command; return its exit status.

    Raises:
        ConfigError: the configuration or the arguments can't be used; nothing was changed.
    """
    settings = load(flags, os.environ, unrecognized).settings
    wishes = read_wishes(flags)
    if not (wishes.yes or wishes.dry_run or sys.stdin.isatty()):
        raise ConfigError("--yes (command line) is missing, and standard input is no terminal to ask at")
    log = start_logging(level=settings.log.level, form=settings.log.format)
    if wishes.role_name:
        settings = settings.model_copy(update={"aws": with_role(settings.aws, wishes.role_name)})
    unfinished = read_unfinished(wishes.record) if wishes.record else {}
    with (
        _record(wishes) as record,
        asyncio.Runner() as runner,
        # All of each quota: the service's share is for what never ends.
        closing(_connected(_at_full_rate(settings), Silent())) as connection,
    ):
        command = _Command(settings, wishes, log, Screen(), runner, connection, record, unfinished)
        try:
            return command.run()
        except TargetError as error:  # while looking: later ones are results
            raise ConfigError(str(error)) from error


class _NoRecord:
    """Takes entries that nobody asked to keep."""

    def append(self, entry: Mapping[str, Any]) -> None:
        """Keep nothing."""


@dataclass(frozen=True, slots=True)
class _Command:
    """One run.

    Attributes:
        record: None without `--record`, and when nothing is to be changed.
        unfinished: what earlier runs on the record left to do.
    """

    settings: Settings
    wishes: Wishes
    log: Log
    screen: Screen
    runner: asyncio.Runner
    connection: Connection
    record: RecordFile | None
    unfinished: Mapping[str, Unfinished]

    def run(self) -> int:
        """Look, ask, save; return the exit status."""
        caller = self.runner.run(who_am_i(self.connection.calls, self.connection.home))
        plan = self.runner.run(self._plan(caller))
        self.screen.say([Line(f"as {caller.arn}", Tone.QUIET)])
        self.screen.show(plan)
        looked_everywhere = _NOT_ALL if plan.unchecked else _DONE
        if not plan.to_change:
            self.screen.say([Line("nothing to do", Tone.STRONG)])
            return looked_everywhere
        intention = cancel_text.intention(plan)
        if self.wishes.dry_run:
            self.screen.say([Line(f"dry run: would {intention}; nothing was changed", Tone.STRONG)])
            return looked_everywhere
        if not self._agreed(plan, intention):
            self.screen.say([Line("nothing was changed", Tone.STRONG)])
            return _NOTHING_ATTEMPTED
        return self._carry_out(plan, caller)

    async def _plan(self, caller: Caller) -> Plan:
        wishes, calls = self.wishes, self.connection.calls
        role_of = (
            roles_of(self.settings.aws, caller.partition)
            if wishes.everything
            else any_account(wishes.role_name, caller.partition)
        )
        planner = Planner(
            calls=calls,
            investigator=self.connection.investigator,
            doors=Doors(calls=calls, home=self.connection.home, caller=caller, role_of=role_of, now=time.time),
            acknowledgements=Acknowledgements.of(self.settings),
            unfinished=self.unfinished,
            enable=wishes.enable,
            now=time.time,
        )
        if wishes.everything:
            return await planner.of_report(await self._look(), wishes.scope)
        return await planner.of_names(wishes.names, wishes.region or _configured_region())

    async def _look(self) -> Report:
        """Look at everything, at the rate and with the roles of the configuration."""
        settings, scope = narrowed(self.settings, self.wishes.scope), self.wishes.scope
        with progress_bar() as bar, closing(_connected(settings, bar)) as connection:
            look = await look_once(
                connection,
                scope,
                concurrency=settings.refresh.concurrency,
                log=self.log,
                now=time.time,
                monotonic=time.monotonic,
                progress=bar.progress,
            )
        return report_of(look, self.settings)

    def _agreed(self, plan: Plan, intention: str) -> bool:
        if self.wishes.yes:
            return True
        if not self.wishes.record:
            advice = "no --record: should this be interrupted, only this screen tells how far it came"
            self.screen.say([Line(advice, Tone.QUIET)])
        wanted = cancel_text.phrase(plan) if self.wishes.everything else "yes"
        return self.screen.ask(f'This will {intention}. Type "{wanted}" to go on:', wanted)

    def _carry_out(self, plan: Plan, caller: Caller) -> int:
        journal = Journal(
            sink=self.record or _NoRecord(),
            caller=caller.arn,
            reason=self.wishes.reason,
            ticket=self.wishes.ticket,
            now=time.time,
        )
        journal.started(plan)
        with self.screen.saving(plan):
            changed = self.runner.run(self._save(plan, journal))
        journal.finished(changed)
        untouched = [
            Result(step, Outcome.UNCHANGED, step.facts.key, why_nothing(step))
            for step in plan.steps
            if step.action is Action.NOTHING
        ]
        results = [*untouched, *changed]
        self.screen.say(cancel_text.summary(plan, results, brief=not few(plan)))
        kept = self._keep(journal, cancel_text.summary(plan, results))
        all_good = all(result.outcome.good for result in results)
        return _DONE if all_good and kept and not plan.unchecked else _NOT_ALL

    async def _save(self, plan: Plan, journal: Journal) -> list[Result]:
        """Save the keys; the first SIGINT or SIGTERM lets those under way be finished, the second does not."""
        rescue = Rescue(calls=self.connection.calls, journal=journal, listener=self.screen, patience=_PATIENCE)
        loop = asyncio.get_running_loop()

        def stop() -> None:
            rescue.stop()
            self.screen.say([Line("stopping: keys under way are finished; once more stops at once", Tone.BAD)])

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        try:
            return await rescue.run(plan.to_change)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _keep(self, journal: Journal, told: Iterable[Line]) -> bool:
        """Keep the summary beside the record; return whether everything is on record that was to be."""
        if self.record is None:
            return True
        told = [*cancel_text.heading(journal), *told]
        path = f"{self.wishes.record}.txt"
        trouble = self.record.trouble or append_text(path, "\n".join([*(line.text for line in told), "", ""]))
        if trouble:
            self.screen.say([Line(f"THE RECORD IS NOT COMPLETE: {trouble}", Tone.BAD)])
            return False
        self.screen.say([Line(f"record: {self.wishes.record}, to read: {path}", Tone.QUIET)])
        return True


def _record(wishes: Wishes) -> AbstractContextManager[RecordFile | None]:
    return open_record(wishes.record) if wishes.record and not wishes.dry_run else nullcontext()


def _connected(settings: Settings, telemetry: Telemetry) -> Connection:
    return connect(settings, memory=Memory(), telemetry=telemetry, now=time.time, monotonic=time.monotonic)


def _at_full_rate(settings: Settings) -> Settings:
    return settings.model_copy(update={"aws": settings.aws.model_copy(update={"request_rate": 1.0})})


def _configured_region() -> str:
    """Return the region of boto3's configuration, `""` without one."""
    try:
        configured = botocore.session.Session().get_config_variable("region")
    except BotoCoreError:  # no such profile, no such file: told when credentials are looked for
        configured = None
    return os.environ.get("AWS_REGION") or configured or ""
