import numpy as np
import pytest

from annotation.reporting.recall import ALL_GROUPS, UNCLASSIFIED, SeenGesture, estimate_recall, match_audit
from proposals.audit import audit_cells, draw_windows
from schema.errors import ConfigError
from schema.questions import AuditWindow
from schema.records import CandidateId, VideoId
from schema.taxonomy import load_taxonomy
from schema.timespan import TimeSpan
from tests.factories import ARMS, BOX, NECK, make_candidate, make_span, make_track

TAXONOMY = load_taxonomy("imigue32")
FOREHEAD = "touching_or_scratching_forehead"
ELSEWHERE = (400.0, 50.0, 600.0, 450.0)


def window(number=0, *, video=0, share=0.2, start_s=15.0):
    return AuditWindow(
        window_id=f"w{number:020d}",
        video_id=VideoId(f"v{video:020d}"),
        track_number=0,
        span=make_span(start_s, start_s + 15),
        box_xyxy=BOX,
        sampled_share=share,
    )


def saw(start_s, end_s, *, class_id=NECK, number=0):
    return SeenGesture(window_id=f"w{number:020d}", class_id=class_id, span=make_span(start_s, end_s))


def proposed(start_s, end_s, *, class_id=NECK, video=0, box=BOX):
    return make_candidate(
        candidate_id=CandidateId(f"c{start_s}"),
        video_id=VideoId(f"v{video:020d}"),
        span=make_span(start_s, end_s),
        class_id=class_id,
        box_xyxy=box,
    )


def found(seen, candidates, windows=None):
    return [g.found for g in match_audit(windows or [window()], seen, candidates, taxonomy=TAXONOMY)]


def test_a_gesture_is_found_where_a_candidate_shows_it():
    assert found([saw(17, 19), saw(22, 24)], [proposed(17.2, 19.5)]) == [True, False]
    # too little of it, another person, another video
    assert found([saw(17, 19)], [proposed(18.7, 21)]) == [False]
    assert found([saw(17, 19)], [proposed(17, 19, box=ELSEWHERE)]) == [False]
    assert found([saw(17, 19)], [proposed(17, 19, video=1)]) == [False]


def test_a_candidate_of_another_class_finds_it_too_but_only_one_gesture():
    # people are asked what they see there and can correct the class, of one gesture at a time
    assert found([saw(17, 19, class_id=ARMS)], [proposed(17, 19)]) == [True]
    seen = [saw(17, 19, class_id=ARMS), saw(17, 19, class_id=FOREHEAD)]
    assert found(seen, [proposed(17, 19, class_id=FOREHEAD)]) == [False, True]


def test_what_goes_over_the_windows_edges_counts_once():
    before, after = window(0), window(1, start_s=30.0)
    seen = [saw(28, 30), saw(29.8, 30), saw(30, 32, number=1), saw(30.5, 32, number=1)]
    # the gesture of 28-32 s belongs to the first window; its candidate is cut at the edges as the marks are. Of the one
    # that begins at 29.8 s nobody has seen enough
    gestures = match_audit([before, after], seen, [proposed(28, 32)], taxonomy=TAXONOMY)
    assert [(g.window.window_id, g.span.start_ns, g.found) for g in gestures] == [
        (before.window_id, 28 * 10**9, True),
        (after.window_id, 30_500_000_000, False),
    ]


def test_a_class_that_the_taxonomy_lacks_is_refused():
    with pytest.raises(ConfigError, match="no class"):
        found([saw(17, 19, class_id="juggling")], [])


def estimates(seen, candidates, windows, **changes):
    gestures = match_audit(windows, seen, candidates, taxonomy=TAXONOMY)
    groups = (*TAXONOMY.groups, UNCLASSIFIED)
    return {e.group: e for e in estimate_recall(windows, gestures, groups=groups, **changes)}


