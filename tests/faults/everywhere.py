"""Faults that concern all targets or the process itself: how each begins and ends, and whom it concerns meanwhile."""

import signal
from collections.abc import Callable
from functools import partial

from exporter.demo.faults import Fault
from exporter.demo.world import DEFAULT_HOME
from exporter.model import Target
from tests.faults.kinds import VOLLEYS, Injected, Kinds, Undo
from tests.faults.rig import READ_TIMEOUT
from tests.faults.schedule import Planned

_NEW_SESSION = READ_TIMEOUT * 2
_DISCOVER_AGAIN = 30.0
"""Seconds until accounts are asked for again by a process that could not when it was started."""
_JUMPS = (-86_400.0, -3_600.0, -240.0, 30.0, 240.0, 3_000.0, 7_200.0, 86_400.0)


class Everywhere(Kinds):
    """The kinds of `schedule.EVERYWHERE`."""

    def endpoint_dead(self, planned: Planned) -> Injected:
        trouble = self._trouble(planned, total=True, grace=_NEW_SESSION)
        self._rig.stop_aws()
        return Injected(planned, self._rig.start_aws, trouble)

    def connect_hang(self, planned: Planned) -> Injected:
        trouble = self._trouble(planned, total=True, fails_after=VOLLEYS, grace=VOLLEYS)
        self._rig.stop_aws(tarpit=True)
        return Injected(planned, self._rig.start_aws, trouble)

    def dns_failure(self, planned: Planned) -> Injected:
        trouble = self._trouble(planned, total=True, grace=_NEW_SESSION)
        self._rig.steering.resolves = False
        self._rig.stop_aws()  # a name is resolved for a new connection only
        self._rig.start_aws()

        def undo() -> None:
            self._rig.steering.resolves = True

        return Injected(planned, undo, trouble)

    def everything_500(self, planned: Planned) -> Injected:
        trouble = self._trouble(planned, slow=True, grace=VOLLEYS)
        fault = self._rig.faults.internal_error(fraction=planned.share)
        return Injected(planned, partial(self._rig.faults.remove, fault), trouble)

    def sts_down(self, planned: Planned) -> Injected:
        return self._without_sts(planned, self._rig.faults.internal_error, VOLLEYS)

    def sts_hang(self, planned: Planned) -> Injected:
        return self._without_sts(planned, self._rig.faults.hang, 3 * VOLLEYS)

    def _without_sts(self, planned: Planned, add: Callable[..., Fault], grace: float) -> Injected:
        """Let no role be assumed; sessions that there are go on, unless they are revoked too."""
        fault = add(service="sts")
        if planned.dice < 1 / 3:
            return Injected(planned, partial(self._rig.faults.remove, fault))
        trouble = self._trouble(planned, self._roles(), total=True, fails_after=grace, grace=grace)
        for account_id in self._rig.world.accounts:
            self._rig.world.credentials.revoke(account_id)
        return Injected(planned, partial(self._rig.faults.remove, fault), trouble)

    def _roles(self) -> list[Target]:
        return [target for target in self._rig.targets if target.account_id != DEFAULT_HOME]

    def sessions_expired(self, planned: Planned) -> Injected:
        for account_id in self._rig.world.accounts:
            self._rig.world.credentials.expire(account_id, self._rig.world.agenda.time() - 1)
        return Injected(planned, lambda: None)

    def sessions_revoked(self, planned: Planned) -> Injected:
        for account_id in self._rig.world.accounts:
            self._rig.world.credentials.revoke(account_id)
        return Injected(planned, lambda: None)

    def _member(self, planned: Planned) -> str:
        others = [account_id for account_id in self._rig.world.accounts if account_id != DEFAULT_HOME]
        return others[int(planned.dice * len(others))]

    def role_denied(self, planned: Planned) -> Injected:
        account_id = self._member(planned)
        trouble = self._trouble(planned, self._of(account_id), total=True)
        undo = self._close_account(account_id)
        return Injected(planned, undo, trouble)

    def account_leaves(self, planned: Planned) -> Injected:
        account = self._rig.world.accounts[self._member(planned)]
        trouble = self._trouble(planned, self._of(account.account_id), leaves=True, grace=self._rig.bounds.recover)
        open_account = self._close_account(account.account_id)
        account.member = False
        self._rig.hang_up()

        def undo() -> None:
            account.member = True
            open_account()
            self._rig.hang_up()

        return Injected(planned, undo, trouble)

    def _of(self, account_id: str) -> list[Target]:
        return [target for target in self._rig.targets if target.account_id == account_id]

    def _close_account(self, account_id: str) -> Undo:
        world, name = self._rig.world, "KmsExporter"
        world.add_role(account_id, name, assumable=False)
        world.credentials.revoke(account_id)
        return lambda: (world.add_role(account_id, name), None)[1]

    def clock_jump(self, planned: Planned) -> Injected:
        self._rig.jump(_JUMPS[int(planned.dice * len(_JUMPS))])
        return Injected(planned, partial(self._rig.jump, 0.0))

    def reload_good(self, planned: Planned) -> Injected:
        self._rig.configure(4 + int(planned.dice * 16))
        self._rig.hang_up()
        return Injected(planned, lambda: None)

    def reload_bad(self, planned: Planned) -> Injected:
        self._rig.config.write_text("refresh: {interval: often" + "}" * (planned.dice < 1 / 2))
        self._rig.hang_up()
        return Injected(planned, partial(self._rig.configure, 16))

    def reload_while_dead(self, planned: Planned) -> Injected:
        injected = self.endpoint_dead(planned)
        self._rig.hang_up()
        return injected

    def reload_storm(self, planned: Planned) -> Injected:
        trouble = self._trouble(planned, slow=True)
        for _ in range(5):
            self._rig.hang_up()
        return Injected(planned, self._rig.hang_up, trouble)

    def terminate(self, planned: Planned) -> Injected:
        self._rig.end(signal.SIGTERM)
        return Injected(planned, lambda: None)

    def kill(self, planned: Planned) -> Injected:
        self._rig.end(signal.SIGKILL)
        return Injected(planned, lambda: None)

    def restart_while_dead(self, planned: Planned) -> Injected:
        injected = self.endpoint_dead(planned)
        assert injected.trouble is not None
        injected.trouble.grace = _DISCOVER_AGAIN + VOLLEYS
        self._rig.end(signal.SIGTERM)
        return injected

    def memory_pressure(self, planned: Planned) -> Injected:
        trouble = self._trouble(planned, slow=True, grace=self._rig.bounds.start)
        if not self._rig.answers():
            return Injected(planned, lambda: None)
        self._rig.press(int(planned.dice * 160 * 2**20))
        self._rig.hang_up()  # which takes memory
        return Injected(planned, self._rig.release, trouble)
