"""Labels of particles lie inside of the image, wherever the particles are, and without a screen."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.transforms import Affine2D

from particlespy_ml.plotting.inner_text import InnerText
from tests.plotting.test_all_figures import check_nothing_is_cut

# height, width; a text cannot be longer than the image
SHAPES = [(128, 160), (60, 200), (160, 128)]
CLASSES = ("cuboctahedron", "twinned icosahedron")


@pytest.fixture(params=SHAPES, ids=str)
def edges(request, make_frame, make_image, add_classes):
    """Particles in the middle, at all edges and in all corners, cut by them, with long labels; and their table."""
    height, width = request.param
    places = [(y, x) for y in (3, height // 2, height - 4) for x in (3, width // 2, width - 4)]
    image = make_image(make_frame(places, [9] * 9, shape=request.param))
    table = add_classes(image.measure_particles(np.asarray(image.data) > 2.5), CLASSES)
    assert table.n_particles == 9
    return image, table


def inside(box, room):
    return room.x0 <= box.x0 and box.x1 <= room.x1 and room.y0 <= box.y0 and box.y1 <= room.y1


@pytest.mark.parametrize("figsize", [None, (3, 3)])
@pytest.mark.parametrize("label", ["auto", "equivalent_circular_diameter"])
def test_labels_of_an_overlay(edges, label, figsize):
    image, table = edges
    ax = table.plot_overlay(image, label=label, figsize=figsize)
    ax.figure.canvas.draw()
    texts = [text for text in ax.texts if text.get_text()]
    assert len(texts) == (6 if label == "auto" else 9)  # the others are undefined
    assert all(inside(text.get_window_extent(), ax.bbox) for text in texts)
    check_nothing_is_cut(ax.figure)


@pytest.mark.parametrize("flip", [np.s_[:, :], np.s_[::-1, ::-1]])
@pytest.mark.parametrize("label", ["auto", "equivalent_circular_diameter"])
def test_labels_over_the_image_that_hyperspy_shows(edges, label, flip, add_classes):
    image = edges[0].isig[flip]
    table = add_classes(image.measure_particles(np.asarray(image.data) > 2.5), CLASSES)
    image.plot_particles(table, label)
    shown = image._plot.signal_plot
    shown.figure.canvas.draw()
    texts = shown.ax_markers[1]._collection
    places = shown.ax.transData.transform(texts.get_offsets())
    assert len(places) == (6 if label == "auto" else 9)
    for path, transform, place in zip(texts.get_paths(), texts.get_transforms(), places, strict=True):
        assert inside(path.get_extents(Affine2D(transform)).translated(*place), shown.ax.bbox)


def test_a_label_follows_a_zoom_and_is_cut_where_its_particle_is_not_shown():
    ax = plt.subplots()[1]
    ax.set(xlim=(0, 10), ylim=(0, 10))
    text = InnerText(ax, 5, 5, "in the middle", ha="center")
    ax.figure.canvas.draw()
    before = text.get_window_extent()
    assert (before.x0 + before.x1) / 2 == pytest.approx(ax.transData.transform((5, 5))[0], abs=1)
    ax.set_xlim(4.9, 14.9)
    ax.figure.canvas.draw()
    assert inside(text.get_window_extent(), ax.bbox)
    ax.set_xlim(5.1, 15.1)
    ax.figure.canvas.draw()
    assert text.get_window_extent().x0 < ax.bbox.x0  # and what is beyond the edge is clipped
    assert text.get_clip_on()


def test_a_label_that_is_longer_than_the_image_shows_its_beginning():
    ax = plt.subplots(figsize=(1, 1))[1]
    text = InnerText(ax, 0.5, 0.5, "a very long name of a class", ha="center")
    ax.figure.canvas.draw()
    assert text.get_window_extent().x0 >= ax.bbox.x0


@pytest.mark.filterwarnings("ignore:Passing unrecognized arguments:DeprecationWarning")  # ipympl's own
@pytest.mark.parametrize("backend", ["agg", "module://ipympl.backend_nbagg"])
def test_particles_follow_the_navigation_without_a_screen_and_in_jupyter(series, backend):
    table = series.measure_particles(np.asarray(series.data) > 2.5)
    before = plt.get_backend()
    try:
        if "ipympl" in backend:
            pytest.importorskip("ipympl")  # which takes over when it is imported
        plt.switch_backend(backend)
        series.plot_particles(table, figsize=(4, 3), cmap="magma")
        shown = series._plot.signal_plot
        assert tuple(shown.figure.get_size_inches()) == (4, 3) and shown.ax.images[0].get_cmap().name == "magma"
        assert ("ipympl" in type(shown.figure.canvas).__module__) == ("ipympl" in backend)
        counts = []
        for index in (0, 1, 2, 0):
            series.axes_manager.indices = (index,)
            shown.figure.canvas.draw()
            counts.append(len(shown.ax_markers[0]._collection.get_paths()))
        assert counts == [2, 0, 1, 2]
    finally:
        plt.close("all")
        plt.switch_backend(before)
