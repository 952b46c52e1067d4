"""Servers that strangers can reach: tokens, cookies, HTTPS and proxies, with real apps."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

APP = """
import lightning as L

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.n = 0

    def run(self):
        pass

app = L.LightningApp(Root())
"""
BROWSER = {
    "Accept": "text/html,*/*",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "cross-site",
}


def links(app: Any) -> tuple[str, str]:
    """The tokens that were printed: to operate, to view."""
    found = list(dict.fromkeys(re.findall(r"token=(\S+)", app.process.stderr)))
    assert len(found) == 2
    return found[0], found[1]


def test_beyond_this_machine_a_token_is_made_printed_and_asked_for(serve: Any) -> None:
    app = serve(APP, "--host", "0.0.0.0")
    operator, viewer = links(app)
    assert re.search(rf"From other machines: http://\S+:\d+/view\?token={operator}\n", app.process.stderr)
    patch = [{"op": "replace", "path": "/vars/n", "value": 1}]

    assert app.http.get("/api/v1/state").status_code == 401
    assert app.http.get("/api/v1/state", headers={"Authorization": "Bearer wrong"}).status_code == 401
    as_viewer, as_operator = ({"Authorization": f"Bearer {token}"} for token in (viewer, operator))
    assert app.http.get("/api/v1/state", headers=as_viewer).json()["vars"]["n"] == 0
    assert app.http.patch("/api/v1/state", json=patch, headers=as_viewer).status_code == 403
    assert app.http.patch("/api/v1/state", json=patch, headers=as_operator).status_code == 200
    ws = app.address.replace("http", "ws") + "/api/v1/stream"
    with pytest.raises(InvalidStatus), connect(ws) as socket:
        socket.recv()
    with connect(ws, additional_headers=as_viewer) as socket:
        assert '"n":1' in socket.recv()


SHOWS = """
import lightning as L
from lightning.app.frontend import AsgiFrontend, StaticWebFrontend

async def page(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"the tool itself"})

async def board(scope, receive, send):
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return await send({"type": "websocket.send", "text": "live"})
    said = dict(scope["headers"])[b"x-lightning-scope"] + b" " + scope["method"].encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": said})

class Part(L.LightningFlow):
    def __init__(self, frontend):
        super().__init__()
        self._frontend = frontend

    def configure_layout(self):
        return self._frontend

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.report, self.tool = Part(StaticWebFrontend("report")), Part(AsgiFrontend(page))
        self.board = Part(AsgiFrontend(board).for_viewers())

    def run(self):
        pass

    def configure_layout(self):
        return [{"name": name, "content": getattr(self, name)} for name in ("report", "tool", "board")]

