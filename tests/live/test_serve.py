"""The page over HTTP, and images that are sent to it."""

from __future__ import annotations

import io
import json
import threading
import urllib.error
import urllib.request
from html.parser import HTMLParser

import numpy as np
import pytest

from particlespy_ml.live.serve import PageServer
from tests.live.conftest import TWO

BYTES = {"Content-Type": "application/octet-stream"}


def ask(address, data=None, headers=BYTES):
    request = urllib.request.Request(address, data=data, headers={} if data is None else headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def packed(array):
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


class Page(HTMLParser):
    """Which tags are open at the end, what stands in cells, and what a page loads."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.cells, self.loads, self.metas = [], set(), [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids.add(values.get("id"))
        self.loads += [values[key] for key in ("src", "href") if key in values]
        if tag == "meta":
            self.metas.append(values)
        if tag not in ("meta", "img", "rect", "line"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("rect", "line"):
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "td":
            self.cells.append(data)


def test_the_page_of_a_watch(save, watching, shift, tmp_path):
    save("a & b.hspy", TWO)
    watcher = watching(port=0, pictures=True)
    runner = threading.Thread(target=watcher.run, kwargs={"seconds": 60})
    runner.start()
    status, answer = ask(f"{watcher.address}image?name=../live%20view&pixel_size=0.04", packed(shift))
    row = json.loads(answer)
    assert status == 200 and row["count"] == 1 and row["focus"] > 0.3 and (tmp_path / row["file"]).is_file()
    assert row["file"] == "live_view.hspy"
    while not watcher.is_idle or len(watcher.rows) < 2:
        threading.Event().wait(0.02)
    status, text = ask(watcher.address)
    page = Page(text.decode())
    assert status == 200 and page.open == [] and {"state", "sizes", "images"} <= page.ids
    assert {"a & b", "live_view", "done"} <= set(page.cells)
    assert {"http-equiv": "refresh", "content": "2"} in page.metas
    assert len(page.loads) == 1  # the last picture, and nothing of other machines
    status, picture = ask(watcher.address + page.loads[0])
    assert status == 200 and picture.startswith(b"\x89PNG")
    assert {row["image"] for row in json.loads(ask(watcher.address + "rows.json")[1])} == {"a & b", "live_view"}
    for path in ("settings.json", "..%2Fa%20%26%20b.hspy", "ledger.jsonl", "none.png", "../../etc/passwd"):
        assert ask(watcher.address + path)[0] == 404
    watcher.stop()
    runner.join()


@pytest.fixture(scope="module")
def server():
    made = PageServer(lambda: "page", list, lambda name: None, lambda array, name, size: {"shape": array.shape})
    yield made
    made.close()


def test_what_is_refused(server):
    image = packed(np.ones((4, 5)))
    assert ask(server.address + "image", image)[0] == 200
    assert ask(server.address + "image", image, {"Content-Type": "text/plain"})[0] == 403
    assert ask(server.address + "image", image, {**BYTES, "Host": "evil.example"})[0] == 403
    assert ask(server.address + "other", image)[0] == 404
    assert ask(server.address + "image?pixel_size=-1", image)[0] == 400
    for wrong in (b"nothing", packed(np.ones(3)), packed(np.ones((2, 2), complex))):
        assert ask(server.address + "image", wrong)[0] == 400
    objects = io.BytesIO()
    np.save(objects, np.array([[{}]], dtype=object), allow_pickle=True)
    assert ask(server.address + "image", objects.getvalue())[0] == 400
    request = urllib.request.Request(server.address, headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request, timeout=5)


def test_a_port_that_is_taken(server):
    port = int(server.address.rsplit(":", 1)[1].strip("/"))
    other = PageServer(lambda: "other", list, lambda name: None, lambda *one: {}, port)
    assert other.address != server.address and ask(other.address)[1] == b"other"
    other.close()
