import itertools

import pytest

from annotation.answers.revisions import standing_answers
from schema.records import Verdict
from tests.factories import make_annotation

ANNOTATOR = "r1"


def row(number, verdict=Verdict.ACCEPT, *, answer=1, annotator=ANNOTATOR, **changes):
    return make_annotation(
        annotation_id=f"a{number}", annotator_id=annotator, answered_ns=number, answer_number=answer, verdict=verdict,
        **changes,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([row(1), row(2, Verdict.REJECT)], ["a2"], id="edited"),
        pytest.param([row(1), row(2, deleted=True)], [], id="taken back"),
        pytest.param([row(1), row(2, answer=2), row(3, answer=2, deleted=True)], ["a1"], id="second taken back"),
        pytest.param([row(1), row(2, annotator="r2")], ["a1", "a2"], id="two people"),
        pytest.param([row(1), row(2, answer=2, flag="changed by another account")], ["a1"], id="author in doubt"),
        pytest.param([row(1), row(2, flag="changed by another account")], [], id="changed by another account"),
        pytest.param([row(1, answer=None), row(2, answer=None)], ["a2"], id="recorded before answers had numbers"),
    ],
)
def test_what_stands_does_not_depend_on_the_order_of_the_rows(rows, expected):
    for order in itertools.permutations(rows):
        assert [answer.annotation_id for answer in standing_answers(order)] == expected
