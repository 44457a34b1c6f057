"""One study, opened: its configuration, its folders, its tables and its key."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows._backends import BACK_ENDS, back_end_document
from flows._config import STUDY_FILE, StudyConfig, load_config
from flows._overrides import back_ends_in_words, with_named_back_ends
from schema.layout import StudyLayout
from schema.privacy import load_pseudonym_key
from schema.tables import Store
from schema.taxonomy import Taxonomy, load_taxonomy

if TYPE_CHECKING:
    from collectors.catalogue.people import Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What every command and flow starts from."""

    config: StudyConfig
    layout: StudyLayout
    store: Store
    taxonomy: Taxonomy
    key: bytes
    """The pseudonym key."""
    back_ends: dict[str, dict[str, Any]]
    """Name, settings and weights of each stage's back end, for the digests of parts."""
    told_back_ends: dict[str, str]
    """Each stage's back end in words, with the study file's where the command line or the environment names another."""
    parts: dict[str, dict[str, Any]] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The parts of each video, by the file's sha256 and the video's id, as ``flows._stages`` works them out once."""

    @property
    def file(self) -> Path:
        """The study file."""
        return self.layout.root / STUDY_FILE


def open_study(location: str | Path) -> Study:
    """Open the study in a folder, or the one of a ``study.toml``; makes its pseudonym key on first use.

    Back ends that the environment names (``flows._overrides``) take the place of the study file's.

    Raises ``ConfigError`` where the study file is wrong, ``MissingPartError`` where a back end can't run, and
    ``DamagedTableError`` where the key is lost though something was recorded with it.
    """
    layout = StudyLayout.at(location)
    if layout.root.name == STUDY_FILE:
        layout = StudyLayout.at(layout.root.parent)
    in_file = load_config(layout.root / STUDY_FILE)
    config = replace(in_file, back_ends=with_named_back_ends(in_file.back_ends))
    begun = (layout.root / "RECORDED").exists()
    return Study(
        config=config,
        layout=layout,
        store=Store(layout),
        taxonomy=load_taxonomy(config.study.taxonomy),
        key=load_pseudonym_key(layout.private, create=not begun),
        back_ends={stage: back_end_document(config.back_ends, stage) for stage in BACK_ENDS},
        told_back_ends=back_ends_in_words(in_file.back_ends, config.back_ends),
    )


def players_of(study: Study) -> "list[Person]":
    """Read the study's players file; one that does not exist names nobody.

    Raises ``ConfigError`` for a file without the columns ``person_id`` and ``name`` (or those of Sackmann's players
    files), or an id given twice.
    """
    from collectors.catalogue.people import read_players

    return read_players(study.layout.root / study.config.study.players)


def read_people(study: Study) -> dict[str, str]:
    """Read the names by row id from the study's players file; raises ``ConfigError`` as ``players_of`` does."""
    return {person.person_id: person.name for person in players_of(study)}
