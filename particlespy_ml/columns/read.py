"""From what a network is shown to columns: where they are, of which kind, and how many atoms they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.columns.features import CHANNELS, column_features
from particlespy_ml.columns.network import WIDTH, MappedColumns, columns_from_maps, network_input
from particlespy_ml.columns.squeezed import squeezed

if TYPE_CHECKING:
    from particlespy_ml.models.column_mapper import ColumnMapper, ColumnMaps


def read_columns(
    model: ColumnMapper, images: np.ndarray, counted: bool, threshold: float
) -> tuple[ColumnMaps, MappedColumns]:
    """Return the maps of images seen together, and the columns in them.

    Parameters
    ----------
    model
        The network.
    images
        At its pixel size, shape (images, rows, columns).
    counted
        Whether the values are proportional to electrons.
    threshold
        See `particlespy_ml.columns.network.columns_from_maps`.
    """
    pixel_size = model.pixel_size * 10
    maps = model.maps(network_input(images, pixel_size, model.channels, counted))
    found = columns_from_maps(maps, pixel_size, threshold)
    if len(model.kinds) == 1:
        found = found.chosen(~squeezed(found.places, found.probabilities))
    kind = model.read_kind
    if kind is None:
        return maps, found
    # kinds before and after the one that is read have maps for their numbers of atoms
    before = sum(number for _, number in model.kinds[:kind])
    own = found.posterior.argmax(1) == before if len(found) else np.zeros(0, bool)
    highest = model.kinds[kind][1]
    told = np.full((len(found), highest), 1 / highest)
    if own.any():
        # a focal series may run either way, and atoms of one that runs the wrong way would be miscounted
        orders = [images] if len(images) == 1 else [images, images[::-1]]
        features = [
            column_features(network_input(one, pixel_size, CHANNELS, counted), found.places[own], pixel_size)
            for one in orders
        ]
        told[own] = model.read(features[0] if len(features) == 1 else min(features, key=model.strangeness))
    parts = (found.posterior[:, :before], found.posterior[:, before, None] * told, found.posterior[:, before + 1 :])
    return maps, MappedColumns(found.places, found.errors, found.probabilities, np.concatenate(parts, axis=1))


def maps_of_outputs(model: ColumnMapper, maps: ColumnMaps, found: MappedColumns) -> np.ndarray:
    """Return the probability of each kind and number of atoms at each pixel, shape (outputs, rows, columns).

    Where numbers of atoms are read from the columns, pixels have those of the column that they belong to; where there
    is none, all numbers are as probable.
    """
    kind = model.read_kind
    if kind is None:
        return maps.columns
    before, highest = sum(number for _, number in model.kinds[:kind]), model.kinds[kind][1]
    shares = np.full((highest, *maps.background.shape), 1 / highest, np.float32)
    if len(found):
        told = found.posterior[:, before : before + highest]
        known = told.sum(1) > 0
        told = told / np.maximum(told.sum(1, keepdims=True), 1e-12)
        pixels = np.argwhere(maps.background < 1)
        reach = 4 * WIDTH / (model.pixel_size * 10)
        distance, nearest = cKDTree(found.places).query(pixels, distance_upper_bound=reach)
        near = np.isfinite(distance)
        near[near] = known[nearest[near]]
        rows, columns = pixels[near].T
        shares[:, rows, columns] = told[nearest[near]].T
    return np.concatenate([maps.columns[:before], maps.columns[before] * shares, maps.columns[before + 1 :]])
