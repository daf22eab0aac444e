"""Stacks to aligned stacks and class averages: calibrated, eager, lazy and saved."""

import hyperspy.api as hs
import numpy as np
import pytest
from hyperspy.signals import Signal2D
from scipy import ndimage as ndi

from particlespy_ml.stacks.alignment import _forward, transform


def wedge(edge=40, sides=0):
    rows, columns = np.indices((edge, edge)) - edge // 2
    image = np.exp(-((columns + 4) ** 2 + rows**2) / 18.0) + 0.8 * np.exp(-((columns - 6) ** 2 + rows**2) / 8.0)
    return image + sides * 0.9 * np.exp(-((columns) ** 2 + (rows - 9) ** 2) / 8.0)


@pytest.fixture
def stack():
    """Twelve turned and moved particles of two kinds, three of a lazy block, with their angles and shifts."""
    rng = np.random.default_rng(0)
    angles, shifts = rng.uniform(0, 360, 12), rng.uniform(-2, 2, (12, 2))
    images = [
        ndi.shift(transform(wedge(sides=i % 2), np.zeros(2), a), s, order=3, mode="nearest")
        for i, (a, s) in enumerate(zip(angles, shifts, strict=True))
    ]
    images = np.array(images, np.float32) * 100 + rng.normal(scale=2, size=(12, 40, 40)) + 50
    signal = Signal2D(images.astype(np.float32))
    signal.axes_manager.navigation_axes[0].name = "particle"
    signal.axes_manager.signal_axes.set(scale=0.05, units="nm", offset=-1.0)
    signal.set_signal_type("HAADF")
    return signal, angles, shifts


def test_angles_and_shifts_are_those_that_were_drawn(stack):
    signal, angles, shifts = stack
    signal, angles, shifts = signal.inav[::2], angles[::2], shifts[::2]
    aligned = signal.align()
    record = aligned.metadata.particlespy_ml.alignment
    common = np.angle(np.exp(1j * np.deg2rad(record.angles + angles)).mean(), deg=True)
    error = (record.angles + angles - common + 180) % 360 - 180
    assert np.abs(error).max() < 1.0, f"errors {np.round(error, 2)} degrees"
    rest = np.column_stack([record.shift_y, record.shift_x]) / 0.05 - shifts
    turned = [_forward(np.deg2rad(angle)) @ r for angle, r in zip(record.angles, rest, strict=True)]
    assert (np.std(turned, axis=0) < 0.1).all()  # what is left is where the mean's own middle is
    assert aligned.data.std(0).mean() < 0.35 * signal.data.std(0).mean()
    assert type(aligned) is type(signal) and aligned.data.dtype == np.float32
    for one, other in zip(aligned.axes_manager._axes, signal.axes_manager._axes, strict=True):
        assert one.get_axis_dictionary() == other.get_axis_dictionary()


def test_lazy_in_lazy_out_block_by_block(stack, tmp_path):
    import dask.array as da

    signal, _, _ = stack
    eager = signal.align(seed=1)
    lazy = signal.as_lazy()
    lazy.data = da.from_array(signal.data, chunks=(3, -1, -1))
    found = lazy.align(seed=1)
    assert found._lazy and type(found).__name__ == "LazyHAADFImage" and found.data.chunks[0] == (3,) * 4
    found.compute()
    np.testing.assert_allclose(found.data, eager.data, atol=1e-3)
    one = lazy.class_averages(np.arange(12) % 2)
    np.testing.assert_allclose(one.data, signal.class_averages(np.arange(12) % 2).data, atol=1e-3)
    assert lazy.align(lazy_output=False)._lazy is False and signal.align(lazy_output=True)._lazy
    found.save(tmp_path / "aligned.hspy")
    loaded = hs.load(tmp_path / "aligned.hspy")
    np.testing.assert_allclose(
        loaded.metadata.particlespy_ml.alignment.angles, eager.metadata.particlespy_ml.alignment.angles
    )


