"""What every room stands on: frames, calibration, threads."""
