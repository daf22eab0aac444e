"""Standard errors from sparse normal matrices with a dense border."""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtri
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

DENSE = 3000  # unknowns: up to here a dense inverse is the faster one


def identity(n: int) -> csc_matrix:
    """Return a sparse identity matrix."""
    return diagonal_matrix(np.ones(n))


def diagonal_matrix(values: np.ndarray) -> csc_matrix:
    """Return a sparse matrix of a diagonal."""
    index = np.arange(len(values))
    return csc_matrix((values, (index, index)), shape=(len(values), len(values)))


def standard_errors(local, border, corner, q: int) -> tuple[np.ndarray, float]:
    """Return roots of the diagonal of the inverse of a bordered sparse matrix: (n, q), and the first of the corner."""
    inner = splu(local.tocsc())
    if not border.shape[1]:
        return np.sqrt(np.maximum(inverse_diagonal(local, inner), 0)).reshape(-1, q), 0.0
    along = inner.solve(border)
    schur = np.linalg.pinv(corner - border.T @ along, hermitian=True)
    diagonal = np.einsum("ij,jk,ik->i", along, schur, along) + inverse_diagonal(local, inner)
    return np.sqrt(np.maximum(diagonal, 0)).reshape(-1, q), float(np.sqrt(max(schur[0, 0], 0)))


def inverse_diagonal(matrix, factorised) -> np.ndarray:
    """Return the diagonal of the inverse of a symmetric sparse matrix."""
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
