"""Makes of `python -m exporter serve` a process whose surroundings can be moved from outside.

Python imports this file by its name when a process starts with this folder on its path. What it moves is not to be
reached otherwise: the clock of one process alone, the resolver of names, and intervals shorter than anybody may
configure. Everything else is the exporter as its users run it.
"""

import json
import os
import socket
import time
from dataclasses import replace
from typing import Any

from exporter.cli import running
from exporter.settings import Loaded
from tests.faults.steering import NAME, REFRESH_VARIABLE, STEERING_VARIABLE, Steering


def steer(steering: Steering, refresh: dict[str, float]) -> None:
    """Let the clock and the resolver be as `steering` says at each moment, and lay `refresh` over that section."""
    clock, resolve, load = time.time, socket.getaddrinfo, running.load

    def resolved(host: Any, *arguments: Any, **options: Any) -> Any:
        if host != NAME:
            return resolve(host, *arguments, **options)
        if not steering.resolves:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return resolve("127.0.0.1", *arguments, **options)

    def hurried(*arguments: Any) -> Loaded:
        loaded = load(*arguments)
        settings = loaded.settings
        hurry = settings.model_copy(update={"refresh": settings.refresh.model_copy(update=refresh)})
        return replace(loaded, settings=hurry)

    time.time = lambda: clock() + steering.ahead
    socket.getaddrinfo = resolved
    running.load = hurried


steer(Steering(os.environ[STEERING_VARIABLE]), json.loads(os.environ[REFRESH_VARIABLE]))
