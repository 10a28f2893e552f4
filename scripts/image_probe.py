"""The image's HEALTHCHECK: exit status 0 when /healthz answers 200.

Run without site-packages, so it costs little. The port is that of `KMS_EXPORTER_WEB__LISTEN_ADDRESS`: a container that
sets another in a file or a flag sets the variable too, or brings a health check of its own.
"""

import http.client
import os
import sys

_DEFAULT = "0.0.0.0:10841"
_PATIENCE = 3.0


def main() -> None:
    """Ask once."""
    host, _, port = os.environ.get("KMS_EXPORTER_WEB__LISTEN_ADDRESS", _DEFAULT).rpartition(":")
    host = host.strip("[]")
    connection = http.client.HTTPConnection(
        "127.0.0.1" if host in {"", "0.0.0.0", "::"} else host,  # noqa: S104 - every interface includes loopback
        int(port),
        timeout=_PATIENCE,
    )
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except OSError as error:
        sys.exit(f"{connection.host}:{port}: {error}")
    if status != http.client.OK:
        sys.exit(f"/healthz: {status}")


if __name__ == "__main__":
    main()
