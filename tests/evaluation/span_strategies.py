"""Small sets of truths and claims, for properties and for brute force."""

from hypothesis import strategies as st

from evaluation.spans import ClaimedSpan, TrueSpan
from schema.timespan import TimeSpan

SEQUENCES, CLASSES = ("a/0", "b/0"), ("nod", "wave")


def spans():
    return st.builds(
        lambda start, length: TimeSpan(start_ns=start, end_ns=start + length), st.integers(0, 12), st.integers(1, 10)
    )


def truths(most=6):
    one = st.builds(TrueSpan, sequence_id=st.sampled_from(SEQUENCES), span=spans(), class_id=st.sampled_from(CLASSES))
    return st.lists(one, max_size=most)


def claims(most=6, *, classes=(*CLASSES, None)):
    one = st.builds(
        ClaimedSpan,
        sequence_id=st.sampled_from(SEQUENCES),
        span=spans(),
        class_id=st.sampled_from(classes),
        score=st.integers(0, 20).map(lambda k: k / 20),
    )
    return st.lists(one, max_size=most)
