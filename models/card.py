"""The card of a model: what it is, what it learned from, what it must not be used for, and what was measured."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from statistics import median
from typing import Any

from models.card_plots import plots_of
from models.facts import ModelFacts, identity_of
from models.metrics import Comparison, Measured, NameScore, headline_figures

PAGE_TEMPLATE, TEXT_TEMPLATE = (Path(__file__).with_name(name) for name in ("card.html.j2", "card.md.j2"))
PURPOSE = (
    "It proposes: from the keypoints of one person over time it says where a micro-gesture may be, of which body-part "
    "group, and of which class where it has seen enough of it. People verify every proposal before it counts."
)
NOT_FOR = (
    "Saying what somebody feels, thinks or hides, or whether somebody lies: no gesture tells that, and no label here "
    "does.",
    "Decisions about a person, such as work, school, insurance, health, policing or betting.",
    "Finding out who somebody is, or following people from recording to recording.",
    "Counting or publishing gestures that nobody verified: it misses some and claims others that are not there.",
    "Recordings of another kind (camera, posture, keypoint network, people) without measuring it there first.",
)
TRAINED_ALIKE = (
    "Each person was held out once, and judged by a model that was trained in the same way on the other people. The "
    "model in this folder was trained on all of them, so these are figures of the recipe: the model itself was "
    "measured on nobody."
)
NOT_MEASURED = (
    "Nobody was held out: how this model does on people it has not seen was not measured. Take its scores for an order "
    "of what to look at first, and for nothing else."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassLine:
    """One class of the card's table."""

    class_id: str
    name: str
    group: str
    examples: int
    how: str
    """Told apart, or proposed by its group alone, or never."""
    score: NameScore


