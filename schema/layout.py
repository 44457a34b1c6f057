"""Where things are under a study's root."""

from dataclasses import dataclass
from pathlib import Path

from schema.arrow import TableSpec
from schema.errors import UsageError


@dataclass(frozen=True, slots=True)
class StudyLayout:
    """The folders of one study; everything that pressroom writes for it lies under ``root``."""

    root: Path

    @classmethod
    def at(cls, location: str | Path) -> "StudyLayout":
        """Take a local folder as root; raises ``UsageError`` for a URI, which no store supports yet."""
        if "://" in str(location):
            raise UsageError(f"{location}: a study's root must be a local folder; object stores are not supported yet")
        return cls(Path(location).resolve())

    @property
    def private(self) -> Path:
        """Names, links, the pseudonym key, and the services' databases."""
        return self.root / "private"

    @property
    def media(self) -> Path:
        """Video files by sha256."""
        return self.root / "media"

    @property
    def served(self) -> Path:
        """Review clips: the review server serves files from here and from nowhere else."""
        return self.root / "served"

    @property
    def leases(self) -> Path:
        """Who works on what."""
        return self.root / "leases"

    @property
    def work(self) -> Path:
        """Files in the making; whatever lies here after a run may be deleted."""
        return self.root / "work"

    @property
    def releases(self) -> Path:
        """Published releases."""
        return self.root / "releases"

    @property
    def models(self) -> Path:
        """Trained seed models, a folder each."""
        return self.root / "models"

    @property
    def previews(self) -> Path:
        """Overlays and contact sheets: personal data where they show the picture."""
        return self.root / "previews"

    @property
    def reports(self) -> Path:
        """Reports on the study's work, under pseudonyms."""
        return self.root / "reports"

    @property
    def labelstudio(self) -> Path:
        """The review server's data folder."""
        return self.private / "label-studio"

    @property
    def prefect(self) -> Path:
        """The Prefect server's data folder."""
        return self.private / "prefect"

    def table(self, spec: TableSpec) -> Path:
        """Return the folder that holds the table's parts."""
        return (self.private if spec.private else self.root) / spec.name
