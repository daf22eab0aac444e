"""The isomer network beside a template matcher on hard images, on what is out of range, and its speed."""
