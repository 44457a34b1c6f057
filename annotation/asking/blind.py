"""The blind share: candidates that are also asked without their class, chosen by chance and not by anything seen."""

from schema.privacy import keyed_fraction, make_question_id
from schema.questions import QuestionKind


def is_blind(candidate_id: str, *, key: bytes, share: float) -> bool:
    """Tell whether a candidate belongs to the blind share.

    It depends on the study's key and the candidate's id alone: the same in every push, whatever the order, and a
    greater share holds the smaller one. Nobody without the key can tell which candidates are asked twice.

    Raises ``ValueError`` where the share is not in 0..1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a share lies in 0..1, got {share}")
    return keyed_fraction(key, QuestionKind.BLIND, candidate_id) < share


def blind_question_id(candidate_id: str, *, key: bytes) -> str:
    """Name the blind question about a candidate; the name can't be joined to the candidate without the key."""
    return make_question_id(key, QuestionKind.BLIND, candidate_id)
