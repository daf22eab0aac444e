"""Classifiers of crystallinity."""
