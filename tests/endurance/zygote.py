"""Starts one of our services again and again within milliseconds: imports it once, then forks.

Run with the name of a module that has a `main`. Reads commands, one a line: `start` answers the new
process's id, `wait ID` answers once that one has ended. At the end of its input it kills what runs.
"""

import importlib
import os
import signal
import sys


def _start(module: str, log: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.argv = [module]
    status = 1
    try:
        importlib.import_module(module).main()
        status = 0
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else 1
    finally:
        os._exit(status)


def main() -> None:
    """Obey until the input ends."""
    module, path = sys.argv[1:]
    importlib.import_module(module)
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    running: set[int] = set()
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "start":
            pid = _start(module, log)
            running.add(pid)
        else:
            pid = int(arguments[0])
            os.waitpid(pid, 0)
            running.discard(pid)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    for each in running:
        os.kill(each, signal.SIGKILL)


if __name__ == "__main__":
    main()
