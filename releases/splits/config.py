"""How people are shared out over train, val and test; light enough to import when the command starts."""

from dataclasses import dataclass

from schema.errors import ConfigError

SPLITS = ("train", "val", "test")
"""The splits in the order in which tables and cards list them."""
BALANCED = ("class", "match_outcome", "sex")
"""What the shares are met for, beside the number of segments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitsConfig:
    """The ``[release.splits]`` section: what share of the segments each split should get, or who is in which."""

    train_share: float = 0.7
    """Wanted share of the segments in train, above 0. Subjects are never divided to meet a share."""
    val_share: float = 0.15
    """Wanted share in val; 0 makes no val split."""
    test_share: float = 0.15
    """Wanted share in test; 0 makes no test split."""
    balance: tuple[str, ...] = BALANCED
    """For which of class, match_outcome and sex the shares are met as well as possible."""
    lists: str = ""
    """A CSV file (columns person_id,split) in the study's folder, or `imigue-cross-subject` for a study of iMiGUE's own
    subjects: then these people are in these splits, and the shares are for the others."""
    leave_out: tuple[str, ...] = ()
    """Row ids of players.csv that make the test split, all others are in train: one fold of leave-k-subjects-out."""
    match_disjoint: bool = False
    """Refuse a release in which two players of one match are in different splits; else they are counted."""
    re_split: bool = False
    """Forget the splits of earlier releases. A subject that a published model was trained on may then be tested on."""

    def __post_init__(self) -> None:
        """Refuse shares that are negative or do not add up to 1, and unknown balances (``ConfigError``)."""
        shares = self.shares
        if min(shares.values()) < 0 or self.train_share == 0 or abs(sum(shares.values()) - 1) > 1e-6:
            told = ", ".join(f"{name} {share}" for name, share in shares.items())
            raise ConfigError(f"release.splits: shares must add up to 1 with a train share above 0, got {told}")
        strange = sorted(set(self.balance) - set(BALANCED))
        if strange:
            raise ConfigError(f"release.splits.balance: {strange[0]!r} is none of {', '.join(BALANCED)}")
        if self.lists and self.leave_out:
            raise ConfigError("release.splits: lists and leave_out can't be given together")

    @property
    def shares(self) -> dict[str, float]:
        """Return the wanted shares by split."""
        return {"train": self.train_share, "val": self.val_share, "test": self.test_share}
