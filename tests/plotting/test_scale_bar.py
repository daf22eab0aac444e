"""Scale bars: their length, their place, and that they are seen on any image."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Rectangle

from particlespy_ml.plotting.scale_bar import draw_scale_bar, round_length, scale_bar_text


def line_box(bar):
    """Where both ends of a bar lie on the screen."""
    bar.figure.canvas.draw()
    (line,) = bar.findobj(Rectangle)
    box = line.get_window_extent()
    return np.array([[box.x0, (box.y0 + box.y1) / 2], [box.x1, (box.y0 + box.y1) / 2]])


@pytest.mark.parametrize(
    ("length", "expected"), [(1, 1), (1.9, 1), (2, 2), (4.99, 2), (0.07, 0.05), (3e-5, 2e-5), (999, 500)]
)
def test_round_lengths(length, expected):
    assert round_length(length) == pytest.approx(expected)


@pytest.mark.parametrize(("scale", "units", "text"), [(0.04, "nm", "1 nm"), (0.4, "Å", "10 Å"), (2.1, "pm", "50 pm")])
def test_a_bar_is_as_long_as_it_says(two_disks, scale, units, text):
    two_disks.axes_manager.signal_axes.set(scale=scale, units=units)
    ax = two_disks.measure_particles(np.asarray(two_disks.data) > 2.5).plot_overlay(two_disks)
    (bar,) = ax.artists
    assert scale_bar_text(bar) == text
    (start, stop), pixels = line_box(bar)[:, 0], ax.bbox.width / 160
    assert (stop - start) / pixels * scale == pytest.approx(float(text.split()[0]))
    assert 0.08 * ax.bbox.width < stop - start < 0.2001 * ax.bbox.width


@pytest.mark.parametrize("units", ["", "<undefined>", "None"])
def test_an_image_without_units_has_a_bar_in_pixels(units):
    ax = plt.subplots()[1]
    ax.imshow(np.zeros((30, 60)))
    assert scale_bar_text(draw_scale_bar(ax, units, scale=0.3)) == "10 px"


def test_a_bar_keeps_its_place_when_zoomed_and_stays_true():
    ax = plt.subplots()[1]
    ax.imshow(np.zeros((50, 100)), extent=(0, 10, 5, 0))
    bar = draw_scale_bar(ax, "nm")
    before = line_box(bar)
    ax.set(xlim=(4, 9), ylim=(4, 1.5))
    after = line_box(bar)
    np.testing.assert_allclose(after[0], before[0], atol=0.01)
    assert np.ptp(after[:, 0]) == pytest.approx(2 * np.ptp(before[:, 0]))
    ax.set_axis_off()
    ax.set(xlim=(5, 5.5), ylim=(2, 1.75))  # where it is longer than what is shown, it is cut
    pixels = (line_box(bar), np.asarray(ax.figure.canvas.buffer_rgba()))[1]
    assert (pixels[:, int(ax.bbox.x1) + 3 :] == 255).all()


@pytest.mark.parametrize("flip", [np.s_[:, :], np.s_[::-1, :], np.s_[:, ::-1]])
def test_a_bar_lies_in_the_corner_of_flipped_images_too(two_disks, flip):
    image = two_disks.isig[flip]
    ax = image.measure_particles(np.asarray(image.data) > 2.5).plot_overlay(image)
    (x, y), width, height = (line_box(ax.artists[0]) - ax.bbox.p0).T, ax.bbox.width, ax.bbox.height
    assert 0 < x.min() / width < x.max() / width < 0.25
    assert (0 < y / height).all() and (y / height < 0.06).all()


@pytest.mark.parametrize(("flip", "left"), [(slice(None), False), (slice(None, None, -1), True)])
def test_a_bar_takes_the_corner_with_the_fewest_labelled_pixels(make_frame, make_image, flip, left):
    image = make_image(make_frame([(110, 14), (110, 146), (14, 14)], [16, 16, 12])).isig[flip, :]
    ax = image.measure_particles(np.asarray(image.data) > 2.5).plot_overlay(image)
    (x, y), width, height = (line_box(ax.artists[0]) - ax.bbox.p0).T, ax.bbox.width, ax.bbox.height
    assert (x / width < 0.25 if left else x / width > 0.75).all() and (y / height > 0.8).all()


@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0])
def test_a_bar_is_seen_on_any_grey(grey):
    figure = plt.figure()
    ax = figure.add_axes((0, 0, 1, 1))
    ax.imshow(np.full((40, 40), grey), cmap="gray", vmin=0, vmax=1, aspect="auto")
    ax.set_axis_off()
    bar = draw_scale_bar(ax, "nm")
    (x0, y), (x1, _) = line_box(bar)
    pixels = np.asarray(figure.canvas.buffer_rgba())[::-1, :, :3].mean(-1) / 255
    across = pixels[:, int((x0 + x1) / 2)][int(y) - 6 : int(y) + 6]
    assert across.max() - across.min() > 0.9
    text = bar.get_window_extent()
    part = pixels[int(y) + 5 : int(text.y1), int(text.x0) : int(text.x1)]
    assert (part > 0.8).sum() > 20 and (part < 0.2).sum() > 20


def test_a_bar_in_pixels_on_an_image_with_a_scale(make_frame, make_image):
    """The axes are in steps of the scale, the bar in pixels of the image."""
    image = make_image(make_frame([(30, 30)], [8]), scale=0.02)
    image.axes_manager.signal_axes.set(units="")
    table = image.measure_particles(method="otsu")
    ax = table.plot_overlay(image)
    (bar,) = (one for one in ax.artists if scale_bar_text(one).endswith("px"))
    (start, stop), width = line_box(bar)[:, 0], ax.bbox.width / image.data.shape[1]
    assert (stop - start) / width == pytest.approx(float(scale_bar_text(bar).split()[0]))
