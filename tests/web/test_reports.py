"""What an app is made of and how it is, what its works print, files that are sent, numbers, and its description of itself."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.web.bodies import BadBody
from lightning_apps.web.logs import LogReader
from lightning_apps.web.multipart import NotMultipart, Reader, boundary_of
from lightning_apps.web.uploads import checked

APP = '''
import lightning as L
from lightning_app.storage import Drive

class Work(L.LightningWork):
    """Prints."""
    def __init__(self):
        super().__init__(parallel=True, cloud_compute=L.CloudCompute("gpu", disk_size=7))
        self.drive, self.found = Drive("lit://uploaded_files"), []

    def run(self, n):
        print(f"line {n}", flush=True)
        import sys
        print("error", file=sys.stderr, flush=True)
        self.found = self.drive.list()

class Child(L.LightningFlow):
    def run(self):
        pass

    def configure_layout(self):
        return {"name": "docs", "content": "https://example.com/docs"}

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.w, self.child, self.n = Work(), Child(), 1

    def run(self):
        self.w.run(self.n)

    def configure_layout(self):
        return [{"name": "a", "content": self.child}, {"name": "b", "content": "http://example.com/x"}]

app = L.LightningApp(Root())
'''


@pytest.fixture
def app(serve: Any, tmp_path: Path) -> Any:
    (tmp_path / "lightning-annotations.json").write_text('[{"a": 1}]')
    app = serve(APP)
    app.until(lambda state: app.get("/api/v1/status")["work_statuses"]["root.w"]["stage"] == "succeeded")
    return app


def test_the_older_reports_have_their_older_shapes(app: Any) -> None:
    layout = json.loads(app.get("/api/v1/layout"))
    assert [(entry["name"], entry["content"]) for entry in layout] == [
        ("a", "root.child"),
        ("b", "http://example.com/x"),
    ]
    spec = {each["cls_name"]: each for each in app.get("/api/v1/spec")}
    assert spec["Work"]["affiliation"] == ["root", "w"] and spec["Work"]["docstring"] == "Prints."
    assert spec["Work"]["cloud_compute"]["disk_size"] == 7
    status = app.get("/api/v1/status")
    assert status["is_ui_ready"] is True and list(status["work_statuses"]) == ["root.w"]
    assert app.get("/api/v1/annotations") == [{"a": 1}]


def test_what_works_print_is_read_from_any_position(app: Any) -> None:
    text = app.http.get("/api/v1/logs", params={"follow": "false"}).text
    events = re.findall(r"id: (.*)\ndata: (.*)\n\n", text)
    assert {json.loads(data)["line"] for _, data in events} == {"line 1", "error"}

    app.http.patch("/api/v1/state", json=[{"op": "replace", "path": "/vars/n", "value": 2}])
    with app.http.stream("GET", "/api/v1/logs", params={"component": "root.w", "from": events[-1][0]}) as answer:
        data = next(line for line in answer.iter_lines() if line.startswith("data:"))
    assert json.loads(data[5:]) == {"component": "root.w", "stream": "out", "line": "line 2"}
    assert app.http.get("/api/v1/logs", params={"component": "../secret"}).status_code == 404


@pytest.mark.parametrize("form", [True, False])
def test_a_file_that_is_sent_is_found_by_works(app: Any, form: bool) -> None:
    content = os.urandom(300_000)
    body: dict[str, Any] = {"files": {"other": b"x", "uploaded_file": ("x", content)}} if form else {"content": content}

    answer = app.http.put("/api/v1/upload_file/data.bin", **body)

    assert (answer.status_code, answer.json()) == (200, "Successfully uploaded 'data.bin' to the Drive")
    app.http.patch("/api/v1/state", json=[{"op": "replace", "path": "/vars/n", "value": 3}])
    app.until(lambda state: state["works"]["w"]["vars"]["found"] == ["data.bin"])
    (kept,) = list(Path(app.process._out.parent).rglob("data.bin"))
    assert kept.read_bytes() == content


@pytest.mark.parametrize("name", ["..%2f..%2fevil", "%2fetc%2fpasswd", "a%00b", "..", ".hidden", "a%5cb", "x" * 300])
def test_a_file_cannot_leave_its_folder_by_its_name(app: Any, name: str) -> None:
    assert app.http.put(f"/api/v1/upload_file/{name}", content=b"x").status_code in (404, 405, 422)
    assert not list(Path(app.process._out.parent).rglob("*evil*"))


def test_a_form_without_the_file_and_one_too_long_are_refused(serve: Any) -> None:
    app = serve(APP, env={"LIGHTNING_UPLOAD_BYTES": "1000"})

    assert app.http.put("/api/v1/upload_file/a", files={"other": b"x"}).status_code == 422
    assert app.http.put("/api/v1/upload_file/a", content=b"x" * 1001).status_code == 413
    assert app.http.put("/api/v1/upload_file/a", files={"uploaded_file": b"x" * 1001}).status_code == 413
    assert not list(Path(app.process._out.parent).rglob("upload-*"))


def test_numbers_for_prometheus(app: Any) -> None:
    answer = app.http.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'lightning_works{stage="succeeded"} 1' in answer.text
    for line in answer.text.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) .+|[a-z_]+(\{[a-z]+=\"[^\"]*\"\})? [0-9.e+-]+", line), line


def test_the_description_names_what_is_served_and_the_page_needs_nothing_from_elsewhere(app: Any) -> None:
    paths = app.get("/openapi.json")["paths"]
    assert {"/api/v1/state", "/api/v1/delta", "/healthz", "/api/v1/upload_file/{filename}"} <= set(paths)

    page = app.http.get("/docs")
    found = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert found and not any("//" in link for link in found)
    assert all(app.http.get(f"/{link}").status_code == 200 for link in found)
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert app.http.get("/docs/../secret").status_code == 404 and app.http.get("/docs/docs.html").status_code == 404


def test_whoever_operates_an_app_gets_links_for_others(serve: Any) -> None:
    app = serve(APP, "--host", "0.0.0.0")
    operator = {"Authorization": "Bearer " + re.findall(r"token=(\S+)", app.process.stderr)[0]}

    link = app.http.get("/api/v1/share", headers=operator).json()["url"]
    viewer = {"Authorization": f"Bearer {link.partition('token=')[2]}"}
    assert app.http.get("/api/v1/state", headers=viewer).status_code == 200
    assert app.http.get("/api/v1/share", headers=viewer).status_code == 403
    assert app.http.post("/api/v1/delta", headers=viewer, json={"delta": {}}).status_code == 403


# pure parts -----------------------------------------------------------------------------------------------------------


@given(st.text())
def test_a_name_that_is_taken_is_one_file_in_one_folder(name: str) -> None:
    try:
        fine = checked(name)
    except BadBody:
        return
    assert os.path.normpath(os.path.join("/folder", fine)) == f"/folder/{fine}" and "/" not in fine and "\0" not in fine


def body_of(fields: list[tuple[str, bytes]]) -> bytes:
    parts = [
        b'--B\r\nContent-Disposition: form-data; name="%b"; filename="f"\r\nX: y\r\n\r\n%b\r\n' % (n.encode(), c)
        for n, c in fields
    ]
    return b"preamble\r\n" + b"".join(parts) + b"--B--\r\nepilogue"


content = st.binary(max_size=40) | st.sampled_from([b"\r\n--", b"\r\n--C", b"--B", b"\r\n", b"", b"-", b"\r\n--b\r\n"])


@given(content, st.lists(content, max_size=2), st.lists(content, max_size=2), st.integers(1, 30))
def test_a_field_of_a_form_comes_out_however_the_form_is_cut(wanted: bytes, before: Any, after: Any, size: int) -> None:
    data = body_of([*(("other", c) for c in before), ("file", wanted), *(("file2", c) for c in after)])
    reader = Reader(boundary_of("multipart/form-data; boundary=B"), "file")

    found = b"".join(reader.feed(data[at : at + size]) for at in range(0, len(data), size))
    reader.close()

    assert found == wanted


def test_a_form_that_breaks_off_or_names_no_boundary_is_none() -> None:
    reader = Reader(b"B", "file")
    reader.feed(body_of([("file", b"abc")])[:-15])
    with pytest.raises(NotMultipart, match="all of"):
        reader.close()
    with pytest.raises(NotMultipart):
        Reader(b"B", "file").close()
    with pytest.raises(NotMultipart):
        boundary_of("multipart/form-data")
    with pytest.raises(NotMultipart):
        Reader(b"B", "file").feed(b"--B\r\n" + b"x" * (20 << 10))


def test_lines_are_told_whole_once_and_from_where_a_reader_was(tmp_path: Path) -> None:
    path = tmp_path / "root.w.out"
    path.write_bytes(b"one\ntwo\nthr")
    reader = LogReader(str(tmp_path), ["root.w", "root.none"])

    assert [json.loads(e.split(b"data: ")[1])["line"] for e in reader.read()] == ["one", "two"]
    assert reader.read() == []
    other = LogReader(str(tmp_path), ["root.w"])
    other.go_to(reader.position)
    path.write_bytes(b"one\ntwo\nthree\n50%\r100%\n")
    assert [json.loads(e.split(b"data: ")[1])["line"] for e in other.read()] == ["three", "100%"]
    other.go_back(10)
    assert [json.loads(e.split(b"data: ")[1])["line"] for e in other.read()] == ["100%"]
    other.go_to("nonsense,root.w.out:x,root.w.out:-1,other.out:5")
