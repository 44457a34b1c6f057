"""A study that holds a made-up data set in the form of the MiGA challenges, and nothing of its own."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import tomlkit

from flows._import import ImportCall, import_data_set
from flows._study import Study
from tests.miga_files import MigaRecording, write_miga


def import_miga(study: Study, folder: Path, recordings: Sequence[MigaRecording] | Iterator[MigaRecording]) -> Study:
    """Write recordings below ``folder``, and import them."""
    write_miga(folder / "miga", recordings)
    call = ImportCall(format_name="miga", path=folder / "miga", subjects=folder / "miga" / "subjects.csv")
    import_data_set(study, call, tell=lambda line: None)
    return study


def tiny_training(root: Path, **changes: object) -> None:
    """Make the study's networks so small, and train them so little, that it takes seconds."""
    document = tomlkit.parse((root / "study.toml").read_text())
    train = document["train"]
    train.update(
        {
            "steps": 4,
            "windows_per_gesture": 0.0,
            "batch": 4,
            "fewest_examples": 3,
            "folds": 2,
            "checkpoint_seconds": 0.0,
        }
        | changes
    )
    train["pretrain"].update({"steps": 2, "batch": 4})
    train["network"].update({"width": 8, "layers": 1, "levels": 2})
    (root / "study.toml").write_text(tomlkit.dumps(document))