def card_files(facts: ModelFacts, *, digest: str) -> dict[str, bytes]:
    """Write README.md, card.html (whole in itself) and the plots; the same facts give the same bytes.

    Args:
        facts: What is told.
        digest: The model's.

    Returns:
        Contents by path within the model's folder.
    """
    plots = plots_of(facts)
    told = _told(facts, digest=digest)
    return {
        "README.md": _rendered(TEXT_TEMPLATE, told | {"plots": set(plots)}, is_page=False),
        "card.html": _rendered(PAGE_TEMPLATE, told | {"plots": {n: _Picture.of(p) for n, p in plots.items()}}),
        **{f"plots/{name}.png": png for name, png in plots.items()},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """A plot within the page: its bytes as text, and its size, so that the page does not jump as it loads."""

    data: str
    width: int
    height: int

    @classmethod
    def of(cls, png: bytes) -> "_Picture":
        from base64 import b64encode

        size = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")  # of the PNG's header
        return cls(data=b64encode(png).decode(), width=size[0], height=size[1])


def _told(facts: ModelFacts, *, digest: str) -> dict[str, Any]:
    metrics = facts.metrics
    return {
        "facts": facts,
        "data": facts.data,
        "run": facts.run,
        "metrics": metrics,
        "found": metrics.detection,
        "digest": digest,
        "identity": identity_of(facts.name, digest),
        "purpose": PURPOSE,
        "not_for": NOT_FOR,
        "standing": TRAINED_ALIKE if metrics.is_measured else NOT_MEASURED,
        "figures": headline_figures(metrics),
        "classes": list(class_lines(facts)),
        "unseen": _unseen(facts),
        "groups": metrics.groups,
        "people": _people(facts),
        "held_out": len({subject for fold in metrics.folds for subject in fold}),
        "ways": _ways(facts),
        "balancing": metrics.balancing,
        "settings": list(_flat(asdict(facts.config), "")),
        "licences": licence_lines(facts),
        "privacy": privacy_lines(facts),
        "taxonomy_classes": len(facts.taxonomy.classes),
    }


def class_lines(facts: ModelFacts) -> Iterator[ClassLine]:
    """List the classes that the model has seen, the commonest first."""
    scores = {score.name: score for score in facts.metrics.classes}
    seen = {*facts.classes, *facts.fallen_back, *(c for c, count in facts.class_counts.items() if count)}
    for class_id in sorted(seen, key=lambda one: (-facts.class_counts.get(one, 0), one)):
        gesture = facts.taxonomy.by_id(class_id)
        yield ClassLine(
            class_id=class_id,
            name=gesture.name,
            group=gesture.group,
            examples=facts.class_counts.get(class_id, 0),
            how=_how(facts, class_id),
            score=scores.get(class_id, NameScore(name=class_id, examples=0)),
        )


def licence_lines(facts: ModelFacts) -> list[str]:
    """Say what may bind the weights: the terms of the data that they were learned from."""
    told = [
        "Weights that were learned from somebody's data may be bound by that data's agreement: who may use them, for "
        "what, and whether they may be handed on. pressroom's own licence says nothing about them."
    ]
    for origin in facts.data.origins:
        if origin.name == "study" and not origin.licence.strip():
            told.append("`study`: the study's own recordings and answers; its makers decide.")
        elif not origin.licence.strip():
            told.append(
                f"`{origin.name}`: nobody said under which licence. Ask its makers before you use this model or hand "
                "it on."
            )
        else:
            told.append(f"`{origin.name}`: {origin.licence.strip()}")
    if not facts.data.origins:
        told.append("Where the labels are from was not recorded: treat the weights as bound.")
    if facts.data.init:
        told.append(f"Training began with the weights of `{facts.data.init}`: what binds that model binds this one.")
    return told


def privacy_lines(facts: ModelFacts) -> list[str]:
    """Say what the folder holds of people, and what follows from a withdrawal."""
    count = len(facts.data.subject_gestures)
    return [
        f"The weights were learned from people's movements ({_people_text(count)} known, the gestures of people whom "
        f"nobody declared: {facts.data.unknown_subject_gestures:,}). How somebody moves can tell who it is.",
        "data.json and metrics.json hold keyed ids of recordings and people, which lead to nobody without the study's "
        "key. There is no name, no link and no picture of anybody in this folder.",
        "What weights have learned of a person can't be taken out of them. When somebody withdraws, delete the models "
        "whose data.json lists a recording of theirs, and train anew.",
    ]


def figure_text(measured: Measured | None) -> str:
    """Write a figure with its interval; a dash where nothing was measured."""
    if measured is None:
        return "-"
    if measured.low is None or measured.high is None:
        return f"{measured.value:.3f}"
    return f"{measured.value:.3f} ({measured.low:.3f} to {measured.high:.3f})"


def seconds_text(seconds: float) -> str:
    """Write a length of time in the unit in which people think of it."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def moment_text(unix_ns: int) -> str:
    """Write a moment in UTC, to the minute."""
    return datetime.fromtimestamp(unix_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _how(facts: ModelFacts, class_id: str) -> str:
    if class_id in facts.classes:
        return "told apart"
    return "group alone" if class_id in facts.fallen_back else "never proposed"


def _unseen(facts: ModelFacts) -> int:
    """Count the classes of the taxonomy of which there was no example."""
    return sum(not facts.class_counts.get(gesture.class_id) for gesture in facts.taxonomy)


def _people(facts: ModelFacts) -> str:
    counts = list(facts.data.subject_gestures.values())
    if not counts:
        return "nobody was declared"
    spread = f"{min(counts):,} to {max(counts):,} gestures each (median {median(counts):g})"
    return f"{_people_text(len(counts))}, with {spread}"


def _people_text(count: int) -> str:
    return f"{count:,} {'person' if count == 1 else 'people'}"


def _ways(facts: ModelFacts) -> list[Comparison]:
    """List the model and what it is compared with; nothing where there is nothing to compare with."""
    metrics = facts.metrics
    if not metrics.comparisons:
        return []
    accuracy = metrics.classification.accuracy if metrics.classification else None
    return [Comparison(name="this model", detection=metrics.detection, accuracy=accuracy), *metrics.comparisons]


def _flat(settings: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, object]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _rendered(template: Path, told: Mapping[str, Any], *, is_page: bool = True) -> bytes:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(  # Markdown has no tags to escape: `cell` takes out what would break a table
        autoescape=is_page, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "figure": figure_text,
        "count": lambda number: f"{number:,}",
        "time": seconds_text,
        "moment": moment_text,
        "cell": _cell,
        "marked": _marked,
    }
    return (environment.from_string(template.read_text(encoding="utf-8")).render(told).rstrip() + "\n").encode()


def _cell(text: object) -> str:
    """Take out of a text what would break a Markdown table, or begin a tag."""
    return " ".join(str(text).replace("|", "/").replace("<", "&lt;").split())


def _marked(text: str) -> object:
    """Turn `code` of a sentence into a tag, for the page; all else is escaped."""
    from markupsafe import Markup

    parts = escape(text).split("`")
    return Markup("".join(f"<code>{p}</code>" if n % 2 else p for n, p in enumerate(parts)))