app = L.LightningApp(Root())
"""


def test_a_viewer_reads_folders_that_are_shown_and_enters_what_runs_only_where_its_author_says_so(
    serve: Any, tmp_path: Path, eventually: Any
) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "index.html").write_text("figures")
    app = serve(SHOWS, "--host", "0.0.0.0")
    as_operator, as_viewer = ({"Authorization": f"Bearer {token}"} for token in links(app))
    eventually(lambda: app.http.get("/f/root.tool/", headers=as_operator).text == "the tool itself", 20)

    assert app.http.get("/f/root.report/", headers=as_viewer).text == "figures"
    assert app.http.post("/f/root.report/", headers=as_viewer).status_code == 403
    for path in (
        "/f/root.tool/",
        "/f/root.tool",
        "/f/root.report/..%2froot.tool/",
        "/f/root%2etool/",
        "/f//root.tool/",
    ):
        answer = app.http.get(path, headers=as_viewer)
        assert answer.status_code in (403, 404) and "the tool itself" not in answer.text
    assert "can do more than show" in app.http.get("/f/root.tool/", headers=as_viewer).text
    assert app.http.post("/f/root.tool/", headers=as_viewer).status_code == 403
    assert app.http.get("/f/root.report/").status_code == 401
    ws = app.address.replace("http", "ws")
    for path in ("/f/root.tool/", "/f/root.report/", "/w/root.tool/"):
        with (
            pytest.raises((InvalidStatus, ConnectionClosed)),
            connect(ws + path, additional_headers=as_viewer) as socket,
        ):
            socket.recv()
    eventually(lambda: app.http.get("/f/root.board/", headers=as_viewer).status_code == 200, 20)
    forged = {**as_viewer, "X-Lightning-Scope": "operator"}
    assert app.http.post("/f/root.board/", headers=forged).text == "viewer POST"
    assert app.http.get("/f/root.board/", headers=as_operator).text == "operator GET"
    with connect(f"{ws}/f/root.board/", additional_headers=as_viewer) as socket:
        assert socket.recv() == "live"


def test_one_visit_with_the_token_lets_a_browser_in_by_a_cookie(serve: Any) -> None:
    app = serve(APP, "--host", "0.0.0.0")
    operator, _ = links(app)

    refused = app.http.get("/api/v1/state", headers=BROWSER)
    assert refused.status_code == 401 and refused.headers["content-type"].startswith("text/html")
    answer = app.http.get(f"/api/v1/state?a=1&token={operator}", headers=BROWSER)

    cookie = answer.headers["set-cookie"]
    assert answer.status_code == 200 and "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
    assert 'url=/api/v1/state?a=1"' in answer.text and operator not in answer.text
    state = app.http.get("/api/v1/state", headers={"Sec-Fetch-Site": "same-origin"}).json()
    assert state["vars"] == {"_layout": [], "_paths": {}, "n": 0}  # fmt: skip
    foreign = {"Origin": "http://evil.example", "Content-Type": "text/plain"}
    assert app.http.post("/api/v1/delta", content="{}", headers=foreign).status_code == 403


def test_a_token_can_be_given_and_survives_in_no_list_of_processes(serve: Any, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-token-of-mine-123\n")
    app = serve(APP, "--host", "0.0.0.0", "--token-file", str(tmp_path / "token"))

    assert links(app)[0] == "a-token-of-mine-123"
    assert app.http.get("/healthz", headers={"Authorization": "Bearer a-token-of-mine-123"}).status_code == 200
    assert not any("a-token-of-mine-123" in command for command in app.process.living().values())


@pytest.mark.parametrize(("content", "says"), [("short", "16"), ("", "empty"), ("with spaces in it all", "spaces")])
def test_a_token_that_is_none_is_refused_before_anything_starts(
    command_line: Any, tmp_path: Path, content: str, says: str
) -> None:
    (tmp_path / "token").write_text(content)

    run = command_line.run("run", "app", command_line.app(APP), "--port", "0", "--token-file", str(tmp_path / "token"))

    assert run.process.returncode == 1 and says in run.stderr and "Traceback" not in run.stderr


def test_a_password_is_asked_for(serve: Any) -> None:
    app = serve(APP, "--enable-basic-auth", "me:pass:word")

    assert app.http.get("/healthz").headers["www-authenticate"].startswith("Basic")
    assert app.http.get("/healthz", auth=("me", "pass:word")).status_code == 200
    assert app.http.get("/healthz", auth=("me", "password")).status_code == 401


def test_a_proxy_may_show_it_under_another_name_and_prefix(serve: Any) -> None:
    app = serve(APP, "--allow-host", "apps.example.com:8443", "--root-path", "/one/")
    token = links(app)[0]
    operator = {"Authorization": f"Bearer {token}"}
    through = {"Host": "apps.example.com:8443", "X-Forwarded-Proto": "https"}

    assert app.http.get("/healthz").status_code == 401  # a proxy need not say that it is one
    assert app.http.get("/healthz", headers=operator).status_code == 200
    assert app.http.get("/one/healthz", headers=operator).status_code == 200
    assert app.http.get("/healthz", headers=through).status_code == 401
    assert app.http.get("/healthz", headers={**operator, "Host": "others.example.com"}).status_code == 421
    shared = app.http.get("/api/v1/share?scope=operator", headers={**operator, **through}).json()["url"]
    assert shared == f"https://apps.example.com:8443/one/view?token={token}"
    assert f"proxy in front of it: {shared.removeprefix('https://')}\n" in app.process.stderr


OWN = """
import lightning as L
from lightning.app.utilities.state import AppState

class Work(L.LightningWork):
    def run(self):
        state = AppState(my_affiliation=())
        state.n = state.n + 4

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.n, self.work = 1, Work(parallel=True)

    def run(self):
        self.work.run()

    async def hello(self, name: str):
        import asyncio
        return f"{name} {self.n}"

    def configure_commands(self):
        return [{"hello": self.hello}]

app = L.LightningApp(Root())
"""


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", key, "-out", cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return str(cert), str(key)


def test_https(serve: Any, certificate: tuple[str, str]) -> None:
    cert, key = certificate
    app = serve(APP, "--tls-cert", cert, "--tls-key", key)

    assert app.address.startswith("https://")
    trusting = ssl.create_default_context(cafile=cert)
    assert httpx.get(f"{app.address}/healthz", verify=trusting).json() == {"status": "ok"}
    with connect(app.address.replace("https", "wss") + "/api/v1/stream", ssl=trusting) as socket:
        assert "snapshot" in socket.recv()


def test_works_and_ones_own_terminal_enter_with_their_tokens_over_https(
    serve: Any, command_line: Any, eventually: Any, certificate: tuple[str, str]
) -> None:
    cert, key = certificate
    home = {"LIGHTNING_HOME": str(command_line.folder / "home"), "LIGHTNING_RUN_DIR": str(command_line.folder / "runs")}

    serve(OWN, "--host", "0.0.0.0", "--tls-cert", cert, "--tls-key", key, env=home)

    assert command_line.run("connect", "localhost", env=home).process.returncode == 0
    eventually(lambda: command_line.run("hello", "--name", "x", env=home).stdout == "x 5\n", 20)


def test_a_certificate_without_its_key_is_refused(command_line: Any, certificate: tuple[str, str]) -> None:
    for options in (["--tls-cert", certificate[0]], ["--tls-cert", certificate[1], "--tls-key", certificate[1]]):
        run = command_line.run("run", "app", command_line.app(APP), "--port", "0", *options)

        assert run.process.returncode == 1 and "--tls-cert" in run.stderr and "Traceback" not in run.stderr
