"""``pressroom simulate``: the loop with simulated people over labelled data, to choose a budget beforehand."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import typer

from annotation.answers.simulated_crew import SKILLS
from evaluation.loop import LoopCurve
from flows._leases import waited_lease
from flows._progress import current_progress, showing
from flows._publication import adjudicate
from flows._simulation import SimulationSettings, Strategy, simulate_loop
from flows._simulation_page import Campaigns, simulation_page, simulation_table
from flows._study import Study
from flows._train import require_training
from flows._training_data import collect_training_data
from models.inputs.poses import LabelledSequence
from models.training.progress import TrainProgress
from schema.errors import UsageError
from schema.tables import STUDY_KEY, written_beside

MOSTLY_JUDGED = 0.95
"""Share of a sequence that was judged from which on its labels are taken for everything that happens in it."""
WHOLE_CLIP = 0.95
"""A gesture that fills this share of its sequence is the label of a clip: nothing is to be found there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateCall:
    """What the command line asks for."""

    on: Path | None = None
    """A release to take the truth from, too."""
    annotators: int = 4
    skill: str = "ordinary"
    minutes: float = 120.0
    rounds: int = 4
    seed: int = 0
    learned: bool = True
    """Whether the learned loop is simulated, which trains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The labelled data that a campaign is simulated over."""

    sequences: tuple[LabelledSequence, ...]
    notes: tuple[str, ...] = field(default=())
    """What a reader must know of it."""

    @property
    def minutes(self) -> float:
        """Length of all recordings."""
        return sum(int(one.poses.times_ns[-1] - one.poses.times_ns[0]) for one in self.sequences) / 60e9


def run_simulation(study: Study, call: SimulateCall, *, as_json: bool) -> None:
    """Simulate, write the page and the JSON file, and print a table or, for machines, the curves.

    Nothing of the study changes, and nothing is written before the last campaign is done.

    Raises:
        UsageError: The call has a number that no campaign could have, or the study has no labels to be found.
        MissingPartError: A package for training is not installed.
    """
    if call.skill not in SKILLS:
        raise UsageError(f"--skill {call.skill}: must be one of {', '.join(SKILLS)}")
    if call.learned:
        require_training()
    settings = settings_of(study, call)
    truth = truth_of(study, on=call.on)
    with showing():
        curves = simulate_all(truth, settings, study, learned=call.learned)
    found = Campaigns(study=study.config.study.name, curves=tuple(curves), settings=settings, notes=truth.notes)
    document = json.dumps(document_of(found, truth), indent=1)
    page = study.layout.reports / "simulation.html"
    with written_beside(page) as beside:
        beside.write_text(simulation_page(found, sequences=len(truth.sequences), minutes=truth.minutes), "utf-8")
    with written_beside(page.with_suffix(".json")) as beside:
        beside.write_text(document + "\n", encoding="utf-8")
    typer.echo(document if as_json else f"{simulation_table(found)}\n{page}")


def settings_of(study: Study, call: SimulateCall) -> SimulationSettings:
    """Put the study's own rules together with what the call asks for."""
    return SimulationSettings(
        taxonomy=study.taxonomy,
        annotate=study.config.annotate,
        adjudicate=study.config.adjudicate,
        proposals=study.config.proposals,
        skill=call.skill,
        annotators=call.annotators,
        minutes=call.minutes,
        rounds=call.rounds,
        seed=call.seed,
        loop_window_seconds=study.config.annotate.audit_window_seconds,
    )


def truth_of(study: Study, *, on: Path | None) -> Truth:
    """Choose the data whose labels are taken for the truth: what was labelled throughout, of one layout.

    Where nothing was, everything that has a verified gesture serves, and the result says so.

    Raises ``UsageError`` where there is no gesture to be found in anything.
    """
    with waited_lease(study.layout, "publish", STUDY_KEY):
        adjudicate(study)
        known = collect_training_data(study, on=on).labelled
    timed = [one for one in known if one.gestures and one.poses.times_ns.shape[0] > 1 and not _is_clip(one)]
    if not timed:
        raise UsageError(
            "no labelled gesture inside a longer recording: import a data set with times (`pressroom import`), name a "
            "release (--on), or verify some"
        )
    throughout = [one for one in timed if _judged_share(one) >= MOSTLY_JUDGED]
    notes = []
    if not throughout:
        share = sum(map(_judged_share, timed)) / len(timed)
        notes.append(
            f"no recording was labelled from end to end; people judged {share:.0%} of the time, and the rest is taken "
            "to hold no gesture: real recall will be lower, and real questions will find more"
        )
    chosen = throughout or timed
    layouts: Counter[str] = Counter()
    for one in chosen:
        layouts[one.poses.layout] += len(one.gestures)
    layout = min(layouts, key=lambda name: (-layouts[name], name))
    if len(layouts) > 1:
        others = ", ".join(f"{count} of {name}" for name, count in sorted(layouts.items()) if name != layout)
        notes.append(f"gestures of other keypoint layouts are left out: {others}")
    return Truth(sequences=tuple(one for one in chosen if one.poses.layout == layout), notes=tuple(notes))


def _length_ns(sequence: LabelledSequence) -> int:
    return int(sequence.poses.times_ns[-1] - sequence.poses.times_ns[0])


def _judged_share(sequence: LabelledSequence) -> float:
    return sum(span.duration_ns for span in sequence.judged) / max(1, _length_ns(sequence))


def _is_clip(sequence: LabelledSequence) -> bool:
    return any(g.span.duration_ns >= WHOLE_CLIP * _length_ns(sequence) for g in sequence.gestures)


def simulate_all(truth: Truth, settings: SimulationSettings, study: Study, *, learned: bool) -> list[LoopCurve]:
    """Simulate every strategy: windows as long as a clip, windows as the study audits with, proposals, the loop."""
    audit = replace(settings, window_seconds=settings.annotate.audit_window_seconds)
    plans = [(Strategy.WINDOWS, settings), (Strategy.WINDOWS, audit), (Strategy.RULES, settings)]
    plans += [(Strategy.LEARNED, settings)] if learned else []
    return [simulate_one(truth.sequences, strategy, one, study) for strategy, one in plans]


def simulate_one(
    data: Sequence[LabelledSequence], strategy: Strategy, settings: SimulationSettings, study: Study
) -> LoopCurve:
    """Simulate one strategy, and show how far it is."""
    from flows._simulation_training import RoundTrainer

    progress = current_progress()

    def trained(number: int, told: TrainProgress) -> None:
        note = told.note
        progress("train", f"round {number}, {told.stage}", told.step, told.steps, note)

    trainer = RoundTrainer(taxonomy=settings.taxonomy, config=study.config.train, seed=settings.seed, report=trained)
    return simulate_loop(
        data,
        strategy=strategy,
        settings=settings,
        train=trainer if strategy is Strategy.LEARNED else None,
        report=lambda name, spent, whole: progress(
            "simulate", str(name), min(round(spent), round(whole)), round(whole)
        ),
    )


def document_of(found: Campaigns, truth: Truth) -> dict[str, Any]:
    """Return what the JSON file holds."""
    settings = found.settings
    return {
        "study": found.study,
        "sequences": len(truth.sequences),
        "minutes_of_recordings": round(truth.minutes, 2),
        "annotators": settings.annotators,
        "skill": settings.skill,
        "minutes": settings.minutes,
        "rounds": settings.rounds,
        "seed": settings.seed,
        "notes": list(found.all_notes),
        "needed": [asdict(row) for row in found.needed()],
        "curves": [asdict(curve) for curve in found.curves],
    }
