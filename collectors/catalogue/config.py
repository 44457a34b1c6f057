"""Where results come from and how sure the matcher must be; light enough to import when the command starts."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from schema.errors import ConfigError

WORD_FILES = tuple(Path(__file__).with_name(name) for name in ("words.toml", "tournaments.toml"))
"""What titles say in many languages, and what tournaments are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchesConfig:
    """One ``[[matches]]`` table of study.toml: match results."""

    path: str
    """CSV file, or a pattern such as private/atp_matches_20??.csv; absolute, or relative to the study's folder."""
    layout: Literal["sackmann", "minimal"] = "minimal"
    """`sackmann` (tourney_name, tourney_date, round, winner_name, loser_name, score ...) or `minimal`
    (date,tournament,round,winner,loser,score)."""
    tour: str = ""
    """`atp` or `wta`, where it is known: tells two people of one name apart by sex."""
    licence: str = ""
    """Licence of the results, such as CC BY-NC-SA 4.0: the card of a release repeats it."""

    def __post_init__(self) -> None:
        """Refuse a table without a place and a tour that says nothing (``ConfigError``)."""
        if not self.path.strip():
            raise ConfigError("matches.path: missing; it names the CSV file of results")
        if self.tour and self.tour.lower() not in ("atp", "wta"):
            raise ConfigError(f"matches.tour: {self.tour!r} must be atp, wta or empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifyConfig:
    """The ``[identify]`` section: how titles become people and match outcomes."""

    min_score: float = 0.9
    """Lowest score at which a person is taken without asking; what is below goes to private/review.csv."""
    min_lead: float = 0.05
    """Smallest lead over the runner-up, in score."""
    days_after_match: int = 2
    """Latest day after a match on which its press conference is uploaded."""
    also_called: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Further names of tournaments, by their name in the results: { "Rome Masters" = ["Foro Italico"] }."""

    def __post_init__(self) -> None:
        """Refuse numbers that can't be meant (``ConfigError``)."""
        for key in ("min_score", "min_lead"):
            if not 0 <= getattr(self, key) <= 1:
                raise ConfigError(f"identify.{key}: {getattr(self, key)} must lie between 0 and 1")
        if not 0 <= self.days_after_match <= 14:
            raise ConfigError(f"identify.days_after_match: {self.days_after_match} must lie between 0 and 14")


def matching_files(table: MatchesConfig, *, study_folder: Path, where: str) -> list[Path]:
    """List the files that a table's path means; raises ``ConfigError`` where there is none."""
    path = Path(table.path).expanduser()
    root = Path(path.anchor) if path.is_absolute() else study_folder
    relative = path.relative_to(path.anchor) if path.is_absolute() else path
    found = sorted(p for p in root.glob(relative.as_posix()) if p.is_file())
    if not found:
        raise ConfigError(f"{where}: no such file; put the results there or correct the path")
    return found
