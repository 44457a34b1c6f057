"""What croissant.json tells of how the data came about, whom it is of and what it must not be used for.

The names are those of the Croissant RAI vocabulary 1.0. ``rai:dataCollectionTimeFrame`` is left out: a release holds
no dates, because a date and a match lead to a person.
"""

from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from releases.config import ReleaseConfig
from releases.documents.card import RARE_CLASS_SEGMENTS
from releases.documents.card_privacy import classes_hurt_by_profile
from releases.facts import ReleaseFacts
from releases.tables.selection import STUDY_ORIGIN
from schema.taxonomy import Taxonomy

Json = dict[str, Any]

_PROPOSERS = {
    "contact": "pressroom's contact rules propose spans where a hand touches the body, from keypoints",
    "motion": "pressroom's motion rules propose spans where head, shoulders, torso or hands move, from keypoints",
}
_BY_PEOPLE = {"window", "person"}
"""Proposers that are no machine: somebody marked the span in a window that was searched without a proposal."""


def responsible_ai(folder: Path, facts: ReleaseFacts, *, config: ReleaseConfig, taxonomy: Taxonomy) -> Json:
    """Return the RAI properties by name, filled from the release's tables and numbers."""
    return {
        "rai:dataCollection": _collection(facts),
        "rai:dataCollectionType": ["Secondary Data analysis", "Software Collection"],
        "rai:dataCollectionRawData": (
            "Videos of people who speak to the press. They are not part of the release, nor is anything that leads to "
            "them: no pixels, sound, links, titles or digests of the files."
        ),
        "rai:dataCollectionMissingData": _missing(facts),
        "rai:dataPreprocessingProtocol": [
            "Shots are cut, people are followed from frame to frame, and of each video the person who is interviewed "
            "is kept.",
            "133 points of the body, feet, face and hands are estimated for each frame (COCO-WholeBody); a part that "
            "is hidden, too small or blurred is marked as unseen and its points are null.",
            "Positions are rounded to sixteenths of a pixel, scores to 1/255, times to nanoseconds since the first "
            "displayed frame.",
        ],
        "rai:dataManipulationProtocol": _manipulation(config),
        "rai:dataImputationProtocol": (
            "Frames with `interpolated` in keypoints were not looked at: their points lie on the straight line "
            "between the neighbouring frames'. Nothing else is filled in."
        ),
        "rai:dataAnnotationProtocol": _protocol(facts),
        **({"rai:dataAnnotationPlatform": ["Label Studio, run by the study itself"]} if _own_segments(facts) else {}),
        "rai:dataAnnotationAnalysis": [_analysis(facts)],
        "rai:annotationsPerItem": _per_item(facts),
        "rai:annotatorDemographics": ["Not collected"],
        "rai:machineAnnotationTools": _tools(folder, facts),
        "rai:personalSensitiveInformation": _personal(facts, config),
        "rai:dataBiases": _biases(facts, taxonomy),
        "rai:dataLimitations": _limitations(facts, config, taxonomy),
        "rai:dataUseCases": _uses(facts),
        "rai:dataSocialImpact": (
            "Gestures can be taken for signs of lies, stress or feelings, which they reliably are not. Systems that "
            "judge people by them can harm those people. The data is meant for the study of movement; whether a "
            "person may be observed at all is not answered by it."
        ),
        "rai:dataReleaseMaintenancePlan": (
            "A version that was published never changes; corrections and additions make a new version, with "
            "CHANGELOG.md and stable ids and splits. Whoever is shown can be withdrawn: the next version leaves them "
            "out and tells how many segments were withdrawn. Delete earlier versions when a new one says so."
        ),
    }


def _own_segments(facts: ReleaseFacts) -> int:
    """Count the segments that the study found itself; where no origin is told, all are its own."""
    return facts.origins.get(STUDY_ORIGIN, 0) if facts.origins else facts.segments


def _collection(facts: ReleaseFacts) -> str:
    told = []
    if _own_segments(facts):
        told.append(
            "Videos were chosen by the study's maintainers by their source: press conferences and interviews. Software "
            "fetched them, followed the people in them and estimated their body points; people then judged short spans."
        )
    for name, count in sorted(facts.origins.items()):
        if name != STUDY_ORIGIN:
            licence = facts.origin_licences.get(name)
            told.append(f"{count} segments were imported from {name}" + (f" (licence: {licence})." if licence else "."))
    return " ".join(told)


def _missing(facts: ReleaseFacts) -> str:
    left_out = [f"{count} segments ({reason})" for reason, count in facts.left_out_segments.items()]
    left_out += [f"{count} votes ({reason})" for reason, count in facts.left_out_votes.items()]
    told = f"Left out: {', '.join(left_out)}. " if left_out else ""
    return told + (
        "Null means: not seen (points), not declared or shared by too few people (attributes of subjects), not told "
        "by the data set that was imported (spans, picture sizes), or not measurable (description fields)."
    )


def _manipulation(config: ReleaseConfig) -> str:
    attributes = (
        f" Declared attributes of people that fewer than {config.min_subjects_an_attribute} people share are "
        "generalised, then left out. Ids are keyed hashes."
    )
    if config.profile == "research":
        return "Profile research: all 68 face points are as estimated." + attributes
    return (
        "Profile identity-free: 60 of the 68 face points are left out; the other 8, the eyes and the ears are moved "
        "onto one face that is the same for everybody, and their movement on it is rounded coarsely." + attributes
    )