def test_each_group_is_told_and_what_was_not_seen_is_not_known():
    windows = [window(n, video=n) for n in range(6)]
    seen = [saw(17, 19, number=n) for n in range(6)] + [saw(22, 24, number=0, class_id=None)]
    given = estimates(seen, [proposed(17, 19, video=n) for n in range(3)], windows)
    assert list(given) == [ALL_GROUPS, *TAXONOMY.groups, UNCLASSIFIED]
    assert (given[ALL_GROUPS].found_count, given[ALL_GROUPS].missed_count) == (3, 4)
    neck = given[TAXONOMY.by_id(NECK).group]
    assert neck.recall == pytest.approx(0.5)
    assert 0.05 < neck.low < 0.25
    assert 0.75 < neck.high < 0.95
    assert (given["Head"].recall, given["Head"].low, given["Head"].high) == (None, 0.0, 1.0)
    assert given[UNCLASSIFIED].missed_count == 1
    assert neck.minutes == pytest.approx(1.5)
    assert (neck.window_count, neck.people_count) == (6, 6)


def test_rarely_drawn_windows_weigh_more():
    windows = [window(0, video=0, share=0.5), window(1, video=1, share=0.1)]
    seen = [saw(17, 19), saw(17, 19, number=1)]
    assert estimates(seen, [proposed(17, 19)], windows)[ALL_GROUPS].recall == pytest.approx(2 / 12)
    assert estimates(seen, [proposed(17, 19, video=1)], windows)[ALL_GROUPS].recall == pytest.approx(10 / 12)


def test_all_found_and_none_found_are_never_certain():
    windows = [window(n, video=n) for n in range(8)]
    seen = [saw(17, 19, number=n) for n in range(8)]
    everything = estimates(seen, [proposed(17, 19, video=n) for n in range(8)], windows)[ALL_GROUPS]
    # exact binomial interval for 8 of 8 (Clopper and Pearson): 0.631 is 0.025 to the power of 1/8
    assert (everything.recall, everything.high) == (1.0, 1.0)
    assert everything.low == pytest.approx(0.025 ** (1 / 8), abs=1e-6)
    nothing = estimates(seen, [], windows)[ALL_GROUPS]
    assert (nothing.recall, nothing.low) == (0.0, 0.0)
    assert nothing.high == pytest.approx(1 - 0.025 ** (1 / 8), abs=1e-6)


def test_many_gestures_of_one_person_say_little_of_others():
    windows = [window(n, video=n) for n in range(8)]
    seen = [saw(17, 19, number=n) for n in range(8)]
    candidates = [proposed(17, 19, video=n) for n in range(8)]
    one = estimates(seen, candidates, windows, person_of=lambda _: "s1")[ALL_GROUPS]
    assert one.people_count == 1
    assert one.low == pytest.approx(0.025)


def test_nothing_missed_in_few_minutes_leaves_room():
    windows = [window(n, video=n, share=1.0) for n in range(8)]
    none = estimates([], [], windows)[ALL_GROUPS]
    # two minutes without an event: 95 % of the time below -ln(0.025) / 2 a minute (Garwood 1936)
    assert none.missed_per_minute == 0
    assert none.missed_per_minute_high == pytest.approx(-np.log(0.025) / 2)
    some = estimates([saw(17, 19, number=n) for n in range(4)], [], windows)[ALL_GROUPS]
    assert some.missed_per_minute == pytest.approx(2.0)
    assert 0.3 < some.missed_per_minute_low < 0.9
    assert 4 < some.missed_per_minute_high < 6


def test_a_study_without_an_audit_knows_nothing():
    (everything,) = estimate_recall([], [], groups=())
    assert (everything.recall, everything.low, everything.high) == (None, 0.0, 1.0)
    assert everything.missed_per_minute_high == float("inf")


def test_a_window_with_an_impossible_share_is_refused():
    with pytest.raises(ValueError, match="chance"):
        estimate_recall([window(share=0.0)], [], groups=())


