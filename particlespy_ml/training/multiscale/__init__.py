"""Training of networks that find particles on any support, at any magnification."""
