"""boto3 clients: one for each service and region, whatever the number of accounts."""

import threading
from typing import Any

import boto3
import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials

import exporter
from exporter.aws.models import lean_loader
from exporter.aws.wire import Wire


class Clients:
    """Makes and keeps the clients, and signs each request with the credentials of the account it is sent for.

    A session with its client costs 9 MB and 157 ms and holds one account's credentials; a client on a shared session
    0.2 MB and 7 ms. So one client serves every account of its region: botocore signs a request with the credentials
    found under `request_credentials` in its signing context (botocore/signers.py, `RequestSigner.sign`), and the thread
    that sends it puts them there. Connections of a region are thereby shared across accounts too.
    """

    def __init__(self, *, connect_timeout: float, read_timeout: float, connections: int) -> None:
        """Prepare clients with these time-outs (seconds) and this many connections each; nothing is loaded yet."""
        self._config = Config(
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            max_pool_connections=connections,
            # Retried by `exporter.aws.calls`, which knows the budget and holds no thread while it waits.
            retries={"total_max_attempts": 1, "mode": "standard"},
            # A fixed string: botocore builds its default anew for every call (`benchmarks.pacing`).
            user_agent=f"kms-exporter/{exporter.__version__}",
        )
        self._wire = Wire(connect_timeout=connect_timeout, read_timeout=read_timeout)
        self._session: boto3.Session | None = None
        self._clients: dict[tuple[str, str], Any] = {}
        self._creating = threading.Lock()
        self._closed = False
        self._thread = threading.local()

    def get(self, service: str, region: str) -> Any:
        """Return the client of `service` in `region`; the first call for a pair may take 0.2 s.

        Raises:
            RuntimeError: it would be a new one, and the clients were closed.
        """
        client = self._clients.get((service, region))
        if client is not None:
            return client
        with self._creating:
            self._refuse_when_closed()
            if (service, region) not in self._clients:
                self._clients[service, region] = self._create(service, region)
            return self._clients[service, region]

    def sign_with(self, credentials: ReadOnlyCredentials) -> None:
        """Sign the requests that this thread sends from now on with `credentials`."""
        access_key, secret_key = credentials.access_key or "", credentials.secret_key or ""
        self._thread.credentials = Credentials(access_key, secret_key, credentials.token)

    def close(self) -> None:
        """Close every connection, and let no more requests be sent.

        A thread may have a row of them before it still. Each would open a connection that nobody closes before the
        garbage collector comes by, and after a reload there are as many threads of that kind as there were requests in
        flight.
        """
        with self._creating:
            self._closed = True
            for client in self._clients.values():
                client.close()
            self._clients.clear()
            self._wire.close()

    def _create(self, service: str, region: str) -> Any:
        if self._session is None:  # not before: a profile that does not exist must fail requests, not the process
            session = botocore.session.Session()
            session.register_component("data_loader", lean_loader(session.get_config_variable("data_path")))
            self._wire.verify_with(session.get_config_variable("ca_bundle"))
            self._session = boto3.Session(botocore_session=session)
        # Credentials are named, else each client would walk boto3's chain (and ask the metadata service) when created.
        client = self._session.client(  # type: ignore[call-overload]  # the stubs know literal service names only
            service,
            region_name=region,
            config=self._config,
            aws_access_key_id="set-per-request",
            aws_secret_access_key="set-per-request",  # noqa: S106 - a placeholder
        )
        client.meta.events.register_first(f"request-created.{service}", self._put_credentials)
        client.meta.events.register_last(f"before-send.{service}", self._wire.send)
        return client

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise RuntimeError("the clients were closed: a reload has replaced them, or the process ends")

    def _put_credentials(self, request: AWSRequest, **_: Any) -> None:
        self._refuse_when_closed()
        request.context.setdefault("signing", {})["request_credentials"] = self._thread.credentials
