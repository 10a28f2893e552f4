"""The image's HEALTHCHECK: exit status 0 when /healthz answers 200.

Where the exporter listens may be said by a flag, the environment or a file, and a file may have changed since it was
read. So the kernel is asked: which sockets of this container's processes accept connections (proc_net(5), proc(5)).
Whether they speak TLS is tried. The server is this container's own, so nobody has to vouch for it; where it asks for a
password or a certificate, which this has not, `web.probe_address` is a listener that does not.
Run without site-packages, so that it costs little.
"""

import http.client
import socket
import ssl
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

_PATIENCE = 3.0
_LISTEN = "0A"
"""The state of a socket in /proc/net/tcp that accepts connections (include/net/tcp_states.h)."""


def main() -> None:
    """Ask at each address; one is the exporter's, the demo has an emulated AWS beside it."""
    answers = [f"{host}:{port}/healthz: {_ask(host, port)}" for host, port in _addresses()]
    if not any(answer.endswith(f" {http.client.OK.value}") for answer in answers):
        sys.exit("\n".join(answers) or "nothing listens")


def _ask(host: str, port: int) -> str:
    plain = _status(http.client.HTTPConnection(host, port, timeout=_PATIENCE))
    if plain.isdecimal():
        return plain
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return f"{plain}, {_status(http.client.HTTPSConnection(host, port, timeout=_PATIENCE, context=context))}"


def _status(connection: http.client.HTTPConnection) -> str:
    """Return the status that is answered, or why there is none."""
    try:
        connection.request("GET", "/healthz")
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
    finally:
        connection.close()


def _addresses() -> Iterator[tuple[str, int]]:
    ours = set(_sockets())
    for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        table = Path("/proc/net", name)
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if fields[3] == _LISTEN and fields[9] in ours:
                yield _address(fields[1], family)


def _sockets() -> Iterator[str]:
    """Yield the inodes of the sockets of all processes that the user may look into."""
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = str(descriptor.readlink())
        except OSError:  # closed meanwhile
            continue
        if target.startswith("socket:["):
            yield target.removeprefix("socket:[").removesuffix("]")


def _address(local: str, family: socket.AddressFamily) -> tuple[str, int]:
    """Read an address such as `0100007F:2A59`: words of the machine's byte order, in hexadecimal; then the port."""
    packed, port = local.split(":")
    words = [int(packed[start : start + 8], 16) for start in range(0, len(packed), 8)]
    host = socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words))
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), int(port, 16)  # noqa: S104 - what is compared with


if __name__ == "__main__":
    main()
