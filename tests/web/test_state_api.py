"""Reading and changing the state of real apps over HTTP."""

from __future__ import annotations

import concurrent.futures
from typing import Any

import pytest

APP = """
import enum
import lightning as L

class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"

class Work(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.lr = 0.1

    def run(self):
        import time
        while self.lr < 1:
            time.sleep(0.01)

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.n, self.total, self.turns = 0, 0, 0
        self.colour, self.pair, self.items = Colour.RED, (1, 2), [1]
        self.w = Work()
        self.ended = False

    def run(self):
        self.w.run()
        self.ended = self.w.has_succeeded
        self.total = self.n * 2

app = L.LightningApp(Root())
"""


@pytest.fixture
def app(serve: Any) -> Any:
    app = serve(APP)
    app.until(lambda state: state["works"]["w"]["vars"]["_internal_ip"])
    return app


def test_a_patch_changes_flow_and_work_and_both_act_on_it(app: Any) -> None:
    patch = [
        {"op": "replace", "path": "/vars/n", "value": 4},
        {"op": "replace", "path": "/vars/colour", "value": "blue"},
        {"op": "add", "path": "/vars/items/-", "value": 2},
        {"op": "replace", "path": "/works/w/vars/lr", "value": 2},
    ]

    answer = app.http.patch("/api/v1/state", json=patch)

    assert answer.status_code == 200
    state = app.state()
    assert (state["vars"]["n"], state["vars"]["total"], state["vars"]["colour"]) == (4, 8, "blue")
    app.until(lambda state: state["vars"]["ended"])  # the work saw it while it ran


def test_a_patch_by_an_old_version_is_refused_and_one_by_the_present_is_not(app: Any) -> None:
    tag = app.http.get("/api/v1/state").headers["etag"]
    patch = [{"op": "replace", "path": "/vars/n", "value": 1}]

    first = app.http.patch("/api/v1/state", json=patch, headers={"If-Match": tag})
    second = app.http.patch("/api/v1/state", json=patch, headers={"If-Match": tag})
    third = app.http.patch("/api/v1/state", json=patch, headers={"If-Match": first.headers["etag"]})
    assert [first.status_code, second.status_code] == [200, 409]
    assert "root has changed" in second.json()["detail"]
    assert third.status_code in (200, 409)  # the flow itself may have written in between
    assert app.http.patch("/api/v1/state", json=patch, headers={"If-Match": '"7.1"'}).status_code == 409
    assert app.http.patch("/api/v1/state", json=patch, headers={"If-Match": "nonsense"}).status_code == 422
    assert app.http.patch("/api/v1/state", json=patch, headers={"If-Match": "*"}).status_code == 200


def test_of_many_who_count_up_by_versions_none_is_lost(app: Any) -> None:
    def count(_: int) -> int:
        tries = 0
        while True:
            tries += 1
            answer = app.http.get("/api/v1/state")
            patch = [{"op": "replace", "path": "/vars/n", "value": answer.json()["vars"]["n"] + 1}]
            headers = {"If-Match": answer.headers["etag"]}
            if app.http.patch("/api/v1/state", json=patch, headers=headers).status_code == 200:
                return tries

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        tries = list(pool.map(count, range(40)))

    assert app.state()["vars"]["n"] == 40
    assert len(tries) == 40


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"{", 422, "no JSON"),
        (b"{}", 422, "list"),
        (b'[{"op": "replace", "path": "/vars/none", "value": 1}]', 422, "none"),
        (b'[{"op": "replace", "path": "/vars/colour", "value": "green"}]', 422, "Colour"),
        (b'[{"op": "jump", "path": "/vars/n", "value": 1}]', 422, "jump"),
        (b'[{"op": "add", "path": "/vars/n"}]', 422, "value"),
        (b'[{"op": "test", "path": "/vars/pair", "value": [1, 3]}]', 409, "tested"),
        (b'[{"op": "copy", "path": "/vars/n", "from": 3}]', 422, "from"),
        (b"[" + b" " * (17 << 20) + b"]", 413, "longer"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(app: Any, body: bytes, status: int, says: str) -> None:
    answer = app.http.patch("/api/v1/state", content=body)

    assert answer.status_code == status
    assert says in answer.json()["detail"] and "Traceback" not in answer.text


def test_the_older_ways_of_changing_state_work(app: Any) -> None:
    headers = {"X-Lightning-Session-UUID": "a", "X-Lightning-Session-ID": "b", "X-Lightning-Type": "DEFAULT"}
    delta = {
        "values_changed": {"root['vars']['n']": {"new_value": 3}},
        "iterable_item_added": {"root['vars']['items'][1]": 5},
    }

    answer = app.http.post("/api/v1/delta", json={"delta": delta}, headers=headers)
    assert (answer.status_code, answer.json()) == (200, None)
    state = app.http.get("/api/v1/state", headers=headers).json()
    assert (state["vars"]["n"], state["vars"]["items"]) == (3, [1, 5])

    app.http.patch("/api/v1/state", json=[{"op": "replace", "path": "/vars/pair", "value": [7, 8]}])
    state["vars"]["n"] = 6  # of a state that was read before that patch
    assert app.http.post("/api/v1/state", json={"state": state}, headers=headers).json() is None
    assert (app.state()["vars"]["n"], app.state()["vars"]["pair"]) == (6, [7, 8])
    assert app.http.post("/api/v1/delta", json={"delta": {"values_changed": 3}}).status_code == 422
    assert app.http.post("/api/v1/state", json={"stage": "restarting"}).status_code == 422


def test_one_component_can_be_read_alone_and_only_when_it_changed(app: Any) -> None:
    answer = app.http.get("/api/v1/state/root.w")

    assert answer.json()["vars"]["lr"] == 0.1
    again = app.http.get("/api/v1/state/root.w", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    whole = app.http.get("/api/v1/state")
    assert app.http.get("/api/v1/state", headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert app.http.get("/api/v1/state/root.none").status_code == 404
    assert app.http.request("PROPFIND", "/api/v1/state").status_code == 405


def test_a_flow_that_is_held_back_begins_when_it_is_told_to(serve: Any) -> None:
    app = serve(APP, "--blocking", "true")
    assert app.state()["app_state"] == {"stage": "blocking"}
    app.http.patch("/api/v1/state", json=[{"op": "replace", "path": "/vars/n", "value": 4}])
    assert app.state()["vars"]["total"] == 0

    assert app.http.post("/api/v1/state", json={"stage": "running"}).status_code == 200

    app.until(lambda state: state["vars"]["total"] == 8 and state["app_state"]["stage"] == "running")
