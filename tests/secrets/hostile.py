"""An emulated AWS whose refusals and broken answers repeat what it was sent and what it handed out."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from exporter.demo import beyond
from exporter.demo.actors import assumed_role
from exporter.demo.errors import AwsError
from exporter.demo.principals import Principal
from exporter.demo.server import EmulatorServer, environment
from exporter.demo.world import World
from tests.secrets.canaries import Canaries

HOME, REGION = "111122223333", "eu-west-1"
HEALTHY = "222200000001"
TROUBLES = {
    "222200000002": "the role's refusal repeats the signed request",
    "222200000003": "the role's refusal repeats the external id",
    "222200000004": "the role's answer has a secret where a time belongs",
    "222200000005": "the role's answer is no XML",
    "222200000006": "the role's answer has no token",
    "222200000007": "the keys' refusal repeats the signed request",
    "222200000008": "the keys' refusal repeats the request, encoded",
    "222200000009": "the keys' answer is no JSON",
    "222200000010": "the role has another external id",
}


class HostileAws:
    """A world with an account for each kind of trouble, and every value in it that is a secret."""

    def __init__(self, canaries: Canaries) -> None:
        self.canaries = canaries
        self.world = World(home_regions=[REGION])
        self.home = self.world.credentials.issue(HOME, REGION, assumed_role("kms-exporter", "home"))
        canaries.plant("home secret key", self.home.secret_key)
        canaries.plant("home session token", self.home.token or "")
        canaries.plant("home access key id", self.home.access_key_id)
        self._external_ids = {account: f"external-{account}-id/of:acme" for account in (HEALTHY, *TROUBLES)}
        self._sessions: dict[str, Mapping[str, str]] = {}
        for number, (account, external_id) in enumerate(self._external_ids.items()):
            canaries.plant(f"external id of {account}", external_id)
            self.world.add_account(account, f"account-{number}", [REGION])
            self.world.add_role(
                account, "KmsExporter", external_id="another" if account == "222200000010" else external_id
            )
        for account in (HOME, HEALTHY, "222200000009"):
            vault = self.world.vault(account, REGION)
            vault.create_key(alias="alias/ledger")
            vault.schedule_deletion(vault.create_key(alias="alias/cards").key_id, 7)
        beyond.add(self.world, REGION)
        self.world.bridge.add_rule(self.world.add_queue("kms-events", REGION))

    @contextmanager
    def serving(self) -> Iterator[EmulatorServer]:
        """Serve it, with its troubles."""
        with EmulatorServer(self.world) as emulator:
            emulator.faults.change(self._session, operation="AssumeRole")
            for account in ("222200000007", "222200000008", "222200000009"):
                emulator.faults.change(lambda _, account=account: self._keys(account), account_id=account)
            yield emulator

    def variables(self, emulator: EmulatorServer) -> dict[str, str]:
        """Return the environment of a process that watches it."""
        return {
            **environment(emulator.url),
            "AWS_ACCESS_KEY_ID": self.home.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.home.secret_key,
            "AWS_SESSION_TOKEN": self.home.token or "",
            "KMS_EXPORTER_AWS__ACCOUNTS": json.dumps(
                [
                    {"role_arn": f"arn:aws:iam::{account}:role/KmsExporter", "external_id": external_id}
                    for account, external_id in self._external_ids.items()
                ]
            ),
            "KMS_EXPORTER_AWS__REGIONS": REGION,
            "KMS_EXPORTER_AWS__REQUEST_RATE": "1",
            "KMS_EXPORTER_LOG__LEVEL": "debug",
            "KMS_EXPORTER_CHANGES__CONFIG_AGGREGATOR": beyond.AGGREGATOR,
            "KMS_EXPORTER_CHANGES__SQS_QUEUE_URL": f"{emulator.url}/{HOME}/kms-events",
        }

    def _session(self, answer: Any) -> Any:
        """Take note of the session that was handed out; let the trouble of its account happen to the answer."""
        session = dict(answer["Credentials"])
        account = answer["AssumedRoleUser"]["Arn"].split(":")[4]
        self._sessions[account] = session
        for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"):
            self.canaries.plant(f"{name} of {account}, {len(self.canaries.planted)}", session[name])
        match account:
            case "222200000002":
                raise AwsError("SignatureDoesNotMatch", canonical(self.home), 403)
            case "222200000003":
                value = self._external_ids[account]
                raise AwsError("ValidationError", f"Value '{value}' at 'externalId' failed to satisfy constraint")
            case "222200000004":
                return {**answer, "Credentials": {**session, "Expiration": session["SecretAccessKey"]}}
            case "222200000005":
                return {**answer, "no element": ""}
            case "222200000006":
                del session["SessionToken"]
                return {**answer, "Credentials": session}
        return answer

    def _keys(self, account: str) -> Any:
        session = self._sessions[account]
        if account == "222200000007":
            raise AwsError("InvalidSignatureException", canonical(session), 400)
        if account == "222200000008":
            raise AwsError("KMSInternalException", f"X-Amz-Security-Token={quote(token_of(session), safe='')}", 500)
        return {"Keys": f"{session['SessionToken']} {session['SecretAccessKey']}"}


def token_of(signer: Principal | Mapping[str, str]) -> str:
    return (signer.token or "") if isinstance(signer, Principal) else signer["SessionToken"]


def canonical(signer: Principal | Mapping[str, str]) -> str:
    """Return what AWS says to a wrong signature: the request as it should have been signed, with its headers.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
    """
    return (
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method.\n\nThe Canonical String for this request should have been\n'POST\n/\n\n"
        f"host:sts.amazonaws.com\nx-amz-date:20260101T000000Z\nx-amz-security-token:{token_of(signer)}\n\n"
        "host;x-amz-date;x-amz-security-token\n0123'"
    )
