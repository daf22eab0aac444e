"""Energies and forces: calculators, relaxation, dynamics, and how right a potential is."""
