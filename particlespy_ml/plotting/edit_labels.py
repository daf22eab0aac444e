"""The verb `edit_labels`, for any image signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.frames import frames_array
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.plotting.label_editor import LabelEditor
from particlespy_ml.plotting.overlay import frame_place
from particlespy_ml.segmentation.choose import are_numbered
from particlespy_ml.segmentation.segment_particles import segment_particles

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal, Signal2D
    from numpy.typing import ArrayLike


def edit_labels(
    signal: Signal2D,
    labels: BaseSignal | ArrayLike | None = None,
    index: int | tuple[int, ...] | None = None,
    *,
    radius: float | str | None = None,
) -> LabelEditor:
    """Correct the labels of one frame with the mouse, or by the methods of the editor.

    Every action of the mouse is a method: ``editor.delete(3)``, ``editor.merge(1, 2)``, ``editor.split(4, line)``,
    ``editor.paint(outline)``, ``editor.erase(outline)``, ``editor.undo()``, with positions (x, y) in the units of the
    image. ``editor.labels`` are the corrected labels, to be measured by ``s.measure_particles(editor.labels)``, and
    ``editor.changes`` is what was done. The figure answers to the mouse in Qt and, in Jupyter, after
    ``%matplotlib widget``, which takes ``pip install ipympl``.

    Parameters
    ----------
    signal
        Image or series of images of any navigation shape, lazy or not; only the frame that is edited is read.
    labels
        What `segment_particles` returned, or labels or a mask of your own; they are not changed. By default the
        particles are found as by `segment_particles`.
    index
        Frame: its number as in the column ``frame`` of `ParticleTable.to_dataframe`, or a tuple of indices in the order
        of ``image.axes_manager.navigation_axes``, as for ``image.inav``. By default the current one.
    radius
        Radius of the brush in the unit of the image, or a text such as "3 px"; by default a hundredth of the width.

    Returns
    -------
    LabelEditor
        See `particlespy_ml.plotting.label_editor.LabelEditor`. Keep it: it holds the labels, also after its figure was
        closed.

    Raises
    ------
    ValueError
        If there is no such frame, or the labels do not fit the image.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> s = pml.data.gold_on_carbon()
    >>> editor = s.edit_labels()
    >>> editor.merge(1, 2)
    1
    >>> s.measure_particles(editor.labels).n_particles
    5
    """
    image = ImageFrames.of(signal, False)
    shape = image.frames.shape[:-2]
    place = frame_place(signal.axes_manager.indices if index is None else index, shape)
    if place is None:
        raise ValueError(
            f"The frame {index} of an image with the navigation shape {signal.axes_manager.navigation_shape} was asked "
            "for; expected one index for each navigation axis, as for inav, or the number of the frame."
        )
    lazy = getattr(labels, "_lazy", image.is_lazy)
    given = _labels_of(signal, image, labels)
    frame = np.asarray(image.frames[place])
    number = int(np.ravel_multi_index(place, shape))
    return LabelEditor(frame, image.grid, given, place if image.is_series else (), number, radius, lazy)


def _labels_of(signal, image: ImageFrames, labels) -> Signal2D:
    """Labels of the whole series as a signal of their own; those of other frames are not computed yet."""
    lazy = True if image.is_series else None
    if labels is None:
        return segment_particles(signal, lazy_output=lazy)
    if are_numbered(labels):
        if labels.data.shape != image.shape:
            raise ValueError(f"Expected labels of the shape {image.shape}, not {labels.data.shape}.")
        copy = labels.deepcopy()
        if labels._lazy:
            copy.data = frames_array(labels).reshape(image.shape)
        return copy
    return segment_particles(signal, labels=labels, lazy_output=lazy)
