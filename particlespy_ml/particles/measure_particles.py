"""The verb `measure_particles`, for any image signal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from particlespy_ml.core.options import spelled_out
from particlespy_ml.segmentation.options import SegmentationOptions

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal, Signal2D
    from numpy.typing import ArrayLike
    from particlespy.particle_analysis import parameters

    from particlespy_ml.segmentation.particlespy import TrainedSegmentation


@spelled_out(SegmentationOptions)
def measure_particles(
    signal: Signal2D,
    labels: BaseSignal | ArrayLike | None = None,
    *,
    method: str | TrainedSegmentation | parameters | None = None,
    mask: BaseSignal | ArrayLike | None = None,
    exclude_border: bool = False,
    return_labels: bool = False,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
    **options: Unpack[SegmentationOptions],
) -> BaseSignal | tuple[BaseSignal, Signal2D]:
    """Measure size, shape, intensity and outline of every particle of every frame.

    Parameters
    ----------
    signal
        Image or series of images of any navigation shape, lazy or not. The methods "auto" and "network" need one that
        is calibrated in a unit of length; with others, and with *labels*, lengths of an image that is not are in
        pixels, "px".
    labels
        Labels or a mask, as `segment_particles` returns them; without, the frames are segmented in the same pass.
    method, mask, exclude_border, lazy_output, show_progressbar
        As for `segment_particles`.
    return_labels
        Return the labels too. Computed together, labels and table take one segmentation.
    polarity, smoothing, min_diameter, background_diameter, split, split_depth
        Options of *method*, as for `segment_particles`.
    model, threshold, min_detection, outline, watershed, watershed_size, watershed_erosion
        The same.
    min_size, invert, rb_kernel, gaussian, local_size
        The same.

    Returns
    -------
    ParticleTable or LazyParticleTable
        One row for each particle; see `particlespy_ml.particles.measure.measure_frame` for the columns.
    Signal2D or LazySignal2D
        The labels, with *return_labels*.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> s = pml.data.gold_on_carbon()
    >>> table = s.measure_particles()
    >>> table.to_dataframe()[["x", "y", "equivalent_circular_diameter"]].round(1).shape
    (6, 3)
    """
    from particlespy_ml.core.image import ImageFrames
    from particlespy_ml.particles.frame_pass import run_pass
    from particlespy_ml.segmentation.choose import choose_segmenter, needs_calibration

    image = ImageFrames.of(signal, None)
    image = ImageFrames.of(signal, needs_calibration(labels, method, image.signal_type))
    segmenter, others = choose_segmenter(image, method, labels, exclude_border, options, mask)
    outputs = ("table", "labels") if return_labels else ("table",)
    results = run_pass(image, segmenter, others, outputs, lazy_output=lazy_output, show_progressbar=show_progressbar)
    return tuple(results) if return_labels else results[0]
