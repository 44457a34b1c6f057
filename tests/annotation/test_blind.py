import pytest

from annotation.asking.blind import blind_question_id, is_blind
from tests.factories import KEY

IDS = [f"c{number:020x}" for number in range(5000)]


def chosen(share, key=KEY):
    return {i for i in IDS if is_blind(i, key=key, share=share)}


def test_the_share_is_the_wanted_one_and_depends_on_the_key():
    # 5000 draws of 8 %: standard deviation 0.4 %
    assert len(chosen(0.08)) / len(IDS) == pytest.approx(0.08, abs=0.012)
    other = chosen(0.08, key=bytes(32))
    assert len(chosen(0.08) & other) < len(other) / 3


def test_a_greater_share_keeps_those_of_the_smaller_one():
    assert chosen(0.0) == set()
    assert chosen(0.05) < chosen(0.1) < chosen(1.0)
    assert len(chosen(1.0)) == len(IDS)


def test_a_blind_question_can_not_be_joined_to_its_candidate_without_the_key():
    name = blind_question_id(IDS[1], key=KEY)
    assert name[0] == "b"
    assert len(name) == 21
    assert name == blind_question_id(IDS[1], key=KEY) != blind_question_id(IDS[1], key=bytes(32))
    assert len({blind_question_id(i, key=KEY) for i in IDS}) == len(IDS)


def test_a_share_beyond_the_whole_is_refused():
    with pytest.raises(ValueError, match="share"):
        is_blind(IDS[0], key=KEY, share=1.5)
