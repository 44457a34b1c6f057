"""The JSON files of a model: facts -> config, taxonomy, data and metrics, and back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from models.config import TrainConfig
from models.facts import ModelFacts, Temperatures, TrainedOn, TrainingRun, check_facts
from models.metrics import ModelMetrics
from schema.errors import BadModelError, ConfigError
from schema.files import digest_of
from schema.taxonomy import GestureClass, Taxonomy

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from pydantic import TypeAdapter

CONFIG, TAXONOMY, DATA, METRICS = "config.json", "taxonomy.json", "data.json", "metrics.json"
FORMAT, FORMAT_VERSION = "pressroom-seed-model", 1
Document = TypeVar("Document", bound="DataclassInstance")
Shapes = Mapping[str, tuple[str, tuple[int, ...]]]
"""Kind of number and shape of each array of the weights, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayRow:
    """What config.json says of one array of the weights."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigDocument:
    """config.json: all that decides what a model says, beside its weights and its taxonomy."""

    format: str
    format_version: int
    layout: str
    points: tuple[int, ...]
    dimensions: int
    rate_hz: float
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    class_counts: Mapping[str, int]
    fallen_back: tuple[str, ...]
    temperatures: Temperatures
    train: TrainConfig
    weights: Mapping[str, ArrayRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxonomyDocument:
    """taxonomy.json: the class list as it was, so that a model is understood when the list has changed."""

    digest: str
    name: str
    title: str
    source: str
    classes: tuple[GestureClass, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDocument:
    """data.json: name, run, and what was learned from."""

    name: str
    run: TrainingRun
    trained_on: TrainedOn


def shapes_of(weights: Mapping[str, npt.NDArray[Any]]) -> Shapes:
    """Tell kind and shape of each array, by name in order."""
    return {name: (str(value.dtype), tuple(value.shape)) for name, value in sorted(weights.items())}


def documents_of(facts: ModelFacts, shapes: Shapes) -> dict[str, bytes]:
    """Write the JSON files of a model, by file name; the same facts give the same bytes."""
    config = ConfigDocument(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        layout=facts.layout,
        points=facts.points,
        dimensions=facts.dimensions,
        rate_hz=facts.rate_hz,
        classes=facts.classes,
        groups=facts.groups,
        class_counts=dict(sorted(facts.class_counts.items())),
        fallen_back=facts.fallen_back,
        temperatures=Temperatures(
            classes=dict(sorted(facts.temperatures.classes.items())),
            groups=dict(sorted(facts.temperatures.groups.items())),
            any_gesture=facts.temperatures.any_gesture,
        ),
        train=facts.config,
        weights={name: ArrayRow(dtype=kind, shape=shape) for name, (kind, shape) in shapes.items()},
    )
    taxonomy = {"digest": taxonomy_digest(facts.taxonomy), **asdict(facts.taxonomy)}
    data = DataDocument(name=facts.name, run=facts.run, trained_on=facts.data)
    documents = {CONFIG: asdict(config), TAXONOMY: taxonomy, DATA: asdict(data), METRICS: asdict(facts.metrics)}
    return {name: _json(document) for name, document in documents.items()}


def facts_of(name: str, files: Mapping[str, bytes]) -> tuple[ModelFacts, Shapes]:
    """Read a model's facts from its JSON files, and the arrays that its weights must be.

    Args:
        name: Of the folder, for messages.
        files: The four files by name.

    Raises:
        BadModelError: A file does not hold what it should, or the files contradict each other.
    """
    config = _parsed(name, CONFIG, files[CONFIG], ConfigDocument)
    told = _parsed(name, TAXONOMY, files[TAXONOMY], TaxonomyDocument)
    data = _parsed(name, DATA, files[DATA], DataDocument)
    taxonomy = Taxonomy(name=told.name, title=told.title, source=told.source, classes=told.classes)
    if told.digest != taxonomy_digest(taxonomy):
        raise BadModelError(f"{name}: {TAXONOMY} has another digest than it says: restore it from a copy")
    if config.rate_hz != config.train.input.rate_hz:
        raise BadModelError(f"{name}: {CONFIG} names two rates, {config.rate_hz:g} and {config.train.input.rate_hz:g}")
    facts = ModelFacts(
        name=data.name,
        config=config.train,
        layout=config.layout,
        points=config.points,
        dimensions=config.dimensions,
        taxonomy=taxonomy,
        classes=config.classes,
        groups=config.groups,
        class_counts=config.class_counts,
        fallen_back=config.fallen_back,
        temperatures=config.temperatures,
        data=data.trained_on,
        run=data.run,
        metrics=_parsed(name, METRICS, files[METRICS], ModelMetrics),
    )
    check_facts(facts, told_as=name)
    return facts, {key: (row.dtype, row.shape) for key, row in config.weights.items()}


def taxonomy_digest(taxonomy: Taxonomy) -> str:
    """Digest a class list with all its wording: two lists of one name may differ."""
    return digest_of(asdict(taxonomy))


def check_version(name: str, text: bytes) -> None:
    """Look at format and version in config.json alone: all else of another version's folder may be anything.

    Raises ``BadModelError`` for another format or version, or a text that is no JSON.
    """
    try:
        document = json.loads(text)
        found = document["format"], document["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadModelError(f"{name}: {CONFIG} is no model's configuration: restore it from a copy") from error
    if found[0] != FORMAT:
        raise BadModelError(f"{name}: {CONFIG} is of the format {found[0]!r}, not {FORMAT}")
    if found[1] != FORMAT_VERSION:
        raise BadModelError(
            f"{name}: the model has format version {found[1]}, this pressroom reads {FORMAT_VERSION}: use the "
            "pressroom that wrote it, or train the model anew"
        )


def _parsed(name: str, file: str, text: bytes, kind: type[Document]) -> Document:
    from pydantic import ValidationError

    try:
        parsed: Document = _readers()[kind].validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise BadModelError(f"{name}: {file}: {where}: {first['msg'][0].lower()}{first['msg'][1:]}") from error
    except ConfigError as error:
        raise BadModelError(f"{name}: {file}: {error}") from error
    strange = _unknown_key(json.loads(text), asdict(parsed))
    if strange:
        raise BadModelError(f"{name}: {file} holds {strange!r}, which this pressroom does not know: update pressroom")
    return parsed


@cache
def _readers() -> dict[type, "TypeAdapter[Any]"]:
    """Return what reads each kind of document; making these takes longer than reading."""
    from pydantic import TypeAdapter

    return {kind: TypeAdapter(kind) for kind in (ConfigDocument, TaxonomyDocument, DataDocument, ModelMetrics)}


def _unknown_key(document: object, known: object) -> str:
    """Find a key that was read over: a setting of a newer pressroom would be ignored without a word."""
    if isinstance(document, dict) and isinstance(known, Mapping):
        for key, value in document.items():
            found = key if key not in known else _unknown_key(value, known[key])
            if found:
                return str(found)
    if isinstance(document, list) and isinstance(known, list | tuple):
        return next((key for pair in zip(document, known, strict=True) if (key := _unknown_key(*pair))), "")
    return ""


def _json(document: object) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False, default=_plain) + "\n").encode()


def _plain(value: object) -> object:
    """Turn numpy's single numbers into Python's, which alone are written the same way everywhere."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} can't be written into a model's files")