def simulated(random, *, people, recall, spread):
    """Audited windows of people whose own recall differs, with unlike chances of being drawn."""
    windows, seen, candidates = [], [], []
    for person in range(people):
        own = random.beta(recall * spread, (1 - recall) * spread)
        for _ in range(6):
            number = len(windows)
            windows.append(
                window(number, video=person, share=float(random.choice([0.1, 0.2, 0.4])), start_s=15.0 * number)
            )
            for place in range(random.poisson(0.6)):
                start = 15.0 * number + 1 + 3 * place
                seen.append(saw(start, start + 1.5, number=number))
                if random.random() < own:
                    candidates.append(proposed(start, start + 1.5, video=person))
    return windows, seen, candidates


@pytest.mark.parametrize(("people", "recall"), [(6, 0.7), (25, 0.7), (25, 0.2)])
def test_the_interval_holds_the_truth_as_often_as_it_says(people, recall):
    random = np.random.default_rng(people)
    holds, values = [], []
    for _ in range(150):
        windows, seen, candidates = simulated(random, people=people, recall=recall, spread=8)
        gestures = match_audit(windows, seen, candidates, taxonomy=TAXONOMY)
        (estimate,) = estimate_recall(windows, gestures, groups=())
        holds.append(estimate.low <= recall <= estimate.high)
        values.append(estimate.recall)
    # 150 tries at 95 %: below 0.89 less than once in a thousand
    assert np.mean(holds) >= 0.89
    assert np.mean(values) == pytest.approx(recall, abs=0.05)


def followed_people(random, *, videos=24, minutes=6):
    """Tracks, what people really do there, and candidates for 60 % of it and for much else."""
    tracks, true, candidates = [], [], []
    for video in range(videos):
        video_id = VideoId(f"v{video:020d}")
        tracks.append(make_track(frame_count=minutes * 60 * 25, video_id=video_id))
        starts = np.sort(random.uniform(0, minutes * 60 - 4, 18))
        for start in starts[np.diff(starts, append=1e9) > 4]:
            end = float(start + random.uniform(0.5, 3.5))
            true.append((video_id, make_span(float(start), end), random.random() < 0.6))
            if true[-1][2]:
                candidates.append(proposed(float(start) + 0.1, end + 0.1, video=video))
        noise = (float(start) for start in random.uniform(0, minutes * 60 - 4, 10))
        candidates += [
            proposed(s, s + 2, video=video)
            for s in noise
            if not any(v == video_id and t.overlap_ns(make_span(s, s + 2)) for v, t, _ in true)
        ]
    return tracks, true, candidates


def test_drawn_windows_give_the_studys_recall_back():
    tracks, true, candidates = followed_people(np.random.default_rng(5))
    recall = np.mean([is_found for *_, is_found in true])
    cells = audit_cells(tracks, candidates=candidates, window_seconds=15)
    values, plain, holds = [], [], []
    for number in range(60):
        windows = draw_windows(cells, key=number.to_bytes(32, "big"), minutes=20)
        seen = [
            SeenGesture(window_id=w.window_id, class_id=NECK, span=cut)
            for w in windows
            for video_id, span, _ in true
            if video_id == w.video_id and (cut := _within(span, w.span)) is not None
        ]
        gestures = match_audit(windows, seen, candidates, taxonomy=TAXONOMY)
        (estimate,) = estimate_recall(windows, gestures, groups=())
        values.append(estimate.recall)
        plain.append(np.mean([g.found for g in gestures]))
        holds.append(estimate.low <= recall <= estimate.high)
    # windows where nothing was proposed are drawn more often: without weights recall comes out too low
    assert np.mean(values) == pytest.approx(recall, abs=0.03)
    assert np.mean(plain) < np.mean(values) - 0.01
    assert np.mean(holds) >= 0.9


def _within(span, window):
    start_ns, end_ns = max(span.start_ns, window.start_ns), min(span.end_ns, window.end_ns)
    return TimeSpan(start_ns=start_ns, end_ns=end_ns) if start_ns < end_ns else None
