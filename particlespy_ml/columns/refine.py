"""All columns of a particle fitted together: overlapping Gaussians on a smooth background.

The model is linear in the volumes and the background and non-linear in positions and widths; each step solves the
normal equations of all of them, whose non-linear part is the step of variable projection in Kaufman's approximation
(G. Golub and V. Pereyra, Inverse Problems 19, R1 (2003)). A Gaussian overlaps its neighbours only, so that the
normal matrix is sparse, and since a Gaussian is a product of a function of the row and one of the column, its elements
are sums over short vectors. Coordinates are pixels (row, column).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtri
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from particlespy_ml.columns.noise import Noise, estimate_noise

AROUND = 12.0  # widths: how far beyond that the background is fitted
BRIGHT = 0.15  # of the height of columns: what is brighter around the particle is something else
REACH = 4.0  # widths: a Gaussian is cut where it has fallen to 3e-4 of its height
COUPLING = 6.0  # widths: the product of two Gaussians further apart is below 1.3e-4 of their height
SMALLEST_SIGNAL = 0.02  # of the median height of a column
REFRESH = (1, 2, 3, 6, 12, 24)  # steps at which weights and normal matrix are made anew
SMALL_GAIN = 0.02  # of the sum of squares over variances
DENSE = 3000  # unknowns: up to here a dense inverse is the faster one
FINEST = 1.9  # pixels a width: finer images are binned, since that keeps all that they say of the columns


@dataclass(frozen=True)
class ColumnFit:
    """Columns of a particle, as fitted.

    Parameters
    ----------
    positions
        Rows and columns in pixels, shape (n, 2).
    volumes
        Integrals of the Gaussians in units of the image times pixels, shape (n,).
    widths
        Standard deviations of the Gaussians in pixels, shape (n,); the same for all where the width is shared.
    position_errors, volume_errors, width_errors
        Standard errors from the Fisher information, in the shapes of what they are of.
    background
        Background at each column, shape (n,).
    region
        Pixels fitted, shape of the image.
    model
        Columns and background, shape of the image; only the background outside of the region.
    noise
        What the errors assume, for the pixels of the image.
    chi2
        Mean square of the residual over its expected variance; one for a fit within the noise.
    iterations
        Steps taken.
    converged
        Whether the last step was small.
    """

    positions: np.ndarray
    volumes: np.ndarray
    widths: np.ndarray
    position_errors: np.ndarray
    volume_errors: np.ndarray
    width_errors: np.ndarray
    background: np.ndarray
    region: np.ndarray
    model: np.ndarray
    noise: Noise
    chi2: float
    iterations: int
    converged: bool


def gaussian_columns(shape, positions, volumes, widths, background=0.0) -> np.ndarray:
    """Return the image of Gaussian columns.

    Parameters
    ----------
    shape
        Rows and columns of the image.
    positions
        Rows and columns in pixels, shape (n, 2).
    volumes
        Integrals in units of the image times pixels, a number or shape (n,).
    widths
        Standard deviations in pixels, a number or shape (n,).
    background
        A number or an image.

    Examples
    --------
    >>> from particlespy_ml.columns.refine import gaussian_columns
    >>> float(gaussian_columns((41, 41), [[20, 20]], 3.0, 2.5).sum().round(6))
    3.0
    """
    positions = np.asarray(positions, dtype=float).reshape(-1, 2)
    volumes, widths = (np.broadcast_to(np.asarray(v, float), len(positions)) for v in (volumes, widths))
    image = np.zeros(shape) + background
    along = []
    for axis in (0, 1):
        distance = (np.arange(shape[axis]) - positions[:, axis, None]) / widths[:, None]
        along.append(np.exp(-0.5 * distance**2) / (np.sqrt(2 * np.pi) * widths[:, None]))
    return image + (along[0] * volumes[:, None]).T @ along[1]


def refine_columns(
    image,
    positions,
    width: float | None = None,
    *,
    shared_width: bool = True,
    background: int = 1,
    noise: Noise | None = None,
    region=None,
    max_iterations: int = 40,
) -> ColumnFit:
    """Fit Gaussians at all columns of a particle, on a polynomial background, to an image.

    Parameters
    ----------
    image
        Shape (rows, columns).
    positions
        First positions in pixels, shape (n, 2), within about a width of the columns.
    width
        First standard deviation in pixels; by default a fifth of the distance between neighbours.
    shared_width
        One width for all columns or one for each.
    background
        Degree of the polynomial of the background: 0 constant, 1 a plane, -1 no background.
    noise
        Noise of the pixels; by default it is estimated from the residual.
    region
        Pixels to fit; by default those within `REACH` + `AROUND` widths of a column.
    max_iterations
        Upper limit of steps.

    Returns
    -------
    ColumnFit

    Raises
    ------
    ValueError
        If there are no positions, they lie outside of the image, or the image is not finite.

    References
    ----------
    A. De Backer et al., Ultramicroscopy 171, 104 (2016). R. A. Fisher's information as the bound of errors: A. van
    den Bos, Parameter Estimation for Scientists and Engineers (2007).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns.refine import gaussian_columns, refine_columns
    >>> truth = np.array([[20.3, 20.1], [20.0, 30.2], [29.6, 25.0]])
    >>> image = gaussian_columns((50, 50), truth, [50.0, 80.0, 20.0], 2.2, background=1.0)
    >>> fit = refine_columns(image, np.round(truth), width=2.0)
    >>> fit.volumes.round(2)
    array([50., 80., 20.])
    """
    image = np.asarray(image, dtype=float)
    start = np.array(positions, dtype=float).reshape(-1, 2)
    if image.ndim != 2 or not np.isfinite(image).all():
        raise ValueError(f"Expected a two-dimensional image of finite numbers, not one of the shape {image.shape}.")
    if not len(start):
        raise ValueError("There are no columns to refine: expected positions of one or more, shape (n, 2).")
    if np.any(start < -0.5) or np.any(start > np.array(image.shape) - 0.5):
        raise ValueError("Some positions lie outside of the image; expected rows and columns in pixels.")
    width = float(width) if width else first_width(start)
    factor = max(1, int(width / FINEST))
    if factor > 1:
        return _refine_binned(
            image, start, width, factor, shared_width, background, noise, region, max_iterations=max_iterations
        )
    scale = _scale(image)
    problem = _Problem(image / scale, width, shared_width, background, region, start)
    return _rescaled(problem.solve(_scaled_noise(noise, scale), max_iterations), scale)


def _scale(image: np.ndarray) -> float:
    """What an image is divided by, so that all its parameters are of a similar size."""
    return max(float(np.std(image)), 1e-300)


def _scaled_noise(noise: Noise | None, scale: float) -> Noise | None:
    return None if noise is None else Noise(noise.gain / scale, noise.floor / scale**2)


def _rescaled(fit: ColumnFit, scale: float) -> ColumnFit:
    """A fit of an image times a scale."""
    names = ("volumes", "volume_errors", "background", "model")
    noise = Noise(fit.noise.gain * scale, fit.noise.floor * scale**2)
    return replace(fit, noise=noise, **{name: getattr(fit, name) * scale for name in names})


def measure_volumes(
    image, positions, widths, *, background: int = 1, noise: Noise | None = None, region=None
) -> ColumnFit:
    """Fit volumes and background alone, at positions and widths that are known, as from the sum of a series.

    Parameters
    ----------
    image
        Shape (rows, columns).
    positions
        In pixels, shape (n, 2).
    widths
        In pixels, a number or shape (n,).
    background, noise, region
        See `refine_columns`.

    Returns
    -------
    ColumnFit
        With errors of zero for positions and widths.

    Examples
    --------
    >>> from particlespy_ml.columns.refine import gaussian_columns, measure_volumes
    >>> image = gaussian_columns((50, 50), [[20.3, 20.1], [20.0, 30.2]], [50.0, 80.0], 2.2)
    >>> measure_volumes(image, [[20.3, 20.1], [20.0, 30.2]], 2.2).volumes.round(2)
    array([50., 80.])
    """
    image = np.asarray(image, dtype=float)
    start = np.array(positions, dtype=float).reshape(-1, 2)
    if not len(start):
        raise ValueError("There are no columns to measure: expected positions of one or more, shape (n, 2).")
    scale = _scale(image)
    problem = _Problem(image / scale, float(np.mean(widths)), True, background, region, start)
    problem.widths = np.broadcast_to(np.asarray(widths, float), len(start)).copy()
    return _rescaled(problem.solve_volumes(_scaled_noise(noise, scale)), scale)


def first_width(positions: np.ndarray) -> float:
    """Return a first width in pixels from the distances between columns."""
    if len(positions) < 2:
        raise ValueError("A single column has no neighbour to tell its width from; give width= in pixels.")
    distance = cKDTree(positions).query(positions, 2)[0][:, 1]
    return float(max(0.2 * np.median(distance), 0.7))


def _refine_binned(image, start, width, factor, shared_width, background, noise, region, max_iterations) -> ColumnFit:
    """Refine on an image of bins of *factor* pixels and give the result in pixels."""
    rows, columns = (n // factor * factor for n in image.shape)
    inside = np.all(start < np.array([rows, columns]) - 0.5, axis=1)
    if not inside.all():  # columns on the last rows that fill no bin
        pad = [(0, -n % factor) for n in image.shape]
        image = np.pad(image, pad, mode="edge")
        region = None if region is None else np.pad(region, pad)
        fit = _refine_binned(
            image, start, width, factor, shared_width, background, noise, region, max_iterations=max_iterations
        )
        cut = tuple(slice(0, n - p[1]) for n, p in zip(image.shape, pad, strict=True))
        return replace(fit, region=fit.region[cut], model=fit.model[cut])
    blocks = image[:rows, :columns].reshape(rows // factor, factor, columns // factor, factor)
    small = blocks.mean((1, 3))
    if region is not None:
        region = region[:rows, :columns].reshape(blocks.shape).mean((1, 3)) > 0.5
    noise = None if noise is None else Noise(noise.gain / factor**2, noise.floor / factor**2)
    wider = np.hypot(width, np.sqrt((factor**2 - 1) / 12)) / factor
    scale = _scale(small)
    problem = _Problem(small / scale, wider, shared_width, background, region, (start + 0.5) / factor - 0.5)
    fit = _rescaled(problem.solve(_scaled_noise(noise, scale), max_iterations), scale)
    widths = np.sqrt(np.maximum((fit.widths * factor) ** 2 - (factor**2 - 1) / 12, 0.01))
    positions = (fit.positions + 0.5) * factor - 0.5
    volumes = fit.volumes * factor**2
    y, x = np.arange(image.shape[0]), np.arange(image.shape[1])
    smooth = scale * problem.background_at((y + 0.5) / factor - 0.5, (x + 0.5) / factor - 0.5)
    region = np.zeros(image.shape, bool)
    region[:rows, :columns] = np.kron(fit.region, np.ones((factor, factor), bool))
    return replace(
        fit,
        positions=positions,
        volumes=volumes,
        widths=widths,
        position_errors=fit.position_errors * factor,
        volume_errors=fit.volume_errors * factor**2,
        width_errors=fit.width_errors * factor,
        region=region,
        model=gaussian_columns(image.shape, positions, volumes, widths, smooth),
        noise=Noise(fit.noise.gain * factor**2, fit.noise.floor * factor**2),
    )


class _Problem:
    """Image, weights and parameters of one fit."""

    def __init__(self, image, width, shared_width, degree, region, start):
        self.image, self.shared, self.start = image, shared_width, start
        self.n = len(start)
        self.positions = start.copy()
        self.widths = np.full(self.n, width)
        self.volumes = np.zeros(self.n)
        self.first_width = width
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
        self.prior = np.inf

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
            level = np.median(self.image[around])
            height = np.median(self.image[tuple(np.rint(self._inside(self.start)).astype(int).T)]) - level
            smooth = gaussian_filter(self.image, self.widths[0])
            around &= smooth - level < BRIGHT * max(height, 0) if height > 0 else True
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
        """What is known before: a column lies within about a width of its start, and is about as wide as the others."""
        diagonal = np.zeros((self.n, 3 if self.shared else 4))
        diagonal[:, 1:3] = 1 / self.first_width**2
        if not self.shared:
            diagonal[:, 3] = 1 / (0.3 * self.first_width) ** 2
        return diagonal.ravel()

    def _prior_pull(self) -> np.ndarray:
        pull = np.zeros((self.n, 3 if self.shared else 4))
        pull[:, 1:3] = (self.start - self.positions) / self.first_width**2
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
        factor = splu((local + ridge * _identity(self.n)).tocsc())
        if not len(self.powers):
            self.volumes = factor.solve(right)
            return
        inner = factor.solve(border)
        schur = corner - border.T @ inner
        self.coefficients = np.linalg.lstsq(schur, right_global - inner.T @ right, rcond=None)[0]
        self.volumes = factor.solve(right - border @ self.coefficients)

    def _state(self):
        return self.positions.copy(), self.widths.copy(), self.volumes.copy(), self.coefficients.copy()

    def _move(self, state, local: np.ndarray, glob: np.ndarray) -> None:
        positions, widths, volumes, coefficients = state
        step = local.reshape(self.n, -1)
        limit = 0.5 * self.first_width
        self.positions = np.clip(
            positions + np.clip(step[:, 1:3], -limit, limit), -0.5, np.array(self.image.shape) - 0.5
        )
        self.volumes = volumes + step[:, 0]
        if self.shared:
            change, glob = np.full(self.n, glob[0]), glob[1:]
        else:
            change = step[:, 3]
        low, high = 0.5 * self.first_width, 2 * self.first_width
        self.widths = np.clip(widths + np.clip(change, -0.2 * widths, 0.2 * widths), low, high)
        self.coefficients = coefficients + glob
        self._place_windows()

    def _cost(self, weight, model) -> float:
        pull = self.positions - self.start
        prior = np.sum(pull**2) / self.first_width**2
        if not self.shared:
            prior += np.sum((self.widths - np.median(self.widths)) ** 2) / (0.3 * self.first_width) ** 2
        return float(np.sum(weight * (self.padded_image - model) ** 2) + prior)

    def solve(self, noise: Noise | None, max_iterations: int) -> ColumnFit:
        """Run Gauss-Newton steps with Levenberg's damping; the weights follow the model."""
        weight = self.padded_region / self._flat_variance()
        self._solve_linear(weight)
        model = self._model()
        found = noise if noise is not None else self._estimate(model)
        damping, converged, iteration, fresh = 1e-4, False, 0, 0
        factor = border = corner = None
        for iteration in range(1, max_iterations + 1):
            if factor is None or iteration in REFRESH:
                if noise is None:
                    found = self._estimate(model)
                weight = self._weight(found, model)
                fresh = iteration
            g, h = self._vectors(np.arange(self.n), np.arange(self.n))
            if factor is None or fresh == iteration:
                local, border, corner = self._normal_matrix(weight, g, h)
                diagonal = local.diagonal()
                damped = local + _diagonal(self._prior_diagonal() + damping * diagonal + 1e-12 * diagonal.max())
                factor = splu(damped.tocsc())
            residual = weight * (self.padded_image - model)
            right = self._contract(residual, g, h).ravel() + self._prior_pull()
            images = self._global_images(g, h)
            right_global = np.tensordot(images, residual, 2)
            step_global = np.zeros(border.shape[1])
            if border.shape[1]:
                inner = factor.solve(border)
                schur = corner - border.T @ inner
                step_global = np.linalg.lstsq(schur, right_global - inner.T @ right, rcond=1e-12)[0]
            step = factor.solve(right - border @ step_global)
            before, cost = self._state(), self._cost(weight, model)
            self._move(before, step, step_global)
            model = self._model()
            after = self._cost(weight, model)
            if not after <= cost * (1 + 1e-12):
                self.positions, self.widths, self.volumes, self.coefficients = before
                self._place_windows()
                model, factor = self._model(), None
                damping = max(damping * 30, 1e-3)
                if damping > 1e6:
                    break
                continue
            damping = max(damping / 5, 1e-9)
            moved = np.abs(self.positions - before[0]).max()
            widened = np.abs(self.widths - before[1]).max()
            # a change of the cost by so little is a small part of a standard error for every parameter
            if iteration > 3 and (max(moved, widened) < 2e-3 * self.first_width or cost - after < SMALL_GAIN):
                converged = True
                break
        if noise is None:
            found = self._estimate(model)
        weight = self._weight(found, model)
        self._solve_linear(weight)
        return self._result(found, iteration, converged)

    def solve_volumes(self, noise: Noise | None) -> ColumnFit:
        """Solve for volumes and background, with weights that follow the model."""
        weight = self.padded_region / self._flat_variance()
        for _ in range(3):
            self._solve_linear(weight)
            model = self._model()
            found = noise if noise is not None else self._estimate(model)
            weight = self._weight(found, model)
        self._solve_linear(weight)
        fit = self._result(found, 3, True)
        g, h = self._vectors(np.arange(self.n), np.arange(self.n))
        local, border, corner = self._normal_matrix(self._weight(found, self._model()), g, h)
        only = local[::3, ::3] + 1e-12 * local.diagonal().max() * _identity(self.n)
        errors, _ = _standard_errors(only, border[::3, 1:], corner[1:, 1:], 1)
        nothing = np.zeros(self.n)
        return replace(fit, position_errors=np.zeros((self.n, 2)), volume_errors=errors[:, 0], width_errors=nothing)

    def _flat_variance(self) -> float:
        return max(float(np.var(self.image[self.region])), 1e-300)

    def _weight(self, noise: Noise, model: np.ndarray) -> np.ndarray:
        signal = model - min(0.0, float(model[self.padded_region].min()))
        height = np.median(self.volumes / (2 * np.pi * self.widths**2))
        smallest = SMALLEST_SIGNAL * max(height, 0)
        variance = noise.variance(signal if noise.floor > 0 else model, smallest)
        least = 1e-10 * self._flat_variance()
        return self.padded_region / np.maximum(variance, least)

    def _estimate(self, model: np.ndarray) -> Noise:
        inside = self.padded_region
        return estimate_noise((self.padded_image - model)[inside], model[inside])

    def _result(self, noise: Noise, iterations: int, converged: bool) -> ColumnFit:
        model = self._model()
        weight = self._weight(noise, model)
        g, h = self._vectors(np.arange(self.n), np.arange(self.n))
        local, border, corner = self._normal_matrix(weight, g, h)
        prior = self._prior_diagonal() + 1e-12 * local.diagonal().max()
        errors, width_error = _standard_errors(local + _diagonal(prior), border, corner, 3 if self.shared else 4)
        inside = self.padded_region
        chi2 = float((weight * (self.padded_image - model) ** 2)[inside].mean())
        y, x = ((self.positions - self.centre) / self.extent).T
        terms = (c * y**i * x**j for c, (i, j) in zip(self.coefficients, self.powers, strict=True))
        smooth = sum(terms, np.zeros(self.n))
        cut = slice(self.pad, -self.pad)
        return ColumnFit(
            positions=self.positions,
            volumes=self.volumes,
            widths=self.widths,
            position_errors=errors[:, 1:3],
            volume_errors=errors[:, 0],
            width_errors=np.full(self.n, width_error) if self.shared else errors[:, 3],
            background=smooth,
            region=self.region,
            model=model[cut, cut],
            noise=noise,
            chi2=chi2,
            iterations=iterations,
            converged=converged,
        )


