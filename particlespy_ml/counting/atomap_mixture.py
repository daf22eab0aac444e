"""atomap's own counting on the same columns, to compare with it."""

from __future__ import annotations

import numpy as np


def count_with_atomap(volumes, n_components: int | None = None, max_components: int = 20, seed: int = 0):
    """Count with `atomap.quantification`: a mixture by scikit-learn, and the number of components with the lowest BIC.

    atomap squares the widths of columns whose amplitude is a volume already, and leaves the mixture unseeded. Here it
    is given columns whose product is the true volume, and numpy's global generator is seeded for the call.

    Parameters
    ----------
    volumes
        Scattering cross-sections, shape (n,).
    n_components
        Number of components; by default the one with the lowest BIC.
    max_components
        Largest number tried.
    seed
        Seed of the mixtures.

    Returns
    -------
    counts
        1 for the component with the lowest mean, 2 for the next, and so on, shape (n,).
    posterior
        Probability of every component, shape (n, g).
    bic
        Of 1, 2, ... components.
    """
    import atomap.api  # noqa: F401, I001  # the modules of atomap import each other, and load in this order only
    import matplotlib.pyplot as plt
    from atomap.quantification import get_statistical_quant_criteria

    volumes = np.asarray(volumes, float)
    if len(volumes) < 2:
        raise ValueError(f"{len(volumes)} columns are too few for a mixture.")
    most = min(max_components, len(volumes) // 2)
    known, shown, interactive = np.random.get_state(), plt.get_fignums(), plt.isinteractive()  # noqa: NPY002
    try:
        plt.ioff()
        np.random.seed(seed)  # noqa: NPY002
        models = get_statistical_quant_criteria([_columns(volumes)], most + 1)
    finally:
        np.random.set_state(known)  # noqa: NPY002
        for number in set(plt.get_fignums()) - set(shown):
            plt.close(number)
        if interactive:
            plt.ion()
    bic = np.array([model.bic(volumes[:, None]) for model in models])
    if n_components is not None and not 1 <= n_components <= len(models):
        raise ValueError(f"n_components={n_components}; expected a number from 1 to {len(models)}.")
    model = models[(n_components or int(np.argmin(bic)) + 1) - 1]
    order = np.argsort(model.means_.ravel())
    posterior = model.predict_proba(volumes[:, None])[:, order]
    return posterior.argmax(1) + 1, posterior, bic


def _columns(volumes: np.ndarray):
    """What atomap reads of a sublattice: columns whose amplitude and widths multiply to the volume."""
    from types import SimpleNamespace

    atoms = [SimpleNamespace(amplitude_gaussian=v / (2 * np.pi), sigma_x=1.0, sigma_y=1.0) for v in volumes]
    return SimpleNamespace(atom_list=atoms)
