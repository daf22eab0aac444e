"""Sites of columns in a movie: the motion of the lattice, its mean image, and the surface of the particle."""
