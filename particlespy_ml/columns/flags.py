"""Flags of columns: what is wrong with one, and what it means."""

from __future__ import annotations

from enum import IntFlag


class Flag(IntFlag):
    """What is wrong with a column, or with the frame that it is of; a row may have several."""

    SATURATED = 1
    AT_BORDER = 2
    OFF_LATTICE = 4
    OUTLIER = 8
    BEYOND_LIBRARY = 16
    NO_LATTICE = 32
    SEVERAL_LATTICES = 64
    TOO_FEW_COLUMNS = 128
    UNRESOLVED = 256
    UNCERTAIN_SCALE = 512
    LIBRARY_MISFIT = 1024
    UNCERTAIN_OFFSET = 2048


def describe_flags(flags: int) -> str:
    """Return what flags mean, in words.

    Examples
    --------
    >>> from particlespy_ml.columns.flags import describe_flags
    >>> describe_flags(5)
    'the image is clipped at the column; the column is on no site of the lattice'
    """
    return "; ".join(text for flag, text in REASONS.items() if int(flags) & flag)


REASONS = {
    Flag.SATURATED: "the image is clipped at the column",
    Flag.AT_BORDER: "the column is cut by the border of the image",
    Flag.OFF_LATTICE: "the column is on no site of the lattice",
    Flag.OUTLIER: "the cross-section fits no number of atoms",
    Flag.BEYOND_LIBRARY: "the cross-section is above that of the thickest column of the library",
    Flag.NO_LATTICE: "the columns form no lattice: the particle is off a zone axis or amorphous",
    Flag.SEVERAL_LATTICES: "the columns form more than one lattice",
    Flag.TOO_FEW_COLUMNS: "there are too few columns",
    Flag.UNRESOLVED: "the numbers of atoms are not resolved in the cross-sections",
    Flag.UNCERTAIN_SCALE: "more than one scale of the library fits",
    Flag.LIBRARY_MISFIT: "the library does not fit the cross-sections",
    Flag.UNCERTAIN_OFFSET: "the number of atoms of the thinnest columns is uncertain, and with it all others",
}
