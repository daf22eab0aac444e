"""Components of a mixture to populations: those that no valley parts are one."""

from __future__ import annotations

from itertools import combinations

import numpy as np

# 95 % quantile of the dip of n uniform values times the root of n, of 2,000 draws or more each. Uniform is the unimodal
# distribution whose dip is largest in the limit, so one population is parted in at most 1 of 20 tests.
CRITICAL = {6: 0.40, 10: 0.44, 20: 0.47, 50: 0.49, 100: 0.505, 200: 0.515}
FEWEST = 10  # rows of a cluster that are held against a smaller one at least
MUCH_LARGER = 3.0  # from where on only the edge of the larger cluster is held against the smaller one
EDGE = 0.6  # rows of that edge over those of the smaller one: here the power is largest for 10:1 and 25:1


def dip(values: np.ndarray) -> float:
    """Return the dip of values: the largest distance of their distribution function from the nearest unimodal one.

    Parameters
    ----------
    values
        Shape (n,).

    Returns
    -------
    float
        Between 1 / (2 n), for equal steps, and 1 / 4, for two narrow peaks of one height; 0 where all are the same.

    References
    ----------
    J. A. Hartigan and P. M. Hartigan, Annals of Statistics 13, 70 (1985).

    Examples
    --------
    >>> import numpy as np
    >>> round(dip(np.arange(10)), 3)
    0.05
    >>> round(dip(np.concatenate([np.linspace(0, 1, 50), np.linspace(9, 10, 50)])), 2)
    0.22
    """
    x, counts = np.unique(np.asarray(values, dtype=float), return_counts=True)
    above = np.cumsum(counts) / counts.sum()
    below = above - counts / counts.sum()
    low, high, largest = 0, len(x) - 1, 0.0
    while low < high:
        # the greatest convex function below the steps and the least concave one above, of the modal interval
        part = slice(low, high + 1)
        convex, concave = _lower_hull(x[part], below[part]), _lower_hull(x[part], -above[part])
        minorant = np.interp(x[part], x[part][convex], below[part][convex])
        majorant = np.interp(x[part], x[part][concave], above[part][concave])
        knots = np.union1d(convex, concave)
        gap = (majorant - minorant)[knots]
        if gap.max() <= largest:
            break
        farthest = knots[gap.argmax()]
        if farthest in convex:
            left, right = farthest, concave[concave >= farthest].min()
        else:
            left, right = convex[convex <= farthest].max(), farthest
        beside = [largest]
        if left > 0:
            beside.append((above[part] - minorant)[: left + 1].max())
        if right < high - low:
            beside.append((majorant - below[part])[right:].max())
        largest = max(beside)
        if (left == 0 and right == high - low) or left >= right:
            break
        low, high = low + left, low + right
    return float(max(largest, 1 / counts.sum()) / 2) if len(x) > 1 else 0.0