def _protocol(facts: ReleaseFacts) -> str:
    if not _own_segments(facts):
        return "All labels were imported; how they were made is told by the data sets that they come from."
    text = (
        "Reviewers see a short clip of one person with a proposed span and class, and accept it, correct its edges, "
        "give another class, or reject it; other questions show no proposal. Hidden items with known answers measure "
        "the reviewers."
    )
    annotators = facts.annotation.annotators
    if annotators:
        text += f" {annotators} reviewer(s) answered."
    if facts.annotation.median_seconds is not None:
        text += f" An answer took {facts.annotation.median_seconds:.1f} s (median)."
    return text


def _analysis(facts: ReleaseFacts) -> str:
    if not _own_segments(facts):
        return "Labels are as imported: no answers are behind them."
    text = (
        "Answers are weighed by their author's skill, estimated from all answers and the hidden items (Dawid-Skene); "
        "`posterior` is the probability of what stands, `agreement` the share of the counted answers that agree. "
        "Every answer is in votes."
    )
    if facts.annotation.mean_agreement is not None:
        text += f" Mean agreement: {facts.annotation.mean_agreement:.2f}."
    return text


def _per_item(facts: ReleaseFacts) -> str:
    if not _own_segments(facts):
        return "Not known: all labels were imported"
    text = f"{facts.annotation.mean_answers:.2f} counted answers a segment of the study's own, on average"
    if facts.scripted_votes:
        text += f"; {facts.scripted_votes} of all {facts.votes} answers were given by a script, not by a person"
    return text


def _tools(folder: Path, facts: ReleaseFacts) -> list[str]:
    proposers: set[str] = set()
    for path in sorted((folder / "data").glob("segments-*.parquet")):
        proposers |= set(pc.unique(pq.read_table(path, columns=["proposer"])["proposer"]).to_pylist())
    machines = sorted(proposers - _BY_PEOPLE - set(facts.origins) - {""})
    tools = [_PROPOSERS.get(name, f"{name} proposes spans") for name in machines]
    tools.append("a whole-body pose network estimates the keypoints")
    if facts.descriptions.by_template:
        tools.append(f"templates worded {facts.descriptions.by_template} descriptions from measured fields")
    if facts.descriptions.by_model:
        tools.append(f"a language model worded {facts.descriptions.by_model} descriptions from measured fields")
    return tools


def _personal(facts: ReleaseFacts, config: ReleaseConfig) -> list[str]:
    told = [
        f"Movement of the body of {facts.subjects} known people, as points, under pseudonyms. Posture, build and "
        "habits differ between people, and whoever has the source video can find the same movement: the data is "
        "pseudonymous, not anonymous.",
    ]
    if config.profile == "research":
        told.append("The 68 face points show the shape of the face, which is biometric data.")
    told += [
        f"{one.name}, as declared by the study: given for {one.published} of {one.declared} people"
        for one in facts.attributes
    ]
    if facts.outcome_counts:
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in facts.outcome_counts.items())
        told.append(f"How the match before a press conference ended ({outcomes} videos).")
    found = facts.reidentification
    if found.tested:
        told.append(
            f"By the published face points the nearest neighbour of a video is of the same person in "
            f"{found.accuracy:.0%} of {found.videos} videos of {found.subjects} people (95 % interval "
            f"{found.accuracy_low:.0%} to {found.accuracy_high:.0%}; guessing {found.chance:.0%})."
        )
    return told


def _biases(facts: ReleaseFacts, taxonomy: Taxonomy) -> list[str]:
    told = [
        "People who speak to the press, in front of cameras and mostly seated behind a table or microphones, move "
        "otherwise than people in private; legs and feet are rarely seen.",
    ]
    totals = {class_id: sum(counts.values()) for class_id, counts in facts.class_counts.items()}
    if facts.segments:
        commonest = min(totals, key=lambda class_id: (-totals[class_id], class_id))
        name = taxonomy.by_id(commonest).name if commonest else "unclassified movement"
        told.append(
            f"Classes are uneven: {name} has {totals[commonest]} of {facts.segments} segments "
            f"({totals[commonest] / facts.segments:.0%})."
        )
    told.append(
        "Spans were first proposed by software: what it does not propose is found only in the windows that people "
        "searched without a proposal."
    )
    return told


def _limitations(facts: ReleaseFacts, config: ReleaseConfig, taxonomy: Taxonomy) -> list[str]:
    told = []
    if facts.scripted_segments:
        told.append(
            f"{facts.scripted_segments} of {facts.segments} segments rest on scripts' answers alone and say nothing "
            "about what is to be seen."
        )
    rare = [
        taxonomy.by_id(class_id).name if class_id else "unclassified movement"
        for class_id, counts in facts.class_counts.items()
        if sum(counts.values()) < RARE_CLASS_SEGMENTS
    ]
    if rare:
        told.append(f"Too rare to evaluate (fewer than {RARE_CLASS_SEGMENTS} segments): {'; '.join(rare)}.")
    hurt = [gesture.name for gesture in classes_hurt_by_profile(taxonomy)]
    if config.profile == "identity-free" and hurt:
        told.append(f"Few face points are held, which these classes need: {'; '.join(hurt)}.")
    told += [f"Does not suffice for {one.task}: {one.why}" for one in facts.readiness if not one.suffices]
    told.append("Body points are estimates of a network, with its errors and its blind spots, not measurements.")
    return told


def _uses(facts: ReleaseFacts) -> list[str]:
    told = [f"{one.task.capitalize()}: {one.why}" for one in facts.readiness if one.suffices]
    return [
        *(told or ["Research on recognising and finding micro-gestures from skeletons"]),
        "Not for identifying people, nor for judging honesty, health, character or feelings of a person.",
    ]
