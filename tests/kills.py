"""Work that is killed just before its n-th change of the disk."""

import os
import signal
from collections.abc import Callable
from pathlib import Path


def killed_at(moment: int, prepare: Callable[[], Callable[[], object]]) -> bool:
    """Do work in a process that is killed before its n-th fsync, unlink or replace; False where it has fewer.

    ``prepare`` is called in that process before anything is counted, and gives the work.
    """
    child = os.fork()
    if child == 0:
        count = 0

        def counted(change: Callable[..., object]) -> Callable[..., object]:
            def changed(*arguments: object, **more: object) -> object:
                nonlocal count
                count += 1
                if count == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
                return change(*arguments, **more)

            return changed

        work = prepare()
        os.fsync, Path.unlink, Path.replace = counted(os.fsync), counted(Path.unlink), counted(Path.replace)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
