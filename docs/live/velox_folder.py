"""Watch the folder that Velox exports to, and say after each image whether it is worth going on there.

In Velox, let every acquisition be saved to one folder (.emd, or .tif with its scale in the file), then run
``python velox_folder.py FOLDER``. Of a file of several detectors every image is done; a .emd file that Velox is still
writing is tried again. Ctrl-C ends it.
"""

import sys

from particlespy_ml.live import Watcher

FEWEST, FOCUS = 3, 0.4  # particles that make an image worth classifying, and the focus that it must have


def advise(row):
    """What to do next, from the row of an image that is done."""
    if row["status"] != "done":
        return f"{row['image']}: look at it yourself: {row['reason']}"
    if row["focus"] is not None and row["focus"] < FOCUS:
        return f"{row['image']}: focus, then take it again ({row['focus_reason']})"
    if not row["particles"]:
        return f"{row['image']}: no particles here, move on"
    return f"{row['image']}: {row['particles']} particles, stay" if row["particles"] >= FEWEST else "few, move on"


def watch(folder, say=print, **settings):
    """Watch a folder; *settings* go to `particlespy_ml.live.Watcher`."""
    settings = {"condition": f"count >= {FEWEST} and focus > {FOCUS}", **settings}
    return Watcher(folder, signal_type="HAADF", hook=lambda row: say(advise(row)), say=say, **settings)


if __name__ == "__main__":
    watch(sys.argv[1], port=8765).run()
