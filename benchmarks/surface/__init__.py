"""What a movie tells of the surface of a particle, beside the ways that frames alone offer."""
