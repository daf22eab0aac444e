"""What images of particles have in common: the doors to segmentation, measurement, classification and extraction."""

from __future__ import annotations

from hyperspy.signals import Signal2D

from particlespy_ml.classification.classify_particles import classify_particles
from particlespy_ml.particles.measure_particles import measure_particles
from particlespy_ml.plotting.edit_labels import edit_labels
from particlespy_ml.plotting.markers import plot_particles
from particlespy_ml.segmentation.segment_particles import segment_particles
from particlespy_ml.segmentation.train_segmentation import train_segmentation
from particlespy_ml.signals._save import SafeSaveMixin
from particlespy_ml.stacks.align_particles import align_particles
from particlespy_ml.stacks.class_averages import class_averages
from particlespy_ml.stacks.extract_particles import extract_particles
from particlespy_ml.strain.geometric_phase import geometric_phase


class Image(SafeSaveMixin, Signal2D):
    """An image, or a series of images of any navigation shape, of particles."""

    segment_particles = segment_particles
    train_segmentation = train_segmentation
    edit_labels = edit_labels
    measure_particles = measure_particles
    classify_particles = classify_particles
    extract_particles = extract_particles
    align = align_particles
    class_averages = class_averages
    geometric_phase = geometric_phase
    plot_particles = plot_particles
