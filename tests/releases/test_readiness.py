"""For which tasks a release suffices: each lack is told with its number."""

from typing import Any

from releases.readiness import FEWEST_OUTCOMES, FEWEST_WINDOWS, JUDGED_BY, LEARNED_FROM, readiness_of

Rows = dict[str, list[dict[str, Any]]]


def rows(counts: dict[str, int], *, scripted: bool = False) -> list[dict[str, Any]]:
    return [
        {"class_id": class_id, "scripted": scripted, "video_id": f"v{n}"}
        for class_id, count in counts.items()
        for n in range(count)
    ]


def videos(wins: int, losses: int) -> list[dict[str, Any]]:
    return [{"match_outcome": "win"}] * wins + [{"match_outcome": "loss"}] * losses + [{"match_outcome": None}]


GOOD = {
    "segments": {"train": rows({"a": LEARNED_FROM, "b": LEARNED_FROM}), "test": rows({"a": JUDGED_BY, "b": JUDGED_BY})},
    "windows": {"train": [{}] * FEWEST_WINDOWS},
    "videos": {"train": videos(20, 20), "test": videos(FEWEST_OUTCOMES, FEWEST_OUTCOMES)},
}


def judged(**changes: Rows) -> dict[str, tuple[bool, str]]:
    found = GOOD | changes
    told = readiness_of(found["segments"], found["windows"], found["videos"], splits=found["segments"])
    return {one.task: (one.suffices, one.why) for one in told}


def lacking(**changes: Rows) -> set[str]:
    return {task for task, (suffices, _) in judged(**changes).items() if not suffices}


def test_a_release_with_everything_suffices_for_the_five_tasks() -> None:
    told = judged()
    assert list(told) == ["unsupervised", "semi-supervised", "supervised", "retrieval", "emotion"]
    assert lacking() == set()
    assert "22 points either way" in told["emotion"][1]


def test_without_a_held_out_split_nothing_can_be_judged() -> None:
    told = judged(segments={"train": rows({"a": 50, "b": 50})})
    assert not any(suffices for suffices, _ in told.values())
    assert all("no held-out split" in why for _, why in told.values())


def test_val_stands_in_where_there_is_no_test() -> None:
    moved = {name: {"train": by["train"], "val": by.get("test", [])} for name, by in GOOD.items()}
    assert lacking(**moved) == set()


def test_scripts_answers_and_rare_classes_do_not_count() -> None:
    scripted = {split: [row | {"scripted": True} for row in of] for split, of in GOOD["segments"].items()}
    assert lacking(segments=scripted) == {"unsupervised", "semi-supervised", "supervised", "retrieval"}
    rare = {"train": rows({"a": LEARNED_FROM, "b": LEARNED_FROM - 1}), "test": GOOD["segments"]["test"]}
    assert lacking(segments=rare) == {"unsupervised", "semi-supervised", "supervised"}
    assert judged(segments=rare)["supervised"][1].startswith("1 classes")


def test_pre_training_needs_windows_and_emotion_both_outcomes() -> None:
    assert lacking(windows={"train": [{}] * (FEWEST_WINDOWS - 1)}) == {"unsupervised", "semi-supervised"}
    assert lacking(videos={"train": videos(20, 20), "test": videos(30, 2)}) == {"emotion"}


def test_retrieval_needs_a_class_in_two_videos() -> None:
    one_video = {
        "train": GOOD["segments"]["train"],
        "test": [row | {"video_id": "v0"} for row in GOOD["segments"]["test"]],
    }
    assert lacking(segments=one_video) == {"retrieval"}