def _identity(n: int) -> csc_matrix:
    return _diagonal(np.ones(n))


def _diagonal(values: np.ndarray) -> csc_matrix:
    index = np.arange(len(values))
    return csc_matrix((values, (index, index)), shape=(len(values), len(values)))


def _standard_errors(local, border, corner, q: int) -> tuple[np.ndarray, float]:
    """Square roots of the diagonal of the inverse of a bordered sparse matrix: (n, q), and the first of the corner."""
    inner = splu(local.tocsc())
    if not border.shape[1]:
        return np.sqrt(np.maximum(_inverse_diagonal(local, inner), 0)).reshape(-1, q), 0.0
    along = inner.solve(border)
    schur = np.linalg.pinv(corner - border.T @ along, hermitian=True)
    diagonal = np.einsum("ij,jk,ik->i", along, schur, along) + _inverse_diagonal(local, inner)
    return np.sqrt(np.maximum(diagonal, 0)).reshape(-1, q), float(np.sqrt(max(schur[0, 0], 0)))


def _inverse_diagonal(matrix, factorised) -> np.ndarray:
    """Diagonal of the inverse of a symmetric sparse matrix."""
    size = matrix.shape[0]
    if size <= DENSE:
        lower, failed = dpotrf(matrix.toarray(order="F"), lower=1, overwrite_a=1)
        if not failed:
            return np.sum(np.tril(dtrtri(lower, lower=1, overwrite_c=1)[0]) ** 2, axis=0)
    diagonal = np.empty(size)
    for part in range(0, size, 512):
        stop = min(part + 512, size)
        unit = np.zeros((size, stop - part))
        unit[np.arange(part, stop), np.arange(stop - part)] = 1
        diagonal[part:stop] = factorised.solve(unit)[np.arange(part, stop), np.arange(stop - part)]
    return diagonal
