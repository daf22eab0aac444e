"""Atlases of templates of isomers."""
