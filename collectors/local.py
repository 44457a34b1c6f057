"""Local files as sources: their platform is ``file``, their native id is their content's sha256."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from collectors.base import CollectConfig, Offer, SourceEntry, saved_suffix, store_full_error
from media.hashes import sha256_of
from schema.errors import DropReason, ItemError

FILE_PLATFORM = "file"


class LocalFileCollector:
    """Copies a file of this machine; the config's network settings do not matter to it."""

    def __init__(self, config: CollectConfig) -> None:
        self._config = config

    @contextmanager
    def open(self, entry: SourceEntry) -> Iterator[Offer]:
        """Hash the file; raises ``ItemError`` (missing, empty, unreadable)."""
        path = Path(entry.location)
        try:
            if not path.is_file():
                raise ItemError(DropReason.MISSING, "no such file")
            if path.stat().st_size == 0:
                raise ItemError(DropReason.EMPTY, "the file has 0 bytes")
            sha256 = sha256_of(path)
        except OSError as error:
            raise ItemError(DropReason.UNREADABLE, f"the file can't be read: {error.strerror}") from None
        save = partial(_copy, path, f"{entry.source_id}{saved_suffix(path.name)}")
        yield Offer(platform=FILE_PLATFORM, native_id=sha256, title=path.name, sha256=sha256, save=save)


def _copy(source: Path, name: str, folder: Path) -> Path:
    target = folder / name
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        full = store_full_error(error, source.stat().st_size)
        if full is None:
            raise ItemError(DropReason.UNREADABLE, f"the file can't be copied: {error.strerror}") from None
        raise full from error
    return target
