"""The normal equations of Gaussian columns on a smooth background.

A Gaussian overlaps its neighbours only, so that the normal matrix is sparse, and since a Gaussian is a product of a
function of the row and one of the column, as each term of the background is, its elements are sums over short vectors.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from particlespy_ml.columns.fit.background import Background
from particlespy_ml.columns.fit.errors import identity

AROUND = 12.0  # widths: how far beyond that the background is fitted
BRIGHT = 0.15  # of the height of columns: what is brighter around the particle is something else
ABOVE = 4.0  # times the noise of the smooth image, which is no something else
REACH = 4.0  # widths: a Gaussian is cut where it has fallen to 3e-4 of its height
COUPLING = 6.0  # widths: the product of two Gaussians further apart is below 1.3e-4 of their height
OUTSIDE = 3.0  # widths beyond the border: from there on a column leaves nothing in the image
PART = 256  # columns whose sums are made at a time


def factorised(matrix):
    """Return the decomposition of a sparse symmetric positive definite matrix."""
    return splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})


class Equations:
    """Image and parameters of one fit, and the sums that its steps are made of."""

    def __init__(
        self, image, width, shared_width, background: Background, region, start, tie=None, width_tie=None, known=None
    ):
        self.image, self.shared, self.start = image, shared_width, start
        self.n = len(start)
        self.positions = start.copy()
        self.widths = np.full(self.n, width)
        self.volumes = np.zeros(self.n)
        self.first_width = width
        self.tie = width if tie is None else tie
        self.width_tie = np.inf if width_tie is None else width_tie
        self.background = background
        self.terms = background.terms(image.shape)
        self.coefficients = np.zeros(len(self.terms))
        self.half = int(np.ceil(REACH * width))
        self.pad = self.half + int(np.ceil(OUTSIDE * width)) + 2
        self._place_windows()
        self.region = self._region(known) if region is None else np.asarray(region, bool)
        self.centre = start.mean(0)
        self.extent = max(np.ptp(start, axis=0).max() / 2, 3 * width)
        self.padded_region = np.pad(self.region, self.pad)
        self.padded_image = np.pad(image, self.pad, mode="edge")
        self.down, self.across = (
            self._functions(np.clip(np.arange(-self.pad, n + self.pad), 0, n - 1), axis)
            for axis, n in enumerate(image.shape)
        )

    def _functions(self, places, axis: int) -> np.ndarray:
        return self.background.functions(places, axis, self.image.shape, self.centre, self.extent)

    def _coefficient_matrix(self) -> np.ndarray:
        matrix = np.zeros((len(self.down), len(self.across)))
        matrix[tuple(self.terms.T)] = self.coefficients
        return matrix

    def background_at(self, rows, columns) -> np.ndarray:
        """Background on a grid of rows and columns in pixels."""
        return self._functions(rows, 0).T @ self._coefficient_matrix() @ self._functions(columns, 1)

    def background_under(self, positions: np.ndarray) -> np.ndarray:
        """Background at positions in pixels, shape (n,)."""
        down, across = (self._functions(positions[:, axis], axis) for axis in (0, 1))
        return np.einsum("an,ab,bn->n", down, self._coefficient_matrix(), across)

    def _place_windows(self) -> None:
        """Window of every column in the padded image: origins (n, 2), and flat indices (n, m, m)."""
        outside = self.pad - self.half - 1
        nearest = np.clip(np.rint(self.positions).astype(int), -outside, np.array(self.image.shape) - 1 + outside)
        self.origins = nearest - self.half
        size = 2 * self.half + 1
        stride = self.image.shape[1] + 2 * self.pad
        offsets = np.arange(size)
        corner = (self.origins[:, 0] + self.pad) * stride + self.origins[:, 1] + self.pad
        self.windows = corner[:, None, None] + offsets[:, None] * stride + offsets

    def _region(self, known) -> np.ndarray:
        known = np.ones(self.image.shape, bool) if known is None else np.asarray(known, bool)
        rows, columns = np.ogrid[-self.half : self.half + 1, -self.half : self.half + 1]
        disk = (rows**2 + columns**2 <= self.half**2).ravel()
        shape = tuple(n + 2 * self.pad for n in self.image.shape)
        region = np.zeros(shape, bool)
        region.ravel()[self.windows.reshape(self.n, -1)[:, disk]] = True
        region = region[self.pad : -self.pad, self.pad : -self.pad]
        # between columns the background is hardly told from the columns' tails, so it is held by what lies around them
        around = ~region & (distance_transform_edt(~region) <= AROUND * self.widths[0]) & known
        if around.any():
            smooth = gaussian_filter(self.image, self.widths[0])
            # of the smooth image: the median of a few counts a pixel is below their mean
            level = np.median(smooth[around])
            noise = 1.4826 * np.median(np.abs(smooth[around] - level))
            height = np.median(self.image[tuple(np.rint(self._inside(self.start)).astype(int).T)]) - level
            around &= smooth - level < max(BRIGHT * height, ABOVE * noise) if height > 0 else True
        return region & known | around

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

    def _own_vectors(self) -> list[np.ndarray]:
        own = np.arange(self.n)
        return self._vectors(own, own)

    def _to_image(self, values: np.ndarray) -> np.ndarray:
        """Sum of windows (n, m, m) as a padded image."""
        shape = self.padded_image.shape
        return np.bincount(self.windows.ravel(), values.ravel(), minlength=shape[0] * shape[1]).reshape(shape)

    def _model(self) -> np.ndarray:
        """Columns and background on the padded image."""
        g, h = self._own_vectors()
        columns = self._to_image((self.volumes[:, None] * g[:, 0])[:, :, None] * h[:, 0][:, None, :])
        return columns + self.down.T @ self._coefficient_matrix() @ self.across

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

    def _contract_background(self, image: np.ndarray) -> np.ndarray:
        """Sums of a padded image over each term of the background, (t,)."""
        return (self.down @ image @ self.across.T)[tuple(self.terms.T)]

    def _width_image(self, g, h) -> np.ndarray:
        """Derivative of the padded model for the shared width."""
        slope = (self.volumes / self.widths)[:, None]
        values = (slope * g[:, 2])[:, :, None] * h[:, 0][:, None, :]
        values += (slope * g[:, 0])[:, :, None] * h[:, 2][:, None, :]
        return self._to_image(values)

    def _contract_shared(self, image: np.ndarray, g, h) -> np.ndarray:
        """Sums of a padded image over the derivatives that reach all pixels: shared width, and background."""
        over_background = self._contract_background(image)
        if not self.shared:
            return over_background
        return np.concatenate([[np.sum(self._width_image(g, h) * image)], over_background])

    def _normal_matrix(self, weight: np.ndarray, g, h):
        """Sparse local part, border (n q, b) and corner (b, b) of the normal matrix."""
        return self._local_part(weight, g, h), *self._shared_part(weight, g, h)

    def _local_part(self, weight: np.ndarray, g, h, volumes_alone: bool = False):
        pairs = cKDTree(self.positions).query_pairs(COUPLING * self.widths.mean(), output_type="ndarray")
        own = np.arange(self.n)
        first, second = np.concatenate([own, pairs[:, 0]]), np.concatenate([own, pairs[:, 1]])
        size = 1 if volumes_alone else 2 if self.shared else 3
        terms, scales = self._local_terms(), self._scales()
        if volumes_alone:
            terms, scales = terms[:1], scales[:, :1]
        q = len(terms)
        blocks = np.empty((len(first), q, q))
        for part in range(0, len(first), PART):
            i, j = first[part : part + PART], second[part : part + PART]
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
        indices = np.arange(q)
        rows = first[:, None, None] * q + indices[:, None] + 0 * indices
        columns = second[:, None, None] * q + 0 * indices[:, None] + indices
        across_pairs = slice(self.n, None)
        data = np.concatenate([blocks.ravel(), blocks[across_pairs].ravel()])
        rows, columns = (
            np.concatenate([rows.ravel(), columns[across_pairs].ravel()]),
            np.concatenate([columns.ravel(), rows[across_pairs].ravel()]),
        )
        return csc_matrix((data, (rows, columns)), shape=(self.n * q, self.n * q))

    def _shared_part(self, weight: np.ndarray, g, h) -> tuple[np.ndarray, np.ndarray]:
        """Border and corner of the normal matrix."""
        border = self._border_of_background(weight, g, h)
        corner = self._corner_of_background(weight)
        if not self.shared:
            return border, corner
        weighted = weight * (image := self._width_image(g, h))
        first = self._contract(weighted, g, h).reshape(-1, 1)
        beside = self._contract_background(weighted)
        corner = np.block([[np.array([[np.sum(weighted * image)]]), beside[None]], [beside[:, None], corner]])
        return np.hstack([first, border]), corner

    def _border_of_background(self, weight: np.ndarray, g, h, volumes_alone: bool = False) -> np.ndarray:
        terms, scales = self._local_terms(), self._scales()
        if volumes_alone:
            terms, scales = terms[:1], scales[:, :1]
        border = np.empty((self.n, len(terms), len(self.terms)))
        a, b = self.terms.T
        size = np.arange(2 * self.half + 1)
        for start in range(0, self.n, PART):
            part = slice(start, start + PART)
            at = self.origins[part, :, None] + self.pad + size
            down = self.down[:, at[:, 0]].transpose(1, 0, 2)[:, None] * g[part, :, None]  # (n, 3, functions, m)
            across = self.across[:, at[:, 1]].transpose(1, 0, 2)[:, None] * h[part, :, None]
            window = weight.ravel()[self.windows[part]]
            count = len(window)
            along = np.matmul(window, across.reshape(count, -1, len(size)).transpose(0, 2, 1))
            both = np.matmul(down.reshape(count, -1, len(size)), along)
            both = both.reshape(count, 3, len(self.down), 3, len(self.across))
            for p, products in enumerate(terms):
                border[part, p] = sum(both[:, i, :, j][:, a, b] for i, j in products)
        return (border * scales[:, :, None]).reshape(self.n * len(terms), -1)

    def _corner_of_background(self, weight: np.ndarray) -> np.ndarray:
        a, b = self.terms.T
        down = (self.down[:, None] * self.down).reshape(-1, weight.shape[0])
        across = (self.across[:, None] * self.across).reshape(-1, weight.shape[1])
        both = (down @ weight @ across.T).reshape(*(len(self.down),) * 2, *(len(self.across),) * 2)
        return both[a[:, None], a, b[:, None], b]

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
        g, h = self._own_vectors()
        local = self._local_part(weight, g, h, volumes_alone=True)
        border = self._border_of_background(weight, g, h, volumes_alone=True)
        right = self._contract(weight * self.padded_image, g, h)[:, 0]
        ridge = 1e-9 * local.diagonal().mean()
        factor = factorised(local + ridge * identity(self.n))
        if not len(self.terms):
            self.volumes = factor.solve(right)
            return
        inner = factor.solve(border)
        schur = self._corner_of_background(weight) - border.T @ inner
        over_background = self._contract_background(weight * self.padded_image)
        self.coefficients = np.linalg.lstsq(schur, over_background - inner.T @ right, rcond=None)[0]
        self.volumes = factor.solve(right - border @ self.coefficients)
