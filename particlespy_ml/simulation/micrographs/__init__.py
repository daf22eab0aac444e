"""Micrographs of particles on supports, drawn by thickness: bodies, supports, and what a microscope makes of them."""
