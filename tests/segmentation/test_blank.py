"""Frames without particles have none, and faint particles are not lost for it."""

import numpy as np
import pytest
from scipy import ndimage as ndi

from particlespy_ml.segmentation.automatic import segment_automatic
from particlespy_ml.segmentation.blank import is_blank

SIZE = 128
Y, X = np.mgrid[:SIZE, :SIZE] / SIZE


def correlated(rng, sigma):
    noise = ndi.gaussian_filter(rng.normal(size=(SIZE, SIZE)), sigma)
    return noise / noise.std()


BLANK = {
    "white": lambda rng: rng.normal(size=(SIZE, SIZE)),
    **{f"{mean} counts": lambda rng, mean=mean: rng.poisson(mean, (SIZE, SIZE)) for mean in (0.01, 0.1, 1, 1000)},
    "slope": lambda rng: rng.poisson(200 * (1 + 0.5 * X + 0.3 * Y**2)),
    "bump": lambda rng: rng.poisson(200 * (1 + 0.5 * np.exp(-((X - 0.5) ** 2 + (Y - 0.4) ** 2) / 0.18))),
    "scan lines": lambda rng: (
        rng.normal(size=(SIZE, SIZE)) + 6 * ndi.gaussian_filter1d(rng.normal(size=(SIZE, 1)), 2, axis=0)
    ),
    "amorphous, 1 px": lambda rng: correlated(rng, 1),
    "amorphous, 4 px": lambda rng: correlated(rng, 4),
    "amorphous and white": lambda rng: correlated(rng, 3) + rng.normal(size=(SIZE, SIZE)),
}


@pytest.mark.parametrize("kind", BLANK)
def test_a_blank_frame_has_no_particles(kind):
    rng = np.random.default_rng(0)
    found = [segment_automatic(BLANK[kind](rng), (0.1, 0.1), polarity=p).max() for p in ["bright", "dark"] * 4]
    assert not any(found)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["0.1 counts", "slope", "scan lines", "amorphous, 4 px", "amorphous and white"])
def test_of_a_hundred_blank_frames_one_may_have_particles(kind):
    found = [
        segment_automatic(BLANK[kind](np.random.default_rng([1, seed])), (0.1, 0.1), polarity="bright").max()
        for seed in range(100)
    ]
    assert np.count_nonzero(found) <= 1


def discs(rng, contrast, radius, places):
    y, x = np.mgrid[:256, :256]
    truth = np.array([np.hypot(y - row, x - column) < radius for row, column in places])
    return contrast * ndi.gaussian_filter(truth.any(0).astype(float), 1) + rng.normal(size=(256, 256)), truth


@pytest.mark.parametrize(
    ("contrast", "radius", "count", "least"),
    [(1, 8, 9, 0.8), (1.5, 8, 9, 0.97), (0.7, 30, 3, 0.97), (1.5, 30, 1, 0.97)],
    ids=["faint", "clear", "large", "one"],
)
def test_faint_particles_are_found(contrast, radius, count, least):
    places = [(50 + 75 * i, 50 + 75 * j) for i in range(3) for j in range(3)]
    places = {9: places, 3: [(60, 60), (60, 190), (190, 120)], 1: [(100, 150)]}[count]
    hits = 0
    for seed in range(4):
        frame, truth = discs(np.random.default_rng(seed), contrast, radius, places)
        labels = segment_automatic(frame, (0.1, 0.1), polarity="bright")
        for disc in truth:
            own = np.bincount(labels[disc])[1:]
            if own.size and own.max():
                found = labels == own.argmax() + 1
                hits += (found & disc).sum() > 0.5 * (found | disc).sum()
    assert hits >= least * 4 * len(places)


@pytest.mark.parametrize("kind", ["sphere", "disc"])
@pytest.mark.parametrize(("side", "least"), [("edge", 10), ("corner", 9)])
def test_one_large_particle_that_the_border_cuts(kind, side, least):
    y, x = np.mgrid[:256, :256]
    hits = 0
    for seed in range(12):
        rng = np.random.default_rng([2, seed])
        row, column = (rng.uniform(-20, 20), rng.uniform(80, 176)) if side == "edge" else (0, 0)
        distance = np.hypot(y - row, x - column) / 60
        truth = distance < 1
        particle = np.sqrt(np.clip(1 - distance**2, 0, None)) if kind == "sphere" else 1.0 * truth
        support = [ndi.gaussian_filter(rng.normal(size=truth.shape), width) for width in (4, 15)]
        frame = 10 * particle + sum(layer / layer.std() for layer in support) + rng.normal(size=truth.shape)
        found = segment_automatic(frame, (0.1, 0.1), polarity="bright") > 0
        hits += (found & truth).sum() > 0.5 * (found | truth).sum()
    assert hits >= least


def test_large_particles_that_leave_little_background():
    places = [(50 + 75 * i, 50 + 75 * j) for i in range(3) for j in range(3)]
    for seed in range(3):
        frame, _ = discs(np.random.default_rng(seed), 2, 30, places)
        assert segment_automatic(frame, (0.1, 0.1), polarity="bright").max() >= 7


@pytest.mark.parametrize("shape", [(20, 20), (128, 128)])
def test_regions_of_noise_and_of_particles(shape):
    rng = np.random.default_rng(0)
    region = np.zeros(shape, int)
    region[4:12, 5:13] = 1
    noise = rng.normal(size=shape)
    pixel = np.array([0.1, 0.1])
    assert is_blank(noise, region, pixel)
    assert is_blank(noise, 0 * region, pixel)
    assert not is_blank(noise + 5 * region, region, pixel)
    assert not is_blank(1.0 * region, region, pixel)
