"""Where exports are written: a target is whole or not there, and what was there is never written over."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schema.errors import StoreFullError, UsageError
from schema.files import written_beside


def check_free(target: Path, *, folder: bool = False) -> None:
    """Raise ``UsageError`` where something is at a target already, an empty folder for a folder excepted."""
    if folder and target.is_dir() and not target.is_symlink() and not any(target.iterdir()):
        return
    if target.is_symlink() or target.exists():
        raise UsageError(f"{target} is there already: choose a new path{', or an empty folder' if folder else ''}")


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a hidden folder beside ``target`` to fill, then rename it; a failure leaves nothing.

    A process that is killed leaves the hidden folder, which the next export to the same target removes.

    Raises ``UsageError`` where the target holds something, and ``StoreFullError`` where the disk is full.
    """
    target = target.absolute()
    check_free(target, folder=True)
    prefix = f".exporting-{target.name}."
    folder = target.with_name(f"{prefix}{os.getpid()}.{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(target.parent, prefix)
        folder.mkdir()
        yield folder
        folder.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise UsageError(f"{target} was made by something else meanwhile: choose a new path") from error
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free = os.statvfs(target.parent)
        raise StoreFullError(
            f"{target.parent}: the disk is full ({free.f_bavail * free.f_frsize // 2**20} MiB free) while exporting "
            f"{target.name}; nothing was left there: make room and run the same command again"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Give a hidden file beside ``target`` to write, then put it in place; a failure leaves nothing.

    Raises ``UsageError`` where something is there already, and ``StoreFullError`` where the disk is full.
    """
    target = target.absolute()
    check_free(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target.parent, f".{target.name}.")
    with written_beside(target) as beside:
        yield beside


def remove_leftovers(parent: Path, prefix: str) -> None:
    """Remove what killed exports left: files and folders ``<prefix><process>.…`` whose process is no more."""
    for leftover in sorted(path for path in parent.iterdir() if path.name.startswith(prefix)):
        process = leftover.name.removeprefix(prefix).partition(".")[0]
        if not process.isdigit() or _is_running(int(process)):
            continue
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
