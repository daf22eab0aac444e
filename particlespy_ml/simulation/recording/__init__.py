"""From waves to recorded images: optics, detectors, cameras."""
