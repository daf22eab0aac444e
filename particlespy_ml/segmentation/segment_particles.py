"""The verb `segment_particles`, for any image signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.image import ImageFrames
from particlespy_ml.segmentation.choose import choose_segmenter, needs_calibration
from particlespy_ml.segmentation.label_frames import LabelFrames, labels_signal

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal, Signal2D
    from numpy.typing import ArrayLike
    from particlespy.particle_analysis import parameters

    from particlespy_ml.segmentation.particlespy import TrainedSegmentation


def segment_particles(
    signal: Signal2D,
    method: str | TrainedSegmentation | parameters | None = None,
    *,
    labels: BaseSignal | ArrayLike | None = None,
    exclude_border: bool = False,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
    **options: object,
) -> Signal2D:
    """Find the particles of every frame and label them.

    Constant borders, which alignment, rotation and padding leave around an image, are left out by themselves; a
    particle that they cut is one cut by the border. The dtype of an image does not matter, only its values do.

    Parameters
    ----------
    signal
        Image or series of images of any navigation shape, lazy or not.
    method
        By default "network" for HRTEM images and "auto" for all others. "auto" needs no tuning: it removes an uneven
        background, smooths, finds bright or dark particles and splits those that touch. "network" finds particles
        where thresholds fail, by a model trained on simulated HRTEM images. The name of a ParticleSpy threshold
        ("otsu", "mean", "minimum", "yen", "isodata", "li", "local", "local_otsu", "lg_otsu", "niblack", "sauvola"), a
        ParticleSpy ``parameters`` object, and what `train_segmentation` returns are taken too.
    labels
        Labels (integers) or a mask (booleans, or integers of one value such as 0 and 255) of your own, array or signal,
        for every frame or one for all frames.
    exclude_border
        Drop the particles that the border cuts; they are kept, and flagged in tables, by default.
    lazy_output
        Whether the result is lazy; by default as the signal is.
    show_progressbar
        Show a progress bar; by default HyperSpy's preference.
    **options
        For "auto": ``polarity`` ("auto", "bright" or "dark"; HAADF images are bright), ``smoothing``,
        ``min_diameter`` and ``background_diameter`` in nm, ``split`` and ``split_depth``. For "network": ``model``
        (a bundled one, or a folder of your own), ``threshold`` (probability from which a pixel belongs to a particle),
        ``min_diameter`` in nm, ``split_depth`` and ``outline`` ("atoms": where the outermost atoms are; "half": where
        the contrast of each particle has fallen to half; "level": on one grey level of the frame, as thresholds have
        it; "auto", the default: "level" for frames whose particles have steep edges, else "atoms"; choose one for
        movies that lie between) and ``polarity`` ("dark", or "bright" where the contrast is reversed). For
        ParticleSpy: ``watershed``, ``watershed_size``, ``watershed_erosion``, ``invert``, ``min_size``, ``rb_kernel``,
        ``gaussian`` and ``local_size``, in pixels. For a trained segmentation: ``watershed``, ``watershed_size``,
        ``watershed_erosion`` and ``min_size``.

    Returns
    -------
    Signal2D or LazySignal2D
        Labels with the image's axes, int32: 0 is background, 1 to n are the frame's particles.

    Raises
    ------
    ValueError
        If the image is not calibrated, has pixels that are not finite or of a size that the network does not take, or
        the method is unknown.
    TypeError
        If the image is complex or RGB, or an option is unknown.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> s = pml.data.gold_on_carbon()
    >>> labels = s.segment_particles()
    >>> int(labels.data.max())
    6
    """
    image = ImageFrames.of(signal, None)
    if needs_calibration(labels, method, image.signal_type):
        image = ImageFrames.of(signal)
    segmenter, others = choose_segmenter(image, method, labels, exclude_border, options)
    run = LabelFrames(segmenter, image.direction)
    (array,) = image.run(run, others, (np.dtype(np.int32),), lazy_output, show_progressbar)
    return labels_signal(image, array, segmenter.parameters)
