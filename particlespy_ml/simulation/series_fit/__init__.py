"""Numbers of atoms, places and optics of a focal series, by a fit of the waves behind its columns."""
