"""A model that nobody trained: made-up weights and figures, in the shape of real ones."""

from dataclasses import replace
from itertools import starmap

import numpy as np

from models.config import TrainConfig
from models.facts import ModelFacts, Origin, Temperatures, TrainedOn, TrainedRelease, TrainingRun
from models.metrics import (
    AtOverlap,
    AtProposals,
    BalancingRow,
    CalibrationScores,
    ClassificationScores,
    Comparison,
    Confusion,
    Curve,
    DetectionScores,
    Measured,
    ModelMetrics,
    NameScore,
    ReliabilityBin,
)
from schema.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy("imigue32")
ILLUSTRATIVE = "illustrative_body_language"
TRAINED_NS = 1_760_000_000_000_000_000


def made_up_weights(seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        "encoder.blocks.0.convolution.weight": random.normal(size=(8, 6, 3)).astype(np.float32),
        "encoder.blocks.0.norm.num_batches_tracked": np.array(400, np.int64),
        "detector.classes.bias": random.normal(size=5).astype(np.float32),
    }


def class_counts(total: int = 3000) -> dict[str, int]:
    """A long tail: the last class has 31 % of the examples, the rarest two."""
    others = [gesture.class_id for gesture in TAXONOMY][:-1]
    shares = [0.76**place for place in range(len(others))]
    counts = {c: max(2, round(0.69 * total * s / sum(shares))) for c, s in zip(others, shares, strict=True)}
    return counts | {TAXONOMY.classes[-1].class_id: round(0.31 * total)}


def around(value: float, half: float = 0.04) -> Measured:
    return Measured(value=value, low=max(0.0, value - half), high=min(1.0, value + half))


