"""Entries for child processes of the tests: each does one thing that a stage should not do."""

import os
import time

from flows._isolation import Report
from schema.errors import MissingPartError


def finish(report: Report, name: str) -> None:
    report("tracks", 1, 2)
    print("noise of a library", name)


def abort(report: Report, name: str) -> None:
    report("tracks", 1, 2)
    os.abort()


def leave(report: Report, name: str) -> None:
    report("shots", 1, 2)
    os._exit(7)


def raise_unforeseen(report: Report, name: str) -> None:
    report("keypoints", 1, 2)
    raise LookupError(f"unforeseen in {name}")


def refuse(report: Report, name: str) -> None:
    raise MissingPartError("a weight file is missing; put it there")


def sleep(report: Report, name: str) -> None:
    report("tracks", 1, 2)
    time.sleep(60)


def eat_memory(report: Report, name: str) -> None:
    report("tracks", 1, 2)
    eaten = [bytearray(50 * 2**20) for _ in range(20)]
    time.sleep(len(eaten))
