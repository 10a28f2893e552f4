"""Run a command and write what it took, as JSON: python -I -S benchmarks/spent.py FILE COMMAND...

Linux counts towards a process' peak memory what it was before it called execve(2): a copy of whoever started it. So
nothing large may start what is measured; this interpreter is smaller than any of it.
"""

import json
import os
import sys
import time


def main() -> None:
    """Write wall and CPU seconds, the peak in MB of the largest process, and the exit status."""
    file, *command = sys.argv[1:]
    started = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ)
    _, status, used = os.wait4(process, 0)
    spent = {
        "wall": time.perf_counter() - started,
        "cpu": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss / 1024,
        "status": os.waitstatus_to_exitcode(status),
    }
    with open(file, "w") as report:  # noqa: PTH123 - pathlib alone would double the size of this process
        json.dump(spent, report)


if __name__ == "__main__":
    main()
