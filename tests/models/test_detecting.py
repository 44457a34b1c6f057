"""From frames to spans: pooling, chunks, edges, suppression."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import models.detecting.chunks as chunking
from models.config import DetectConfig
from models.detecting.chunks import encode
from models.detecting.edges import part_energies, snap
from models.detecting.finding import find_spans, judge_spans
from models.detecting.pooling import PooledSpans
from models.detecting.suppression import overlaps, soften, thin
from models.inputs.windows import LabelledFrames
from models.networks.detector import pool_spans
from models.networks.network import SeedNetwork
from models.training.preparing import make_shape, make_vocabulary
from tests.made_motions import TINY, made_people, made_taxonomy


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.integers(0, 2**16))
def test_pooling_many_spans_is_what_the_network_learned_with(frames: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    features = random.normal(size=(frames, 5)).astype(np.float32)
    first = random.integers(0, frames, 9)
    end = np.array([random.integers(f + 1, frames + 1) for f in first])
    spans = torch.tensor(np.stack([np.zeros_like(first), first, end], axis=1))
    learned = pool_spans(torch.from_numpy(features)[None], spans).numpy()
    assert np.allclose(PooledSpans(features).of(first, end), learned, atol=1e-5)


@pytest.fixture(scope="module")
def network() -> SeedNetwork:
    labelled = made_people(2, seconds=10)
    vocabulary = make_vocabulary(labelled, taxonomy=made_taxonomy(), fewest_examples=1)
    torch.manual_seed(0)
    network = SeedNetwork(make_shape(labelled, outputs=vocabulary.outputs, config=TINY))
    return network.eval()


def test_a_sequence_in_chunks_gives_what_it_gives_at_once(
    network: SeedNetwork, made_people_frames: list[LabelledFrames], monkeypatch
) -> None:
    frames = made_people_frames[0].frames
    first, end = np.array([5, 100, 250, 340]), np.array([40, 131, 270, 375])
    at_once = encode(network, frames)
    whole = judge_spans(network, at_once, first, end)
    found = find_spans(network, at_once, config=DetectConfig())
    monkeypatch.setattr(chunking, "CORE_FRAMES", 96)
    chunked = encode(network, frames)
    assert len(at_once.chunks) < len(chunked.chunks)
    parts = judge_spans(network, chunked, first, end)
    assert np.allclose(whole[0], parts[0], atol=1e-4)
    assert np.allclose(whole[1], parts[1], atol=1e-4)
    again = find_spans(network, chunked, config=DetectConfig())
    assert abs(len(again.first) - len(found.first)) <= 0.3 * len(found.first) + 2


def test_edges_go_to_where_the_moving_limb_is_still_and_no_further() -> None:
    energies = np.full((60, 2), 0.5, np.float32)
    energies[20:40, 0] = 5.0
    energies[[18, 41], 0] = 0.0
    first, end = snap(np.array([20.0]), np.array([39.0]), energies, within=4)
    assert (first[0], end[0]) == (18, 41)
    assert snap(np.array([20.0]), np.array([39.0]), energies, within=1)[0][0] == 19
    assert snap(np.array([20.0]), np.array([39.0]), energies, within=0)[0][0] == 20


def test_what_is_not_seen_has_no_energy(network: SeedNetwork) -> None:
    skeleton = network.shape.skeleton
    positions = np.random.default_rng(0).normal(size=(10, len(skeleton.points), 2)).astype(np.float32)
    unseen = np.zeros(positions.shape[:2], np.bool_)
    assert np.isnan(part_energies(positions, unseen, skeleton)).all()
    assert (part_energies(positions, ~unseen, skeleton) > 0).all()
    outside = part_energies(positions, unseen, skeleton, inside=slice(10, 10))
    assert (outside == 0).all()


def test_a_limb_that_is_lost_is_not_at_rest() -> None:
    energies = np.full((60, 2), 0.5, np.float32)
    energies[20:40, 0] = 5.0
    energies[18, 0] = 0.1
    energies[19:24, 0] = np.nan
    energies[:, 1] = np.nan
    energies[30:33, 1] = 0.2
    first, end = snap(np.array([20.0]), np.array([36.0]), energies, within=4)
    assert first[0] == 18
    assert end[0] == 40
    nowhere, _ = snap(np.array([20.0]), np.array([36.0]), np.full((60, 2), np.nan, np.float32), within=4)
    assert nowhere[0] == 20


def test_of_spans_that_tell_the_same_the_best_stays() -> None:
    first, end, scores = np.array([0.0, 1.0, 50.0]), np.array([10.0, 11.0, 60.0]), np.array([0.5, 0.9, 0.4])
    assert thin(first, end, scores, at_iou=0.5).tolist() == [1, 2]
    order, softened = soften(first, end, scores, sigma=0.3, least=0.01)
    assert order.tolist() == [1, 2, 0]
    assert softened[0] == 0.9
    assert softened[1] == 0.4
    assert softened[2] < 0.1


SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30), st.integers(1, 99)), max_size=30)
"""First frame, length and score in percent."""


@given(SPANS)
def test_however_spans_lie_those_stay_that_no_better_one_overlaps_too_much(spans: list[tuple[int, int, int]]) -> None:
    first, length, scores = np.array(spans, dtype=np.float64).reshape(-1, 3).T
    end, expected = first + length, []
    for best in np.argsort(-scores, kind="stable"):
        if all(overlaps(first[best], end[best], first[one], end[one]) < 0.5 for one in expected):
            expected.append(best)
    assert thin(first, end, scores, at_iou=0.5).tolist() == expected


@given(SPANS)
def test_however_spans_lie_scores_fall_for_each_better_one(spans: list[tuple[int, int, int]]) -> None:
    first, length, scores = np.array(spans, dtype=np.float64).reshape(-1, 3).T
    end, left = first + length, scores / 100
    order, softened = soften(first, end, left, sigma=0.3, least=0.1)
    for best, score in zip(order, softened, strict=True):
        assert score == pytest.approx(left[best])
        assert score == pytest.approx(left.max())
        left = left * np.exp(-(overlaps(first, end, first[best], end[best]) ** 2) / 0.3)
        left[best] = 0
    assert left.max(initial=0) < 0.1 + 1e-9