def test_class_averages_are_of_their_own_kind(stack):
    signal, _, _ = stack
    clusters = np.arange(12) % 2
    clusters[11] = -1
    means = signal.class_averages(clusters)
    assert means.data.shape == (2, 40, 40) and type(means) is type(signal)
    assert [axis.name for axis in means.axes_manager.navigation_axes] == ["cluster"]
    assert means.axes_manager.signal_axes[0].scale == 0.05 and means.axes_manager.signal_axes[0].units == "nm"
    record = means.metadata.particlespy_ml.class_averages
    assert list(record.counts) == [6, 5] and list(record.clusters) == [0, 1] and min(record.scores) > 0.95
    for mean, kind in zip(means.data, (0, 1), strict=True):
        plain = signal.data[clusters == kind].mean(0)
        assert mean.max() > 1.1 * plain.max()
    as_they_are = signal.class_averages(clusters, align=False)
    np.testing.assert_allclose(as_they_are.data[0], signal.data[clusters == 0].mean(0), rtol=1e-5)


def test_averages_by_the_clusters_of_a_table(series, add_classes):
    table = add_classes(series.measure_particles(np.asarray(series.data) > 2.5))
    stack = series.extract_particles(table)
    with pytest.raises(ValueError, match="no column of whole numbers 'cluster'"):
        stack.class_averages(table)
    found = stack.class_averages(table, "class")
    assert list(found.metadata.particlespy_ml.class_averages.clusters) == ["icosahedron", "amorphous"]
    clustered = table.cluster_particles(n_clusters=2, resamples=0)
    assert stack.class_averages(clustered).data.shape[0] == 2


def test_only_centred(stack):
    signal, _, _ = stack
    record = signal.align(rotate=False).metadata.particlespy_ml.alignment
    np.testing.assert_array_equal(record.angles, 0)
    assert np.isfinite(record.scores).all()


def test_bad_input(stack):
    signal, _, _ = stack
    with pytest.raises(ValueError, match="stack of 2 or more particles"):
        signal.inav[:1].align()
    with pytest.raises(ValueError, match="stack of 2 or more particles"):
        signal.inav[0].align()
    with pytest.raises(ValueError, match="iterations=0"):
        signal.align(iterations=0)
    with pytest.raises(ValueError, match="are too small"):
        signal.isig[:5, :5].align()
    with pytest.raises(ValueError, match="for each of the stack's 12 particles"):
        signal.class_averages([0, 1])
    with pytest.raises(ValueError, match="No particle is in a cluster"):
        signal.class_averages(np.full(12, -1))
    flat = signal.deepcopy()
    flat.data[:] = 3
    np.testing.assert_allclose(flat.align().data, 3, rtol=1e-5)


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_named(stack, lazy, value):
    import dask.array as da

    signal, _, _ = stack
    signal.data[7, :2, 3] = value
    if lazy:
        signal = signal.as_lazy()
        signal.data = signal.data.rechunk((5, -1, -1))
        assert isinstance(signal.data, da.Array)
    for call in (
        signal.align,
        lambda: signal.class_averages([0] * 12),
        lambda: signal.class_averages([0] * 12, align=False),
    ):
        with pytest.raises(ValueError, match="Particle 7: 2 of 1600 pixels are not finite.*isig"):
            call()


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("flip", [np.s_[::-1, :], np.s_[:, ::-1], np.s_[::-1, ::-1]])
def test_axes_that_run_backwards_make_no_difference(stack, flip, mirror):
    """Angles turn from x towards y, and shifts are in x and y, whichever way the axes run."""
    signal = stack[0].inav[:4]
    expected, found = (s.align(mirror=mirror) for s in (signal, signal.isig[flip]))
    one, other = (s.metadata.particlespy_ml.alignment.as_dictionary() for s in (expected, found))
    for name in ("angles", "shift_x", "shift_y", "mirrored", "scores"):
        np.testing.assert_array_equal(one[name], other[name])
    np.testing.assert_array_equal(found.isig[flip].data, expected.data)
    assert [axis.scale for axis in found.axes_manager.signal_axes] == [
        axis.scale for axis in signal.isig[flip].axes_manager.signal_axes
    ]
    means = [s.class_averages([0, 0, 1, 1], mirror=mirror) for s in (signal, signal.isig[flip])]
    np.testing.assert_array_equal(means[1].isig[flip].data, means[0].data)


