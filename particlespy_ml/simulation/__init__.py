"""Simulated particles and images, with abTEM."""
