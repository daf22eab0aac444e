"""Classes over time to fractions, rates and free energies."""
