"""Images of particles: the doors to segmentation, measurement, classification and extraction."""

from __future__ import annotations

from functools import wraps

from hyperspy.signals import LazySignal2D, Signal2D

from particlespy_ml.classification.classify_particles import classify_particles
from particlespy_ml.particles.measure_particles import measure_particles
from particlespy_ml.reconstruction.reconstruct import reconstruct
from particlespy_ml.segmentation.segment_particles import segment_particles
from particlespy_ml.signals._save import SafeSaveMixin
from particlespy_ml.stacks.align_particles import align_particles
from particlespy_ml.stacks.class_averages import class_averages as average_clusters
from particlespy_ml.stacks.extract_particles import extract_particles


class ParticleImage(SafeSaveMixin, Signal2D):
    """An image, or a series of images of any navigation shape, of particles."""

    _signal_type = "particle_image"

    @wraps(segment_particles)
    def segment_particles(self, method=None, **kwargs):  # noqa: D102
        return segment_particles(self, method, **kwargs)

    @wraps(measure_particles)
    def measure_particles(self, labels=None, **kwargs):  # noqa: D102
        return measure_particles(self, labels, **kwargs)

    @wraps(classify_particles)
    def classify_particles(self, model=None, **kwargs):  # noqa: D102
        return classify_particles(self, model, **kwargs)

    @wraps(extract_particles)
    def extract_particles(self, table, box=None, **kwargs):  # noqa: D102
        return extract_particles(self, table, box, **kwargs)

    @wraps(align_particles)
    def align(self, **kwargs):  # noqa: D102
        return align_particles(self, **kwargs)

    @wraps(average_clusters)
    def class_averages(self, clusters, column: str = "cluster", **kwargs):  # noqa: D102
        return average_clusters(self, clusters, column, **kwargs)

    @wraps(reconstruct)
    def reconstruct(self, model=None, **kwargs):  # noqa: D102
        return reconstruct(self, model, **kwargs)

    def save_star(self, filename, poses=None, **kwargs):
        """Write a stack of particles as .star and .mrcs, for RELION and cryoSPARC.

        Parameters
        ----------
        filename, poses, **kwargs
            See `particlespy_ml.reconstruction.star.save_star`.
        """
        from particlespy_ml.reconstruction.star import save_star

        save_star(self, filename, poses, **kwargs)

    def train_segmentation(self, painted, classifier=None, feature_parameters=None, particle_class: int = 2):
        """Train ParticleSpy's trainable segmentation on this image, of which some pixels were painted.

        Parameters
        ----------
        painted
            Integers in the shape of the image: 0 not painted, 1 background, *particle_class* particles.
        classifier, feature_parameters, particle_class
            See `particlespy_ml.segmentation.particlespy.train_segmentation`.

        Returns
        -------
        TrainedSegmentation
            For ``segment_particles(method=...)`` of this image or of a whole series.

        Raises
        ------
        ValueError
            If the signal is a series: choose the painted frame with ``inav``; or if pixels are not finite.
        """
        import numpy as np

        from particlespy_ml.core.frames import check_frame
        from particlespy_ml.core.image import check_image
        from particlespy_ml.segmentation.particlespy import train_segmentation

        check_image(self)
        if self.axes_manager.navigation_size > 1:
            raise ValueError(
                "Expected the one frame that was painted; choose it from the series, for example s.inav[0]."
            )
        painted = np.asarray(getattr(painted, "data", painted))
        if painted.dtype.fields is not None or painted.squeeze().ndim != 2:
            raise ValueError(
                f"Expected painted pixels as integers of the image's shape {self.data.shape[-2:]}, 0 where nothing was "
                f"painted, not {painted.dtype} of {painted.shape}; turn colours into numbers first."
            )
        image = np.asarray(self.data)
        check_frame(image)
        return train_segmentation(
            image.reshape(image.shape[-2:]),
            painted.reshape(painted.shape[-2:]),
            classifier,
            feature_parameters,
            particle_class,
        )

    def plot_particles(self, table, label: str | None = "auto", **kwargs):
        """Show the image with outlines and labels of the particles; both follow the navigation.

        Parameters
        ----------
        table
            Particle table of this image. A lazy table is computed.
        label
            Column written beside each particle: "class", "track", "label" or any other; None for outlines alone. By
            default the class where there is one.
        **kwargs
            For `hyperspy.api.signals.Signal2D.plot`.
        """
        from particlespy_ml.plotting.markers import plot_particles

        plot_particles(self, table, label, **kwargs)


class LazyParticleImage(LazySignal2D, ParticleImage):
    """Lazy `ParticleImage`."""
