"""What a simulation says: how many minutes of people's time, and how many answers, which recall takes."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from annotation.answers.simulated_crew import EXPERT, SKILLS, AnswerSeconds
from drawing.cost_charts import CostPanel, cost_chart
from evaluation.loop import STRICT_IOU, LoopCurve, cost_of, cost_to_reach
from flows._simulation import SimulationSettings

TEMPLATE = Path(__file__).with_name("simulation.html.j2")
RECALLS = (0.25, 0.5, 0.75, 0.9)
"""What it takes to reach these is told."""
NEVER = "not reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """What a recall takes with one strategy."""

    strategy: str
    recall: float
    minutes: float | None
    """Of people's time together; None: not reached within the budget."""
    answers: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaigns:
    """Simulated campaigns over the same data with the same people."""

    study: str
    curves: tuple[LoopCurve, ...]
    settings: SimulationSettings
    notes: tuple[str, ...]
    """What a reader must know of the data."""

    @property
    def all_notes(self) -> tuple[str, ...]:
        """Notes on the data, and on what some strategy could not do, each once."""
        told = [*self.notes, *(note for curve in self.curves for note in curve.notes)]
        return tuple(dict.fromkeys(told))

    def needed(self) -> list[Needed]:
        """Say what each strategy takes to reach each recall."""
        return [
            Needed(
                strategy=curve.strategy,
                recall=recall,
                minutes=cost_to_reach(curve, recall, in_minutes=True),
                answers=cost_to_reach(curve, recall),
            )
            for curve in self.curves
            for recall in RECALLS
        ]


def simulation_table(found: Campaigns) -> str:
    """Write the answer as a Markdown table: minutes (answers) for each recall."""
    head = ["strategy", *(f"{recall:.0%} found" for recall in RECALLS), "found in all", "verified segments right"]
    rows = [head, ["---"] * len(head)]
    rows += [[curve.strategy, *_cells(curve), *_ends(curve)] for curve in found.curves]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    told = f"{found.settings.annotators} {found.settings.skill} annotators, {found.settings.minutes:g} minutes in all"
    return "\n".join([f"{told}; minutes of people's time (answers):", "", *lines, *_notes(found), ""])


def _notes(found: Campaigns) -> list[str]:
    return ["", *(f"- {note}" for note in found.all_notes)] if found.all_notes else []


def _cells(curve: LoopCurve) -> list[str]:
    return [
        price_text(cost_to_reach(curve, recall, in_minutes=True), cost_to_reach(curve, recall)) for recall in RECALLS
    ]


def price_text(minutes: float | None, answers: float | None) -> str:
    """Write minutes and answers."""
    return NEVER if minutes is None or answers is None else f"{minutes:.0f} min ({answers:.0f})"


def _ends(curve: LoopCurve) -> tuple[str, str]:
    if not curve.points:
        return "nothing", "-"
    precision = curve.points[-1].found.precision
    return f"{curve.last_recall:.0%}", "-" if precision is None else f"{precision:.0%}"


def sentences(found: Campaigns) -> list[str]:
    """Say in words what a reader wants to know."""
    told = []
    for recall in RECALLS:
        costs = [(cost, curve.strategy) for curve in found.curves if (cost := _minutes(curve, recall)) is not None]
        if costs:
            best, name = min(costs)
            told.append(f"Finding {recall:.0%} of the gestures takes {best:.0f} minutes of people's time ({name}).")
    if len(told) < len(RECALLS):
        told.append(
            f"More than {_best(found):.0%} is not found within {found.settings.minutes:g} minutes; try more --minutes."
        )
    return told


def _minutes(curve: LoopCurve, recall: float) -> float | None:
    return cost_to_reach(curve, recall, in_minutes=True)


def _best(found: Campaigns) -> float:
    return max((curve.last_recall for curve in found.curves), default=0.0)


def simulation_page(found: Campaigns, *, sequences: int, minutes: float) -> str:
    """Render the page; it needs nothing beside itself.

    Args:
        found: The campaigns.
        sequences: Recordings that they searched.
        minutes: Length of these.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    groups = sorted({group for curve in found.curves for group in curve.true_by_group})
    return template.render(
        found=found,
        sequences=sequences,
        minutes=minutes,
        true_count=found.curves[0].true_count,
        sentences=sentences(found),
        recalls=RECALLS,
        rows=[(curve, _cells(curve), *_ends(curve)) for curve in found.curves],
        groups=groups,
        by_group=[(curve, [_group_share(curve, group) for group in groups]) for curve in found.curves],
        chart=b64encode(_chart(found.curves)).decode(),
        skill=SKILLS[found.settings.skill],
        expert=EXPERT,
        seconds=AnswerSeconds(),
    )


def _group_share(curve: LoopCurve, group: str) -> str:
    there = curve.true_by_group.get(group, 0)
    count = curve.points[-1].found.by_group.get(group, 0) if curve.points else 0
    return f"{count} of {there}"


def _chart(curves: Sequence[LoopCurve]) -> bytes:
    panels = [
        CostPanel(
            across="minutes of people's time" if in_minutes else "answers",
            lines={curve.strategy: _line(curve, in_minutes=in_minutes) for curve in curves},
        )
        for in_minutes in (True, False)
    ]
    return cost_chart(panels, up=f"share of the gestures found (IoU {STRICT_IOU:g})")


def _line(curve: LoopCurve, *, in_minutes: bool) -> list[tuple[float, float]]:
    return [(0.0, 0.0), *((cost_of(point, in_minutes=in_minutes), curve.recall(point)) for point in curve.points)]
