"""A camera that was measured: its transfer, gain and noise, as a file, and what it makes of an image."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import fft

from particlespy_ml.core.files import replacing
from particlespy_ml.quality.mtf import MTF, transfer
from particlespy_ml.simulation.settings import from_table


@dataclass(frozen=True)
class Camera:
    """An integrating camera: image and shot noise pass its transfer, as the electrons' light spreads before it is read.

    Parameters
    ----------
    floor, half_width, exponent
        Of the transfer, see `particlespy_ml.quality.mtf.MTF`; the half width is a fraction of the Nyquist frequency.
    errors
        Standard errors of the three.
    gain
        Counts that one electron makes.
    offset
        Counts without a beam.
    readout
        Standard deviation of the readout noise in counts. That of a camera from `from_mtf` is part of the floor.
    name
        What it is called.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.simulation.recording.camera import Camera
    >>> camera = Camera(0.07, 0.196, 2.29, gain=80)
    >>> image = camera.record(np.full((64, 64), 25.0), np.random.default_rng(0))
    >>> image.shape, round(float(image.mean()) / 80)
    ((64, 64), 25)
    """

    floor: float
    half_width: float
    exponent: float
    errors: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gain: float = 1.0
    offset: float = 0.0
    readout: float = 0.0
    name: str = ""

    def __post_init__(self):
        if not (0 <= self.floor <= 1 and self.half_width > 0 and self.exponent > 0 and self.gain > 0):
            raise ValueError(
                f"A camera of floor {self.floor}, half width {self.half_width}, exponent {self.exponent} and gain "
                f"{self.gain}; expected a floor from 0 to 1 and the others above zero."
            )
        if len(self.errors) != 3 or min(self.errors) < 0 or self.readout < 0:
            raise ValueError(f"errors={self.errors}, readout={self.readout}; expected three errors, none below zero.")

    @classmethod
    def from_mtf(cls, mtf: MTF, offset: float = 0.0, name: str = "") -> Camera:
        """Return the camera of an estimate; *offset* is the counts without a beam."""
        gain = mtf.gain if np.isfinite(mtf.gain) else 1.0
        return cls(mtf.floor, mtf.half_width, mtf.exponent, tuple(mtf.errors), gain, offset, name=name)

    def transfer(self, frequency):
        """Return the transfer at frequencies in cycles per pixel: 0.5 is Nyquist's."""
        return transfer(2 * np.asarray(frequency), self.floor, self.half_width, self.exponent)

    def within_errors(self, rng: np.random.Generator) -> Camera:
        """Return a camera whose transfer is drawn within the errors of this one."""
        drawn = np.array([self.floor, self.half_width, self.exponent]) + np.array(self.errors) * rng.normal(size=3)
        floor, width, exponent = np.maximum(drawn, (0.0, 0.02, 0.3)).tolist()
        return replace(self, floor=min(floor, 1.0), half_width=width, exponent=exponent)

    def record(self, electrons: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the counts of an image.

        Parameters
        ----------
        electrons
            Expected electrons of every pixel, shape (rows, columns), with the blur of the pixels' area and without that
            of the camera.
        rng
            Random generator.

        Returns
        -------
        numpy.ndarray
            float32, shape (rows, columns). The borders are mirrored where light would come from beyond them.
        """
        drawn = rng.poisson(np.maximum(electrons, 0)).astype(np.float32)
        pad = min(16, min(drawn.shape) - 1)
        padded = np.pad(drawn, pad, mode="reflect") if pad else drawn
        ky, kx = fft.fftfreq(padded.shape[0])[:, None], fft.rfftfreq(padded.shape[1])[None]
        spread = fft.irfft2(fft.rfft2(padded) * self.transfer(np.hypot(ky, kx)).astype(np.float32), s=padded.shape)
        spread = spread[pad : pad + drawn.shape[0], pad : pad + drawn.shape[1]]
        noise = self.readout * rng.standard_normal(drawn.shape) if self.readout else 0.0
        return (self.offset + self.gain * spread + noise).astype(np.float32)

    def save(self, path: str | Path) -> None:
        """Write a TOML file, which recipes of training take as ``camera`` of their table ``[detector]``.

        Parameters
        ----------
        path
            Ends in ``.toml``.
        """
        values = asdict(self)
        name = values.pop("name").replace("\\", "\\\\").replace('"', '\\"')
        lines = [f'name = "{name}"']
        for key, value in values.items():
            told = (
                ", ".join(f"{float(one):.9g}" for one in value) if isinstance(value, tuple) else f"{float(value):.9g}"
            )
            lines.append(f"{key} = [{told}]" if isinstance(value, tuple) else f"{key} = {told}")
        with replacing(Path(path)) as beside:
            Path(beside).write_text("[camera]\n" + "\n".join(lines) + "\n", encoding="utf-8")


def load_camera(path: str | Path) -> Camera:
    """Read the file of a camera.

    Parameters
    ----------
    path
        TOML file with one table ``[camera]``, as `Camera.save` writes it.

    Returns
    -------
    Camera

    Raises
    ------
    ValueError
        If there is no such file, or it is not one of a camera.
    """
    return _load(str(path))


@lru_cache(maxsize=32)
def _load(path: str) -> Camera:
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"There is no camera file {path!r}; write one with Camera.from_mtf(estimate_mtf(image)).save.")
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        values = tables["camera"]
        if set(tables) != {"camera"}:
            raise ValueError(f"unknown tables {sorted(set(tables) - {'camera'})}")
        return from_table(Camera, values, "camera")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no file of a camera: {error}. Expected one table [camera].") from error
