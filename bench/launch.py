"""Runs a command to its end, and prints what it took as JSON; exits as it did.

A small process of its own, since a process begins with the peak memory of the one that starts it: as a child of the
local Azure, each would seem to need as much memory as that.
"""

import json
import os
import resource
import subprocess
import sys
import time


def peak_mb(usage: resource.struct_rusage) -> float:
    """Return the most memory that a process had, in MB."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def main(command: list[str]) -> int:
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    took = {"wall_s": seconds, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mb": peak_mb(usage)}
    print(json.dumps(took))
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
