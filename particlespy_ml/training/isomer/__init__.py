"""Classifiers of isomers."""
