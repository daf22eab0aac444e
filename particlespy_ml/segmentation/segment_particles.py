"""The verb `segment_particles`, for any image signal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import dask.array as da
import numpy as np

from particlespy_ml.core.image import ImageFrames
from particlespy_ml.core.options import spelled_out
from particlespy_ml.segmentation.choose import choose_segmenter, needs_calibration
from particlespy_ml.segmentation.label_frames import LabelFrames, labels_signal
from particlespy_ml.segmentation.options import SegmentationOptions

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal, Signal2D
    from numpy.typing import ArrayLike
    from particlespy.particle_analysis import parameters

    from particlespy_ml.segmentation.particlespy import TrainedSegmentation


@spelled_out(SegmentationOptions)
def segment_particles(
    signal: Signal2D,
    method: str | TrainedSegmentation | parameters | None = None,
    *,
    labels: BaseSignal | ArrayLike | None = None,
    mask: BaseSignal | ArrayLike | None = None,
    exclude_border: bool = False,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
    **options: Unpack[SegmentationOptions],
) -> Signal2D:
    """Find the particles of every frame and label them.

    Constant borders, which alignment, rotation and padding leave around an image, are left out by themselves; a
    particle that they cut is one cut by the border. The dtype of an image does not matter, only its values do.

    Parameters
    ----------
    signal
        Image or series of images of any navigation shape, lazy or not.
    method
        By default "network" for HRTEM images. For all others the background of the image, or of the series, decides:
        where it is flat "auto", where it is a support that shows "network"; see
        `particlespy_ml.segmentation.textured.has_textured_background`. In doubt both are tried, and "network" is taken
        where they differ. One of the two words decides for all frames, and so does an option of "auto" alone
        (``smoothing``, ``background_diameter``, ``split``, ``split_depth``). "auto" needs no tuning: it removes an
        uneven background, smooths, finds bright or dark particles and splits those that touch. "network" finds
        particles where thresholds fail, by a model trained on simulated HRTEM images or, for other images, on drawn
        micrographs of particles on supports of all kinds, whatever a pixel measures. The name of a ParticleSpy
        threshold ("otsu", "mean", "minimum", "yen", "isodata", "li", "local", "local_otsu", "lg_otsu", "niblack",
        "sauvola"), a ParticleSpy ``parameters`` object, and what `train_segmentation` returns are taken too.
    labels
        Labels (integers) or a mask (booleans, or integers of one value such as 0 and 255) of your own, array or signal,
        for every frame or one for all frames.
    mask
        Where to look: booleans of the shape of the image, or of one frame for all. Pixels where it is False count
        neither as particles nor as background, and may be NaN. Scale bars drawn into an image are left out by
        themselves.
    exclude_border
        Drop the particles that the border cuts; they are kept, and flagged in tables, by default.
    lazy_output
        Whether the result is lazy; by default as the signal is.
    show_progressbar
        Show a progress bar; by default HyperSpy's preference.
    polarity
        "bright", which HAADF images are; "dark", which HRTEM images are; or "auto", the default of other images: what
        there is more evidence of, in a series in its first, middle and last frame together.
    smoothing, min_diameter, background_diameter
        For "auto", the second one also for "network": width of the Gaussian that the frame is smoothed by, diameter
        below which nothing is a particle (0.8 nm; about 5 pixels on supports), and that above which all is background.
        Lengths are numbers in the image's unit, or texts such as "12 px".
    split, split_depth
        For "auto" and "network", which takes the second one: whether particles that touch are cut apart, and how much
        narrower, as a fraction, a neck must be than what it joins.
    model, threshold
        For "network": a bundled model or the folder of your own, and the probability from which a pixel belongs to a
        particle.
    min_detection
        For networks for any support: what is less probable to be a particle (0.65) is left out. Tables have the
        probability as ``detection_probability``.
    outline
        For "network" on HRTEM images. "atoms": where the outermost atoms are; "half": where the contrast of each
        particle has fallen to half; "level": on one grey level of the frame, as thresholds have it; "auto", the
        default: "level" for frames whose particles have steep edges, else "atoms". Choose one for movies that lie
        between.
    watershed, watershed_size, watershed_erosion, min_size
        For ParticleSpy's thresholds and trained segmentations, in pixels.
    invert, rb_kernel, gaussian, local_size
        For ParticleSpy's thresholds, in pixels.

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

    Warns
    -----
    UserWarning
        If *min_diameter* leaves out a tenth of the objects or more: after all frames or, where the result is lazy, once
        while it is computed. If frames look unlike the series that they are in, and are treated as it is: their
        background, or whether their particles are bright.

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
    segmenter, others = choose_segmenter(image, method, labels, exclude_border, options, mask)
    run = LabelFrames(segmenter, image.direction)
    (array,) = image.run(run, others, (np.dtype(np.int32),), lazy_output, show_progressbar)
    if segmenter.loss is not None:
        segmenter.loss.report(image.count, isinstance(array, da.Array), stacklevel=3)
    return labels_signal(image, array, segmenter.parameters)
