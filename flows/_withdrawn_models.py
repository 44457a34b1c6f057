"""What a withdrawal erases of seed models: whoever asks to be left out is left out of what was learned, too."""

import shutil
from pathlib import Path

from flows._doomed import Doomed
from flows._erasure import Erased
from flows._study import Study
from models.documents import DATA

TRAINING = "train"
"""Below work/: checkpoints of a training that was stopped; the lease's stage is called the same."""


def erase_models(study: Study, doomed: Doomed, erased: Erased) -> None:
    """Delete every model whose data.json names one of the videos, and all checkpoints.

    A model is gone as a whole: nobody can take a person out of its weights. One that began with such a model names its
    recordings, too. What can't be read may name them and stays, told in words: it is the user's own to judge.
    """
    folder = study.layout.models
    for model in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not model.is_dir():
            continue
        try:
            told = (model / DATA).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            if model.name.startswith("."):  # a killed writer's
                _delete(model, erased)
            else:
                erased.stays.append(f"models/{model.name} has no {DATA}, so nobody knows what it learned from")
            continue
        if doomed.id_pattern.search(told):
            _delete(model, erased)
            if not model.name.startswith("."):
                erased.models.append(model.name)
    checkpoints = study.layout.work / TRAINING
    if checkpoints.is_dir():
        _delete(checkpoints, erased)


def _delete(folder: Path, erased: Erased) -> None:
    """Delete a folder; its data.json goes last, so that a killed erasure finds it again."""
    files = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.name == DATA)
    for path in files:
        erased.delete(path, kind=folder.parent.name if folder.parent.name == "work" else "models")
    shutil.rmtree(folder, ignore_errors=True)