def _lower_hull(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Numbers of the points that the greatest convex function below all points passes through; x ascends."""
    px, py = x.tolist(), y.tolist()  # several times faster than numbers of an array
    hull = [0]
    for i in range(1, len(px)):
        while len(hull) > 1:
            a, b = hull[-2], hull[-1]
            if (py[b] - py[a]) * (px[i] - px[b]) < (py[i] - py[b]) * (px[b] - px[a]):
                break
            hull.pop()
        hull.append(i)
    return np.array(hull)


def critical_dip(count: int) -> float:
    """Return the dip that 95 of 100 samples of *count* uniform values do not exceed."""
    numbers = np.array(list(CRITICAL))
    return float(np.interp(np.log(max(count, 1)), np.log(numbers), list(CRITICAL.values())) / np.sqrt(max(count, 1)))


def separation(one: np.ndarray, other: np.ndarray) -> float:
    """Return how deep the valley between two groups of rows is: their dip over its critical value.

    Rows are projected on Fisher's linear discriminant, and of the larger group only those are taken that are nearest
    to the other one, about as many as that has: among many more rows a small population would not be seen, and what is
    cut off a unimodal distribution leaves one.

    Parameters
    ----------
    one, other
        Features, shape (rows, columns).

    Returns
    -------
    float
        Above 1 where there are two modes, at the 5 % level.
    """
    means = one.mean(0), other.mean(0)
    scatter = sum((rows - mean).T @ (rows - mean) for rows, mean in zip((one, other), means, strict=True))
    scatter = scatter / (len(one) + len(other)) + 1e-6 * np.eye(len(means[0]))
    across = np.linalg.solve(scatter, means[1] - means[0])
    few, many = sorted((len(one), len(other)))
    nearest = max(FEWEST, few if many < MUCH_LARGER * few else int(EDGE * few))
    values = [np.sort(one @ across), np.sort(other @ across)]
    values[0] = values[0][-nearest:] if len(one) > few else values[0]
    values[1] = values[1][:nearest] if len(other) > few else values[1]
    values = np.concatenate(values)
    return dip(values) / critical_dip(len(values))


def normal_loss(one: np.ndarray, other: np.ndarray) -> float:
    """Return how much log-likelihood is lost when one normal distribution stands for two groups of rows.

    Parameters
    ----------
    one, other
        Features, shape (rows, columns).

    References
    ----------
    A. R. Runnalls, IEEE Trans. Aerosp. Electron. Syst. 43, 989 (2007), equation 16, with numbers of rows as weights.
    """

    def half(rows):
        spread = np.atleast_2d(np.cov(rows.T, bias=True)) + 1e-3 * np.eye(rows.shape[1])
        return len(rows) * np.linalg.slogdet(spread)[1] / 2

    return half(np.concatenate([one, other])) - half(one) - half(other)


def merge_components(
    features: np.ndarray, probability: np.ndarray, number: int | None = None, most: int | None = None
) -> tuple[np.ndarray, float]:
    """Return the cluster of each component of a mixture: components are merged until a valley parts any two clusters.

    A mixture of normal components is a good description of a density, but a skewed or curved population takes several
    of them. Of the pairs that no valley parts the one is merged first whose union is most nearly normal.

    Parameters
    ----------
    features
        Shape (rows, columns).
    probability
        Of each component, shape (rows, components).
    number
        Clusters that are to remain; by default as many as the dip test finds apart.
    most
        Clusters that remain at most.

    Returns
    -------
    clusters, least
        Numbers from 0 on, shape (components,), and the least `separation` of two clusters, infinite for a single one.

    References
    ----------
    C. Hennig, Advances in Data Analysis and Classification 4, 3 (2010), methods by unimodality. A. R. Runnalls, IEEE
    Trans. Aerosp. Electron. Syst. 43, 989 (2007), for the order.
    """
    own = probability.argmax(1)
    used = np.unique(own)
    rows = {(int(n),): features[own == n] for n in used}
    apart: dict = {}
    while len(rows) > 1:
        for pair in combinations(rows, 2):
            if pair not in apart:
                apart[pair] = separation(rows[pair[0]], rows[pair[1]])
        pairs = list(combinations(rows, 2))
        merged = [pair for pair in pairs if apart[pair] <= 1]
        enough = not merged and len(rows) <= (most or len(rows)) if number is None else len(rows) <= number
        if enough:
            break
        if merged:
            one, other = min(merged, key=lambda pair: normal_loss(*(rows[cluster] for cluster in pair)))
        else:
            one, other = min(pairs, key=apart.__getitem__)
        rows[one + other] = np.concatenate([rows.pop(one), rows.pop(other)])
    clusters = np.empty(probability.shape[1], int)
    for number_of, members in enumerate(rows):
        clusters[list(members)] = number_of
    for empty in np.setdiff1d(np.arange(len(clusters)), used):
        shared = probability[:, empty] @ probability[:, used]
        clusters[empty] = clusters[used[shared.argmax()]]
    least = min((apart[pair] for pair in combinations(rows, 2)), default=np.inf)
    return clusters, float(least)
