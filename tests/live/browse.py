"""Shows a page in Chromium, without a window, and prints as JSON what it holds each time that it was loaded.

python browse.py ADDRESS SECONDS
"""

from __future__ import annotations

import json
import os
import sys

os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["QTWEBENGINE_CHROMIUM_FLAGS"] = "--no-sandbox --disable-gpu --no-zygote --single-process"

from PyQt5.QtCore import QTimer, QUrl  # noqa: E402 - after the settings that it reads
from PyQt5.QtWebEngineWidgets import QWebEnginePage  # noqa: E402
from PyQt5.QtWidgets import QApplication  # noqa: E402

SEEN = """
({
  names: [...document.querySelectorAll("#images tbody td:first-child")].map(cell => cell.textContent),
  bars: document.querySelectorAll("#sizes .bar").length,
  pictures: [...document.images].map(image => [image.alt, image.naturalWidth]),
  fetched: performance.getEntriesByType("resource").map(entry => entry.name),
})
"""


def main() -> None:
    application = QApplication(sys.argv[:1])
    page = QWebEnginePage()
    page.loadFinished.connect(lambda whole: page.runJavaScript(SEEN, lambda seen: say(whole, seen)))
    page.load(QUrl(sys.argv[1]))  # once
    QTimer.singleShot(int(1000 * float(sys.argv[2])), application.quit)
    application.exec_()
    os._exit(0)  # the engine's own threads need not end in order


def say(whole: bool, seen: dict) -> None:
    print(json.dumps({"whole": whole, **(seen or {})}), flush=True)


if __name__ == "__main__":
    main()