def made_up_metrics(shift: float = 0.0) -> ModelMetrics:
    counts = class_counts()
    random = np.random.default_rng(3)
    names = [c for c, count in counts.items() if count >= 10]
    size = len(names)
    confusion = (random.random((size, size)) ** 6 * 9 + np.eye(size) * [counts[c] // 4 for c in names]).astype(int)
    return ModelMetrics(
        folds=(("s0a", "s1a", "s2a"), ("s3a", "s4a", "s5a"), ("s6a", "s7a")),
        seeds=(0, 1, 2),
        sequences=96,
        gestures=2870,
        minutes=412.5,
        intervals="bootstrap over people, 1000 times",
        detection=made_up_detection(0.41 + shift),
        classification=ClassificationScores(
            segments=int(confusion.sum()),
            accuracy=around(0.62 + shift),
            macro_f1=around(0.37 + shift, 0.06),
            confusion=Confusion(labels=tuple(names), counts=tuple(map(tuple, confusion.tolist()))),
        ),
        classes=tuple(_score(name, counts[name] // 3, random) for name in names),
        groups=tuple(_score(group, 400, random) for group in TAXONOMY.groups),
        calibration=CalibrationScores(
            before=around(0.143, 0.02),
            after=around(0.038, 0.01),
            bins_before=_bins(0.28),
            bins_after=_bins(0.04),
            about="the scores of detections",
        ),
        precision_recall=tuple(starmap(_precision_recall, ((0.1, 0.9), (0.3, 0.8), (0.5, 0.6)))),
        losses=(
            _loss("pre-training", 400, 1.8),
            _loss("training", 600, 1.2),
            *(_loss(f"fold {number} of 3", 600, 1.15 + 0.1 * number) for number in (1, 2, 3)),
        ),
        balancing=(
            BalancingRow(setting="as often as they come (balance 0)", accuracy=around(0.64), macro_f1=around(0.29),
                         rare_recall=around(0.11)),
            BalancingRow(setting="between (balance 0.5)", accuracy=around(0.62), macro_f1=around(0.37),
                         rare_recall=around(0.28), is_used=True),
            BalancingRow(setting="all alike (balance 1)", accuracy=around(0.51), macro_f1=around(0.33),
                         rare_recall=around(0.31)),
        ),
        comparisons=(
            Comparison(name="sliding window, linear", detection=made_up_detection(0.22), accuracy=around(0.5)),
            Comparison(name="motion alone", detection=made_up_detection(0.12)),
        ),
        notes=("Illustrative gestures are 31 % of the examples, so accuracy alone flatters.",),
    )  # fmt: skip


def made_up_detection(f1: float) -> DetectionScores:
    return DetectionScores(
        mean_average_precision=tuple(
            AtOverlap(overlap=overlap, score=around(f1 * scale))
            for overlap, scale in ((0.1, 1.1), (0.3, 0.9), (0.5, 0.6))
        ),
        f1_strict=around(f1),
        f1_starter_kit=around(f1 + 0.02),
        precision=around(f1 - 0.05),
        recall=around(f1 + 0.07),
        average_recall=tuple(
            AtProposals(proposals=count, score=around(min(0.95, f1 * scale)))
            for count, scale in ((1, 0.3), (5, 0.9), (10, 1.3), (20, 1.6), (50, 1.9))
        ),
    )


def made_up_facts(name: str = "seed-1", *, metrics: ModelMetrics | None = None) -> ModelFacts:
    counts = class_counts()
    config = TrainConfig()
    enough = tuple(c for c, count in counts.items() if count >= config.fewest_examples)
    return ModelFacts(
        name=name,
        config=config,
        layout="wholebody133",
        points=(0, 5, 6, 7, 8, 9, 10, *range(91, 133)),
        dimensions=2,
        taxonomy=TAXONOMY,
        classes=enough,
        groups=TAXONOMY.groups,
        class_counts=counts,
        fallen_back=tuple(c for c in counts if c not in enough),
        temperatures=Temperatures(
            classes=dict.fromkeys(enough, 1.3), groups=dict.fromkeys(TAXONOMY.groups, 1.1), any_gesture=1.7
        ),
        data=TrainedOn(
            origins=(
                Origin(name="study", licence="", sequences=60, gestures=1800, subjects=5),
                Origin(name="imigue", licence="iMiGUE agreement: academic use, no redistribution", sequences=36,
                       gestures=1200, subjects=3),
            ),
            video_ids=("v" + "0a" * 10, "v" + "1b" * 10),
            unlabelled_video_ids=("v" + "2c" * 10,),
            subject_gestures={f"s{number}a": 300 + 40 * number for number in range(8)},
            unknown_subject_gestures=17,
            sequences=96,
            labelled_minutes=430.2,
            judged_minutes=412.5,
            unlabelled_windows=5400,
            unlabelled_sequences=120,
            release=TrainedRelease(name="press-gestures", version="0.3.0", digest="0123456789ab"),
            inputs_digest="ba9876543210",
        ),
        run=TrainingRun(
            trained_ns=TRAINED_NS,
            stage_seconds={"pre-training": 21.4, "training": 33.0, "cross-validation": 140.0},
            machine="cpu, 1 thread",
            versions={"pressroom": "0.1.0", "torch": "2.13.0"},
        ),
        metrics=made_up_metrics() if metrics is None else metrics,
    )  # fmt: skip


def small_facts(name: str = "seed-1", **changes: object) -> ModelFacts:
    """A model of which nothing was measured: its card has few pictures, so it is written fast."""
    facts = made_up_facts(name, metrics=ModelMetrics())
    return replace(facts, class_counts={}, **changes)  # type: ignore[arg-type]


def _score(name: str, examples: int, random: np.random.Generator) -> NameScore:
    value = 0.15 + 0.6 * float(random.random())
    half = min(0.3, 0.9 / max(1, examples) ** 0.5)
    return NameScore(
        name=name, examples=examples, f1=around(value, half), average_precision=around(0.9 * value, half),
        recall=around(min(1.0, 1.1 * value), half), accuracy=around(min(1.0, 1.2 * value), half),
    )  # fmt: skip


def _bins(gap: float) -> tuple[ReliabilityBin, ...]:
    return tuple(
        ReliabilityBin(low=n / 10, high=(n + 1) / 10, count=900 // (n + 1), mean_score=(n + 0.5) / 10,
                       share_right=max(0.01, (n + 0.5) / 10 - gap * n / 9))
        for n in range(10)
    )  # fmt: skip


def _precision_recall(overlap: float, top: float) -> Curve:
    recalls = tuple(n / 50 for n in range(1, int(50 * top)))
    return Curve(name=f"overlap {overlap:g}", across=recalls, up=tuple(top * (1 - r**2.2) for r in recalls))


def _loss(name: str, steps: int, height: float) -> Curve:
    random = np.random.default_rng(len(name) + steps)
    places = tuple(float(step) for step in range(1, steps + 1, 10))
    return Curve(
        name=name, across=places,
        up=tuple(height * (0.25 + 0.75 / (1 + p / 60)) + 0.04 * float(random.random()) for p in places),
    )  # fmt: skip
