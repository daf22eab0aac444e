"""Images of columns of known places and heights through a lens, beside those of a focal series."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import fft
from scipy import ndimage as ndi
from scipy.optimize import least_squares
from scipy.spatial import cKDTree

from particlespy_ml.quality.mtf import transfer
from particlespy_ml.simulation.recording.optics import transfer_function
from particlespy_ml.simulation.series_fit.lens import Lens
from particlespy_ml.simulation.waves.tilted_columns import TiltedColumns, sampled

BEYOND = 6.0  # Å around the images
_MARGIN = 6.0  # Å, of images around columns: with as much and more, 1 Å beyond the images will do
REACH = 3.0  # Å around columns that is compared
WAVE = 7.0  # Å around a column in which its wave is
_OUTSIDE = 3.5  # Å from all columns, from where on there is noise alone
_LEAST = 0.05  # of an image without columns; of others all that is left counts as noise
_RING = 0.12  # 1/Å, of noise spectra
_FILM = (0.15, 0.8)  # 1/Å, where amorphous films show
_TAPER = 12  # pixels at the borders of images whose noise is measured
_CAMERAS = ((0.2, 0.2, 1.8), (0.1, 0.6, 1.8), (0.3, 1.5, 1.8))  # floor, half width and exponent to begin with
_LIMITS = ((0.0, 0.05, 1.0), (0.6, 4.0, 3.0))


class SeriesModel:
    """Columns, a lens and noise, and how far their images are from those of a series.

    Parameters
    ----------
    images
        Registered images, shape (images, rows, columns), proportional to electrons.
    pixel
        Pixel size in Å.
    places
        x and y of the columns in Å, the middle of the first pixel being 0, shape (n, 2).
    heights
        Their numbers of atoms, shape (n,).
    columns
        Waves of single columns.
    lens
        To begin with.
    kinds
        Number of the kind of each column, shape (n,); all are of the first by default.
    """

    def __init__(self, images, pixel: float, places, heights, columns: TiltedColumns, lens: Lens, kinds=None):
        self.pixel, self.columns, self.lens = float(pixel), columns, lens
        self.images = np.asarray(images, np.float32)
        self.images = self.images / np.median(self.images, axis=(1, 2), keepdims=True)
        self.places, self.first = np.array(places, float), np.array(places, float)
        self.heights = np.clip(np.array(heights, int), 1, columns.highest)
        kinds = np.zeros(len(self.heights), int) if kinds is None else np.asarray(kinds, int)
        self.before_first = kinds * columns.highest - 1  # number of the profile of no atom of each column's kind
        self.parts = np.zeros(len(self.heights))  # of an atom, more or less than a whole number
        self.shape = self.images.shape[1:]
        self.pad = int(np.ceil(self._beyond() / pixel))
        self.full = tuple(fft.next_fast_len(n + 2 * self.pad) for n in self.shape)
        self.edges = tuple(n * self.pixel for n in self.full)
        self.ky = fft.fftfreq(self.full[0], pixel).astype(np.float32)[:, None]
        self.kx = fft.fftfreq(self.full[1], pixel).astype(np.float32)[None]
        self.inside = np.s_[self.pad : self.pad + self.shape[0], self.pad : self.pad + self.shape[1]]
        grid = np.stack(np.mgrid[: self.shape[0], : self.shape[1]][::-1], -1).reshape(-1, 2) * pixel
        distance = cKDTree(self.places).query(grid)[0].reshape(self.shape)
        self.region, self._outside = distance < REACH, self._taper() * (distance > _OUTSIDE)
        self.rings = np.arange(0.5, 0.5 / pixel / _RING + 1) * _RING
        self.noise = np.ones((len(images), len(self.rings)))  # power by frequency
        self.variance = np.ones(len(images))  # of whitened residuals
        self.camera = (1.0, 1.0, 2.0)  # floor, half width and exponent of the transfer that noise tells
        self._transfers: dict[int, tuple[Lens, np.ndarray]] = {}  # of the lens last asked for
        self.spectrum = self.wave_spectrum()

    def _beyond(self) -> float:
        """Å around the images in which waves are: less where columns are far from the borders."""
        height, width = (n * self.pixel for n in self.shape)
        margin = min(self.places.min(), width - self.places[:, 0].max(), height - self.places[:, 1].max())
        return float(np.clip(BEYOND + _MARGIN - margin, 1.0, BEYOND))

    def _taper(self) -> np.ndarray:
        ends = [np.clip((np.minimum(np.arange(n), np.arange(n)[::-1])) / _TAPER, 0, 1) for n in self.shape]
        return np.outer(*ends)

    def rebuild(self) -> None:
        """Take over changed places, heights or tilt."""
        self.spectrum = self.wave_spectrum()

    def of_parts(self, read) -> np.ndarray:
        """Profiles of the columns, between those of whole numbers of atoms, which *read* gives by their number."""
        whole = read(self.before_first + self.heights)
        if not self.parts.any():
            return whole
        nearest = np.clip(self.heights + np.where(self.parts < 0, -1, 1), 1, self.columns.highest)
        share = np.abs(self.parts).astype(np.float32)[:, None, None]
        return (1 - share) * whole + share * read(self.before_first + nearest)

    def windows(self, reach: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rows and columns of the pixels around each column, shape (n, w), and how far they are from it in Å."""
        half = int(reach / self.pixel)
        across = np.arange(-half, half + 1)
        nearest = np.rint(self.places[:, ::-1] / self.pixel).astype(int)
        rows, columns = nearest[:, :1] + across, nearest[:, 1:] + across
        return rows, columns, rows * self.pixel - self.places[:, 1:], columns * self.pixel - self.places[:, :1]

    def wave_spectrum(self, tilt: np.ndarray | None = None) -> np.ndarray:
        """Fourier transform of the wave behind all columns."""
        profiles, turn = self.columns.at(self.lens.tilt if tilt is None else tilt)
        rows, columns, dy, dx = self.windows(WAVE)
        added = self.of_parts(lambda which: sampled(profiles, which, dy, dx, self.columns.step, turn))
        wave = np.ones(self.full, np.complex64)
        at = (rows + self.pad) % self.full[0], (columns + self.pad) % self.full[1]
        np.add.at(wave, (at[0][:, :, None], at[1][:, None, :]), added)
        return fft.fft2(wave)

    def image(self, number: int, lens: Lens, spectrum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Expected image, relative to the empty beam, and the wave in its plane."""
        wave = fft.ifft2(spectrum * self._transfer(number, lens))
        intensity = wave.real**2 + wave.imag**2
        half = self.kx[:, : self.full[1] // 2 + 1]
        blur = self.blur(number, lens, np.hypot(self.ky, half))
        return fft.irfft2(fft.rfft2(intensity) * blur, s=self.full)[self.inside], wave[self.inside]

    def _transfer(self, number: int, lens: Lens) -> np.ndarray:
        """What an image's lens, shift and motion do to the spectrum of the wave."""
        kept = self._transfers.get(number)
        if kept is not None and kept[0] is lens:
            return kept[1]
        values = transfer_function(replace(lens.optics(number), deflection=0.0), self.full, self.edges)
        values = values * np.exp(-2 * np.pi**2 * self.motion_of(lens) * (self.kx**2 + self.ky**2)).astype(np.float32)
        shift = lens.shift(number)
        if shift.any():
            values = values * np.exp(-2j * np.pi * (self.kx * shift[0] + self.ky * shift[1])).astype(np.complex64)
        self._transfers[number] = lens, values
        return values

    def motion_of(self, lens: Lens) -> float:
        """Mean square of thermal displacements in Å² that images show beside that in waves."""
        return lens.motion

    def blur(self, number: int, lens: Lens, frequency: np.ndarray) -> np.ndarray:
        """What blurs an image: deflection, and the camera, as far as its noise tells."""
        camera = transfer(2 * self.pixel * frequency, *self.camera) ** lens.camera
        gauss = np.exp(-2 * (np.pi * lens.optics(number).deflection * frequency) ** 2)
        return (gauss * camera * lens.hidden_blur(frequency)).astype(np.float32)

    def whitened(self, residual: np.ndarray, number: int) -> np.ndarray:
        """A residual whose noise is white and about one."""
        ky, kx = fft.fftfreq(self.shape[0], self.pixel)[:, None], fft.rfftfreq(self.shape[1], self.pixel)
        power = np.interp(np.hypot(ky, kx), self.rings, self.noise[number])
        return fft.irfft2(fft.rfft2(residual) / np.sqrt(power).astype(np.float32), s=self.shape)

    def level(self, number: int, expected: np.ndarray) -> float:
        """Intensity of the empty beam."""
        seen, model = self.images[number][self.region], expected[self.region]
        return float((seen @ model) / (model @ model))

    def residual_images(self, lens: Lens | None = None, spectrum: np.ndarray | None = None) -> np.ndarray:
        """Whitened residuals over their standard deviation, zero far from columns, shape of the images."""
        lens, spectrum = lens or self.lens, self.spectrum if spectrum is None else spectrum
        found = np.empty(self.images.shape, np.float32)
        for number, image in enumerate(self.images):
            expected, _ = self.image(number, lens, spectrum)
            left = self.whitened(image - self.level(number, expected) * expected, number)
            found[number] = left * self.region / np.sqrt(self.variance[number])
        return found

    def squares(self) -> float:
        """Sum of the squares of residuals, and of deviations from what is known of the lens."""
        left, known = self.residual_images(), self.lens.known_beforehand()
        return float(np.vdot(left, left) + known @ known)

    def measure_noise(self) -> None:
        """Take the power of the noise from where no column is, and the variance of residuals from where they are."""
        ky, kx = fft.fftfreq(self.shape[0], self.pixel)[:, None], fft.rfftfreq(self.shape[1], self.pixel)
        ring = np.clip((np.hypot(ky, kx) / _RING).astype(int), 0, len(self.rings) - 1)
        weight = self._outside if self._outside.mean() > _LEAST else self._taper()
        weight = weight / np.sqrt(np.mean(weight**2))
        expected = [self.image(number, self.lens, self.spectrum)[0] for number in range(len(self.images))]
        for number, image in enumerate(self.images):
            left = image - self.level(number, expected[number]) * expected[number]
            left = left - (left * weight).sum() / weight.sum()
            power = np.abs(fft.rfft2(left * weight)) ** 2 / left.size
            # the median of an exponential variable is its mean times ln 2; lattices do not move it
            typical = ndi.median(power, ring, np.arange(len(self.rings))) / np.log(2)
            self.noise[number] = np.minimum.accumulate(ndi.gaussian_filter1d(typical, 1.0, mode="nearest"))
        self.camera = camera_of_noise(self.rings, self.noise, self.pixel)
        self.variance[:] = 1
        for number, image in enumerate(self.images):
            expected, _ = self.image(number, self.lens, self.spectrum)
            left = self.whitened(image - self.level(number, expected) * expected, number)
            self.variance[number] = left[self.region].var()

    def unlike_noise(self) -> float:
        """How unlike the noise of the images is at frequencies at which films show.

        The contrast of a film changes with the defocus: 0.25 and more of a series. Of vacuum it is about 0.1, of one
        image 0.
        """
        seen = (self.rings > _FILM[0]) & (self.rings < _FILM[1])
        return float(np.log(np.maximum(self.noise[:, seen], 1e-12)).std(0).mean())

    def alikeness(self) -> float:
        """How many times the power of the whitened residuals is larger where lattices are than on the average.

        What the model leaves is alike over several pixels, and counts as fewer of them.
        """
        told = []
        ky, kx = fft.fftfreq(self.shape[0], self.pixel)[:, None], fft.rfftfreq(self.shape[1], self.pixel)
        band = (np.hypot(ky, kx) > 0.2) & (np.hypot(ky, kx) < 0.9)
        for number, image in enumerate(self.images):
            expected, _ = self.image(number, self.lens, self.spectrum)
            left = self.whitened(image - self.level(number, expected) * expected, number) * self.region
            power = np.abs(fft.rfft2(left)) ** 2
            told.append(power[band].mean() / power.mean())
        return max(1.0, float(np.mean(told)))


def camera_of_noise(frequency: np.ndarray, power: np.ndarray, pixel: float) -> tuple[float, float, float]:
    """Return floor, half width and exponent of the transfer whose square is nearest to the noise of all images.

    Parameters
    ----------
    frequency
        In 1/Å, shape (m,).
    power
        Of the noise of each image, shape (images, m).
    pixel
        Pixel size in Å.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.simulation.series_fit.model import camera_of_noise
    >>> camera_of_noise(np.linspace(0.1, 1.9, 16), np.ones((1, 16)), 0.25)[1] > 1
    True
    """
    within = 2 * pixel * frequency < 1
    power = np.maximum(power, 1e-6 * power.max(1, keepdims=True))  # images that were filtered have none
    seen = 0.5 * np.log(power[:, within])
    seen = (seen - seen.mean(1, keepdims=True)).mean(0)

    def away(values: np.ndarray) -> np.ndarray:
        return values[0] + np.log(transfer(2 * pixel * frequency[within], *values[1:])) - seen

    low, high = ((side, *limits) for side, limits in zip((-8.0, 8.0), _LIMITS, strict=True))
    found = [least_squares(away, (seen[0], *start), bounds=(low, high)) for start in _CAMERAS]
    return tuple(min(found, key=lambda one: one.cost).x[1:])
