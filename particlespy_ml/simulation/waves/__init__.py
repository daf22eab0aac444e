"""Waves and scattering: PRISM, multislice, cross-sections."""