def test_axes_of_different_units_and_of_none(stack):
    signal = stack[0].inav[:4]
    expected = signal.align().metadata.particlespy_ml.alignment
    uneven = signal.deepcopy()
    uneven.axes_manager.signal_axes[1].units, uneven.axes_manager.signal_axes[1].scale = "µm", 5e-5
    found = uneven.align().metadata.particlespy_ml.alignment
    np.testing.assert_allclose(found.angles, expected.angles, atol=1e-3)
    np.testing.assert_allclose(found.shift_y, expected.shift_y, atol=1e-5)  # in the unit of x
    plain = signal.deepcopy()
    plain.axes_manager.signal_axes.set(scale=1, offset=0, units="px")
    np.testing.assert_allclose(plain.align().metadata.particlespy_ml.alignment.angles, expected.angles, atol=1e-3)
    plain.axes_manager.signal_axes[0].units = "nm"
    with pytest.raises(ValueError, match="not calibrated as a length"):
        plain.align()
    plain.axes_manager.signal_axes[0].convert_to_non_uniform_axis()
    with pytest.raises(ValueError, match="not uniform"):
        plain.align()


def test_a_position_at_the_rim_of_the_search_is_not_used():
    """The fourth image is no particle but a slope, which fits any other best as far away as is allowed."""
    rng = np.random.default_rng(0)
    images = np.stack([wedge(sides=1) * 100 + rng.normal(size=(40, 40)) for _ in range(20)])
    columns = np.indices((40, 40))[1]
    images[3] = 5 * columns
    signal = Signal2D(images.astype(np.float32))
    signal.axes_manager.signal_axes.set(scale=0.05, units="nm", offset=-1.0)
    signal.set_signal_type("HAADF")
    with pytest.warns(UserWarning, match=r"1 of 20 particles \(3\) fit best at the rim.*10 pixels.*not used"):
        aligned = signal.align(rotate=False)
    from particlespy_ml.stacks.alignment import centroid, smoothed

    expected = centroid(smoothed(signal.data[3:4], 1.5)[0]) * 0.05
    record = aligned.metadata.particlespy_ml.alignment
    np.testing.assert_allclose([record.shift_y[3], record.shift_x[3]], expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"smoothing='11 px' \(11 pixels\).*a quarter of the box"):
        signal.align(smoothing="11 px")
    with pytest.raises(ValueError, match="finite length"):
        signal.align(smoothing=float("nan"))


def test_scores_of_images_that_are_not_aligned_are_their_correlations():
    rng = np.random.default_rng(0)
    noise = Signal2D(rng.normal(size=(7, 20, 20)))
    noise.axes_manager.signal_axes.set(scale=0.1, units="nm")
    noise.set_signal_type("HAADF")
    means = noise.class_averages([0, 0, 0, 0, 1, 1, 2], align=False, show_progressbar=False)
    scores = means.metadata.particlespy_ml.class_averages.scores
    for number, inside in enumerate((slice(0, 4), slice(4, 6), slice(6, 7))):
        expected = [np.corrcoef(one.ravel(), means.data[number].ravel())[0, 1] for one in noise.data[inside]]
        assert scores[number] == pytest.approx(np.mean(expected), abs=1e-6)
    assert scores[0] < 0.7 and scores[2] == pytest.approx(1)
