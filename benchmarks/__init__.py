"""Speed, memory and accuracy beside peers and bounds, one command each: ``python -m benchmarks.NAME``."""
