"""What metals and compounds are like: experiment or DFT, and the thesis' COMB potential beside it.

J. Madsen, Atomic-resolution TEM of nanoparticles (PhD thesis, Technical University of Denmark), chapter 5. Energies are
in eV, elastic constants in GPa, surface energies in J/m², lengths in Å; a pair is (experiment or DFT, COMB).
"""

from __future__ import annotations

# NaN: not given there
_NONE = float("nan")
METALS = {
    "Au": {
        "lattice constant": (4.06, 4.038),
        "energy of an atom": (-3.81, -3.852),
        "bulk modulus": (180.0, 172.0),
        "C11": (202.0, 212.0),
        "C12": (170.0, 152.0),
        "C44": (45.0, 48.0),
        "hcp - fcc": (0.002, 0.007),
        "bcc - fcc": (0.04, 0.033),
        "diamond - fcc": (1.01, 1.00),
        "sc - fcc": (0.28, 0.54),
        "{111} surface": (0.98, 0.868),  # PBEsol; PBE .74
        "{100} over {111}": (1.22, 1.19),  # PBEsol; PBE 1.16
        "{110} over {111}": (1.31, 1.25),
        "vacancy": (0.89, 1.15),
        "dimer, energy of an atom": (-1.17, -1.19),
        "dimer, length": (2.47, 2.38),
    },
    "Pt": {
        "lattice constant": (3.91, 3.93),
        "energy of an atom": (-5.84, -5.87),
        "bulk modulus": (288.0, 279.0),
        "C11": (347.0, 351.0),
        "C12": (251.0, 243.0),
        "C44": (77.0, 77.0),
        "hcp - fcc": (0.03, 0.04),
        "bcc - fcc": (0.16, 0.18),
        "diamond - fcc": (_NONE, _NONE),
        "sc - fcc": (_NONE, _NONE),
        "{111} surface": (1.91, 1.77),  # PBEsol
        "{100} over {111}": (1.17, 1.20),
        "{110} over {111}": (1.22, 1.24),
        "vacancy": (_NONE, 1.4),
        "dimer, energy of an atom": (-1.65, -1.64),
        "dimer, length": (2.4, 2.32),
    },
}
UNITS = {
    "lattice constant": "Å",
    "energy of an atom": "eV",
    "bulk modulus": "GPa",
    "C11": "GPa",
    "C12": "GPa",
    "C44": "GPa",
    "hcp - fcc": "eV/atom",
    "bcc - fcc": "eV/atom",
    "diamond - fcc": "eV/atom",
    "sc - fcc": "eV/atom",
    "{111} surface": "J/m²",
    "{100} over {111}": "",
    "{110} over {111}": "",
    "vacancy": "eV",
    "dimer, energy of an atom": "eV",
    "dimer, length": "Å",
}
# Oxygen in fcc hollows of {111}: what an atom of it is measured from, and eV (DFT, COMB) by coverage
OXYGEN = {
    "Au": ("O", {0.25: (-3.25, -3.4), 0.5: (-2.91, -2.7), 0.75: (-2.45, -2.2), 1.0: (-1.99, -1.9)}),
    "Pt": ("O2", {0.25: (-1.19, -1.13), 0.5: (-0.91, -0.65), 0.75: (-0.52, -0.35), 1.0: (-0.15, -0.15)}),
}
# Cubic compounds, whose one lattice constant is relaxed: formula, structure, guess of a in Å, eV/atom (DFT, COMB)
COMPOUNDS = (
    ("AuO", "rocksalt", 4.8, 0.54, 0.24),
    ("AuO2", "fluorite", 5.3, 0.61, 0.62),
    ("OAu2", "fluorite", 6.0, 0.72, 0.57),
    ("AuO", "cesiumchloride", 3.0, 0.79, 0.74),
    ("PtO", "rocksalt", 4.7, 0.57, -0.32),
    ("PtO2", "fluorite", 5.1, -0.066, -0.07),
    ("PtO", "cesiumchloride", 2.9, 0.79, 0.84),
    ("PtTi2", "fluorite", 6.1, -0.24, -0.43),
    ("PtTi", "cesiumchloride", 3.2, -0.75, -1.0),
    ("TiPt3", "L1_2", 3.95, -0.84, -0.56),
    ("PtTi", "rocksalt", 5.3, -0.48, -0.49),
    ("PtTi3", "L1_2", 4.1, -0.48, -0.61),
    ("PtZr2", "fluorite", 6.6, -0.51, -0.51),
    ("PtZr", "cesiumchloride", 3.4, -1.15, -0.89),
    ("ZrPt3", "L1_2", 4.05, -0.84, -0.51),
    ("PtZr", "rocksalt", 5.6, -0.73, -0.76),
    ("AuTi", "cesiumchloride", 3.3, -0.31, -0.46),
    ("TiAu3", "L1_2", 4.1, -0.093, -0.092),
    ("AuTi2", "fluorite", 6.3, 0.10, 0.02),
    ("AuTi", "rocksalt", 5.5, 0.005, 0.005),
)
