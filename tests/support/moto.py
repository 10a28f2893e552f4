"""moto over HTTP: another's idea of AWS."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from moto.server import ThreadedMotoServer


@contextmanager
def moto_server() -> Iterator[str]:
    """Serve an empty AWS on loopback, and return its URL: what other tests left in this process is forgotten."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        httpx.post(f"{url}/moto-api/reset", trust_env=False).raise_for_status()
        yield url
    finally:
        server.stop()
