"""Standard errors from sparse normal matrices with a dense border."""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

TILE = 32  # columns whose errors are found together
REACH = 5.0  # widths: what lies farther away changes an error by about one per cent, or less


def identity(n: int) -> csc_matrix:
    """Return a sparse identity matrix."""
    return diagonal_matrix(np.ones(n))


def diagonal_matrix(values: np.ndarray) -> csc_matrix:
    """Return a sparse matrix of a diagonal."""
    index = np.arange(len(values))
    return csc_matrix((values, (index, index)), shape=(len(values), len(values)))


def standard_errors(local, border, corner, positions, width: float, q: int) -> tuple[np.ndarray, float]:
    """Return roots of the diagonal of the inverse of a bordered sparse matrix.

    Parameters
    ----------
    local
        Sparse matrix of the columns' own parameters, shape (n q, n q).
    border, corner
        Dense parts of what all columns share, shapes (n q, b) and (b, b).
    positions
        Of the columns, shape (n, 2).
    width
        Of a column, in the unit of the positions.
    q
        Parameters of a column.

    Returns
    -------
    errors
        Shape (n, q).
    first
        That of the first shared parameter; zero where there is none.
    """
    diagonal = inverse_diagonal(local, positions, REACH * width)
    if not border.shape[1]:
        return np.sqrt(np.maximum(diagonal, 0)).reshape(-1, q), 0.0
    along = splu(local.tocsc()).solve(border)
    schur = np.linalg.pinv(corner - border.T @ along, hermitian=True)
    diagonal = np.einsum("ij,jk,ik->i", along, schur, along, optimize=True) + diagonal
    return np.sqrt(np.maximum(diagonal, 0)).reshape(-1, q), float(np.sqrt(max(schur[0, 0], 0)))


def inverse_diagonal(matrix, positions: np.ndarray, reach: float) -> np.ndarray:
    """Return the diagonal of the inverse of a symmetric sparse matrix of parameters that lie in a plane.

    The inverse of a banded matrix falls off with the distance (S. Demko et al., Math. Comput. 43, 491 (1984)), so that
    its diagonal is that of the inverses of blocks: of a few columns and all within reach of them. The cost grows in
    proportion to the columns, where the whole inverse is dense.

    Parameters
    ----------
    matrix
        Positive definite, shape (n q, n q); parameters of one place follow each other.
    positions
        Places, shape (n, 2).
    reach
        In the unit of the positions.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import diags_array
    >>> from particlespy_ml.columns.fit.errors import inverse_diagonal
    >>> chain = diags_array([0.2, 1.0, 0.2], offsets=[-1, 0, 1], shape=(90, 90))
    >>> places = np.column_stack([np.arange(90), np.zeros(90)])
    >>> exact = np.diag(np.linalg.inv(chain.toarray()))
    >>> bool(np.allclose(inverse_diagonal(chain, places, 8), exact, rtol=1e-6))
    True
    """
    count = len(positions)
    q = matrix.shape[0] // max(count, 1)
    rows = matrix.tocsr()
    tree = cKDTree(positions)
    each, place_of = np.arange(q), np.full(matrix.shape[0], -1)
    diagonal = np.empty(matrix.shape[0])
    for tile in _tiles(np.asarray(positions, float), np.arange(count)):
        near = np.unique(np.concatenate(tree.query_ball_point(positions[tile], reach)).astype(int))
        order = np.concatenate([tile, np.setdiff1d(near, tile)])
        index = (order[:, None] * q + each).ravel()
        place_of[index] = np.arange(len(index))
        block = _block(rows, index, place_of)
        place_of[index] = -1
        factor, failed = dpotrf(block, lower=1)
        inverse = np.linalg.pinv(block, hermitian=True) if failed else dpotri(factor, lower=1)[0]
        diagonal[(tile[:, None] * q + each).ravel()] = np.diag(inverse)[: len(tile) * q]
    return diagonal


def _block(rows, index: np.ndarray, place_of: np.ndarray) -> np.ndarray:
    """Dense part of a sparse matrix; several times faster than indexing it twice."""
    first, lengths = rows.indptr[index], np.diff(rows.indptr)[index]
    at = np.arange(lengths.sum()) + np.repeat(first - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    column = place_of[rows.indices[at]]
    inside = column >= 0
    block = np.zeros((len(index), len(index)), order="F")
    block[np.repeat(np.arange(len(index)), lengths)[inside], column[inside]] = rows.data[at][inside]
    return block


def _tiles(positions: np.ndarray, index: np.ndarray) -> list[np.ndarray]:
    """Split places into halves along their longer side until each part is small."""
    if len(index) <= TILE:
        return [index]
    places = positions[index]
    order = np.argsort(places[:, np.argmax(np.ptp(places, axis=0))], kind="stable")
    half = len(order) // 2
    return _tiles(positions, index[order[:half]]) + _tiles(positions, index[order[half:]])
