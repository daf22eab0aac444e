"""The normal equations of Gaussian columns on a smooth background.

A Gaussian overlaps its neighbours only, so that the normal matrix is sparse, and since a Gaussian is a product of a
function of the row and one of the column, its elements are sums over short vectors.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from particlespy_ml.columns.errors import identity

AROUND = 12.0  # widths: how far beyond that the background is fitted
BRIGHT = 0.15  # of the height of columns: what is brighter around the particle is something else
ABOVE = 4.0  # times the noise of the smooth image, which is no something else
REACH = 4.0  # widths: a Gaussian is cut where it has fallen to 3e-4 of its height
COUPLING = 6.0  # widths: the product of two Gaussians further apart is below 1.3e-4 of their height


class Equations:
    """Image and parameters of one fit, and the sums that its steps are made of."""

    def __init__(self, image, width, shared_width, degree, region, start, tie=None, width_tie=None):
        self.image, self.shared, self.start = image, shared_width, start
        self.n = len(start)
        self.positions = start.copy()
        self.widths = np.full(self.n, width)
        self.volumes = np.zeros(self.n)
        self.first_width = width
        self.tie = width if tie is None else tie
        self.width_tie = np.inf if width_tie is None else width_tie
        self.powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
        self.coefficients = np.zeros(len(self.powers))
        self.half = int(np.ceil(REACH * width))
        self.pad = self.half + 2
        self._place_windows()
        self.region = self._region() if region is None else np.asarray(region, bool)
        self.centre = start.mean(0)
        self.extent = max(np.ptp(start, axis=0).max() / 2, 3 * width)
        rows, columns = np.arange(image.shape[0]), np.arange(image.shape[1])
        none = np.zeros((0, *image.shape))
        self.polynomials = np.array([self._power(rows, columns, power) for power in self.powers] or none)
        self.padded_region = np.pad(self.region, self.pad)
        self.padded_image = np.pad(image, self.pad, mode="edge")
        self.padded_polynomials = np.pad(self.polynomials, ((0, 0), *[(self.pad, self.pad)] * 2), mode="edge")

    def _power(self, rows, columns, power) -> np.ndarray:
        y = (np.asarray(rows) - self.centre[0]) / self.extent
        x = (np.asarray(columns) - self.centre[1]) / self.extent
        return np.outer(y ** power[0], x ** power[1])

    def background_at(self, rows, columns) -> np.ndarray:
        """Background on a grid of rows and columns in pixels."""
        terms = (c * self._power(rows, columns, p) for c, p in zip(self.coefficients, self.powers, strict=True))
        return sum(terms, np.zeros((len(rows), len(columns))))

    def _place_windows(self) -> None:
        """Window of every column in the padded image: origins (n, 2), and flat indices (n, m, m)."""
        limit = np.array(self.image.shape) - 1
        nearest = np.clip(np.rint(self.positions).astype(int), 0, limit)
        self.origins = nearest - self.half
        size = 2 * self.half + 1
        stride = self.image.shape[1] + 2 * self.pad
        offsets = np.arange(size)
        corner = (self.origins[:, 0] + self.pad) * stride + self.origins[:, 1] + self.pad
        self.windows = corner[:, None, None] + offsets[:, None] * stride + offsets

    def _region(self) -> np.ndarray:
        rows, columns = np.ogrid[-self.half : self.half + 1, -self.half : self.half + 1]
        disk = (rows**2 + columns**2 <= self.half**2).ravel()
        shape = tuple(n + 2 * self.pad for n in self.image.shape)
        region = np.zeros(shape, bool)
        region.ravel()[self.windows.reshape(self.n, -1)[:, disk]] = True
        region = region[self.pad : -self.pad, self.pad : -self.pad]
        # between columns the background is hardly told from the columns' tails, so it is held by what lies around them
        around = ~region & (distance_transform_edt(~region) <= AROUND * self.widths[0])
        if around.any():
            smooth = gaussian_filter(self.image, self.widths[0])
            # of the smooth image: the median of a few counts a pixel is below their mean
            level = np.median(smooth[around])
            noise = 1.4826 * np.median(np.abs(smooth[around] - level))
            height = np.median(self.image[tuple(np.rint(self._inside(self.start)).astype(int).T)]) - level
            around &= smooth - level < max(BRIGHT * height, ABOVE * noise) if height > 0 else True
        return region | around

    def _inside(self, positions: np.ndarray) -> np.ndarray:
        return np.clip(positions, 0, np.array(self.image.shape) - 1)

    def _vectors(self, of: np.ndarray, windows_of: np.ndarray) -> list[np.ndarray]:
        """Row and column functions of the columns *of* on the windows of others, each (len(of), 3, m).

        The three functions are g, u g and (u^2 - 1) g with the distance u in widths.
        """
        result = []
        for axis in (0, 1):
            grid = self.origins[windows_of, axis, None] + np.arange(2 * self.half + 1)
            u = (grid - self.positions[of, axis, None]) / self.widths[of, None]
            g = np.exp(-0.5 * u**2) / (np.sqrt(2 * np.pi) * self.widths[of, None])
            result.append(np.stack([g, u * g, (u**2 - 1) * g], 1))
        return result

    def _to_image(self, values: np.ndarray) -> np.ndarray:
        """Sum of windows (n, m, m) as a padded image."""
        shape = self.padded_image.shape
        return np.bincount(self.windows.ravel(), values.ravel(), minlength=shape[0] * shape[1]).reshape(shape)

    def _model(self) -> np.ndarray:
        """Columns and background on the padded image."""
        g, h = self._vectors(np.arange(self.n), np.arange(self.n))
        columns = self._to_image((self.volumes[:, None] * g[:, 0])[:, :, None] * h[:, 0][:, None, :])
        return columns + np.tensordot(self.coefficients, self.padded_polynomials, 1)

    def _local_terms(self) -> list[list[tuple[int, int]]]:
        """Derivatives for volume, row, column (and width) as sums of products of the vectors of `_vectors`."""
        terms = [[(0, 0)], [(1, 0)], [(0, 1)]]
        return terms if self.shared else [*terms, [(2, 0), (0, 2)]]

    def _scales(self) -> np.ndarray:
        """Factor of each derivative, (n, q)."""
        slope = self.volumes / self.widths
        return np.stack([np.ones(self.n), slope, slope] + ([] if self.shared else [slope]), 1)

    def _contract(self, image: np.ndarray, g, h) -> np.ndarray:
        """Sums of a padded image over each local derivative, (n, q)."""
        window = image.ravel()[self.windows]
        along = np.matmul(window, h.transpose(0, 2, 1))  # (n, m, 3)
        both = np.matmul(g, along)  # (n, 3, 3)
        sums = [sum(both[:, a, c] for a, c in terms) for terms in self._local_terms()]
        return np.stack(sums, 1) * self._scales()

    def _global_images(self, g, h) -> np.ndarray:
        """Derivatives that reach all pixels: the shared width, and the background."""
        if not self.shared:
            return self.padded_polynomials
        slope = (self.volumes / self.widths)[:, None]
        values = (slope * g[:, 2])[:, :, None] * h[:, 0][:, None, :]
        values += (slope * g[:, 0])[:, :, None] * h[:, 2][:, None, :]
        return np.concatenate([self._to_image(values)[None], self.padded_polynomials])

    def _normal_matrix(self, weight: np.ndarray, g, h):
        """Sparse local part, border (n q, b) and corner (b, b) of the normal matrix."""
        pairs = cKDTree(self.positions).query_pairs(COUPLING * self.widths.mean(), output_type="ndarray")
        own = np.arange(self.n)
        first, second = np.concatenate([own, pairs[:, 0]]), np.concatenate([own, pairs[:, 1]])
        size = 2 if self.shared else 3
        terms, scales = self._local_terms(), self._scales()
        q = len(terms)
        blocks = np.empty((len(first), q, q))
        for part in range(0, len(first), 512):
            i, j = first[part : part + 512], second[part : part + 512]
            other_g, other_h = self._vectors(j, i)
            window = weight.ravel()[self.windows[i]]
            across = (h[i, :size, None] * other_h[:, None, :size]).reshape(len(i), size * size, -1)
            down = (g[i, :size, None] * other_g[:, None, :size]).reshape(len(i), size * size, -1)
            both = np.matmul(down, np.matmul(window, across.transpose(0, 2, 1)))
            both = both.reshape(len(i), size, size, size, size)  # a of i, b of j (rows), c of i, d of j (columns)
            for p in range(q):
                for r in range(q):
                    blocks[part : part + len(i), p, r] = sum(
                        both[:, a, b, c, d] for a, c in terms[p] for b, d in terms[r]
                    )
        blocks *= scales[first][:, :, None] * scales[second][:, None, :]
        images = self._global_images(g, h)
        border = np.zeros((self.n * q, len(images)))
        for number, image in enumerate(images):
            border[:, number] = self._contract(weight * image, g, h).ravel()
        flat = images.reshape(len(images), weight.size)
        corner = (flat * weight.ravel()) @ flat.T
        indices = np.arange(q)
        rows = first[:, None, None] * q + indices[:, None] + 0 * indices
        columns = second[:, None, None] * q + 0 * indices[:, None] + indices
        across_pairs = slice(self.n, None)
        data = np.concatenate([blocks.ravel(), blocks[across_pairs].ravel()])
        rows, columns = (
            np.concatenate([rows.ravel(), columns[across_pairs].ravel()]),
            np.concatenate([columns.ravel(), rows[across_pairs].ravel()]),
        )
        local = csc_matrix((data, (rows, columns)), shape=(self.n * q, self.n * q))
        return local, border, corner

    def _prior_diagonal(self) -> np.ndarray:
        """What is known before: how far a column lies from its start, and that it is about as wide as the others."""
        diagonal = np.zeros((self.n, 3 if self.shared else 4))
        diagonal[:, 1:3] = 1 / self.tie**2
        if not self.shared:
            diagonal[:, 3] = 1 / (0.3 * self.first_width) ** 2
        return diagonal.ravel()

    def _prior_pull(self) -> np.ndarray:
        pull = np.zeros((self.n, 3 if self.shared else 4))
        pull[:, 1:3] = (self.start - self.positions) / self.tie**2
        if not self.shared:
            pull[:, 3] = (np.median(self.widths) - self.widths) / (0.3 * self.first_width) ** 2
        return pull.ravel()

    def _solve_linear(self, weight: np.ndarray) -> None:
        """Volumes and background by linear least squares, positions and widths kept."""
        g, h = self._vectors(np.arange(self.n), np.arange(self.n))
        keep_volumes, shared, self.shared = self.volumes, self.shared, True
        self.volumes = np.ones(self.n)
        local, border, corner = self._normal_matrix(weight, g, h)
        local, border, corner = local[::3, ::3].tocsc(), border[::3, 1:], corner[1:, 1:]
        right = self._contract(weight * self.padded_image, g, h)[:, 0]
        right_global = np.tensordot(self.padded_polynomials, weight * self.padded_image, 2)
        self.volumes, self.shared = keep_volumes, shared
        ridge = 1e-9 * local.diagonal().mean()
        factor = splu((local + ridge * identity(self.n)).tocsc())
        if not len(self.powers):
            self.volumes = factor.solve(right)
            return
        inner = factor.solve(border)
        schur = corner - border.T @ inner
        self.coefficients = np.linalg.lstsq(schur, right_global - inner.T @ right, rcond=None)[0]
        self.volumes = factor.solve(right - border @ self.coefficients)
