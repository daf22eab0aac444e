"""Send the front image of DigitalMicrograph to a running ``particlespy-ml watch``, and show what it says.

Start the watcher on the same computer first, in an environment of your own: ``particlespy-ml watch FOLDER``. Then run
this in GMS 3.4 or later as a Python script (File > New Script, Python), which needs numpy alone. The image is saved to
FOLDER, and done as all images there are.
"""

import io
import json
import sys
import urllib.parse
import urllib.request

import numpy

sys.argv.extend(["-a", " "])  # some versions of GMS start Python without arguments, which libraries expect
import DigitalMicrograph  # noqa: E402

WATCHER = "http://127.0.0.1:8765"  # what the watcher prints when it starts
NANOMETRES = {"nm": 1.0, "um": 1e3, "\xb5m": 1e3, "\u03bcm": 1e3, "A": 0.1, "\xc5": 0.1, "pm": 1e-3}


def pixel_size(image):
    """Size of a pixel in nm; None where the image is not calibrated in a unit of length."""
    _, scale, unit = image.GetDimensionCalibration(0, 0)
    if isinstance(unit, bytes):  # how GMS gives a micrometre
        unit = unit.decode("latin-1")
    return abs(scale) * NANOMETRES[unit] if unit in NANOMETRES and scale else None


def send(image, watcher=WATCHER):
    """Send an image and return its row: particles, focus, and what is wrong with it."""
    array = numpy.array(image.GetNumArray())  # a copy: the array of a live image changes
    if array.ndim != 2:
        raise ValueError(f"The front image has {array.ndim} dimensions; bring one with two to the front.")
    content = io.BytesIO()
    numpy.save(content, array)
    fields = {"name": image.GetName()}
    size = pixel_size(image)
    if size is not None:
        fields["pixel_size"] = f"{size:.9g}"
    request = urllib.request.Request(
        watcher.rstrip("/") + "/image?" + urllib.parse.urlencode(fields),
        data=content.getvalue(),
        headers={"Content-Type": "application/octet-stream"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read().decode("utf-8"))


if __name__ == "__main__":
    row = send(DigitalMicrograph.GetFrontImage())
    print(f"{row.get('image') or row['file']}: {row.get('count')} particles, focus {row.get('focus')}")
    print(row.get("focus_reason") or "", row.get("flags") or "")
