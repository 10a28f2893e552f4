"""An AWS emulator on loopback and the scenario of `kms-exporter demo`.

The emulator is no mock of the exporter: nothing in here knows the rest of the package. It speaks the real protocols to
any AWS client, so the demo, the tests and the benchmarks all drive the exporter through boto3 and HTTP.

Rooms: `world` is the truth (accounts, keys, time), `trail` remembers who did what to it, `services` answers the
operations from both, `wire` speaks the protocols, `faults` breaks what it is told to, `emulator` joins them into one
ASGI application and `server` runs that. `cast`, `endangered` and `timeline` play the demo on it.
"""
