"""Frontends in running apps: started when shown, behind their door, started again, ended with the app."""

from __future__ import annotations

import http.client
import os
import re
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest

Eventually = Callable[..., Any]

APP = """
import os, sys, time
import lightning as L
from lightning.app.frontend import AsgiFrontend, Frontend, StaticWebFrontend, WsgiFrontend


async def asgi(scope, receive, send):
    if scope["path"].endswith("/die"):
        os._exit(3)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"{os.getpid()} {scope['root_path']} {scope['path']}".encode()})


class Asgi(L.LightningFlow):
    def configure_layout(self):
        return AsgiFrontend(asgi)


class Closed(L.LightningFlow):
    def configure_layout(self):
        secret = "kept in a closure"

        def app(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [f"{secret} {environ['SCRIPT_NAME']} {environ['PATH_INFO']}".encode()]

        return WsgiFrontend(app)


class Own(Frontend):
    def start_server(self, host, port):
        import http.server, threading

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if self.path.startswith("/root.own") else 404)
                self.end_headers()
                self.wfile.write(self.path.encode())

            def log_message(self, *args): pass

        self.server = http.server.HTTPServer((host, port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop_server(self):
        print("its own stop", self.flow.name, flush=True)
        self.server.shutdown()


class OwnFlow(L.LightningFlow):
    def configure_layout(self):
        return Own()


class Site(L.LightningFlow):
    def configure_layout(self):
        return StaticWebFrontend("site")


class Serve(L.LightningWork):
    def run(self):
        import http.server

        http.server.HTTPServer((self.host, self.port), http.server.SimpleHTTPRequestHandler).serve_forever()


class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.asgi, self.closed, self.own, self.site = Asgi(), Closed(), OwnFlow(), Site()
        self.serve = Serve(parallel=True)

    def run(self):
        self.serve.run()
        if self.serve.url:
            print("URL", self.serve.url, flush=True)

    def configure_layout(self):
        return [{"name": name, "content": getattr(self, name)} for name in WORDS.split()]


app = L.LightningApp(Root())
"""


class Running:
    """An app that runs, and how to ask it."""

    def __init__(
        self, command_line: Any, eventually: Eventually, words: str, *options: str, env: dict[str, str] | None = None
    ) -> None:
        (command_line.folder / "site").mkdir(exist_ok=True)
        (command_line.folder / "site" / "index.html").write_text("the site")
        app = command_line.app(APP.replace("WORDS", repr(words)))
        self.eventually = eventually
        self.process = command_line.start("run", "app", app, "--open-ui", "false", "--port", "0", *options, env=env)
        self.process.wait_for("/view", stream="stderr")
        found = re.search(r"http://127\.0\.0\.1:(\d+)/view", self.process.stderr)
        assert found is not None, self.process.report()
        self.port = int(found[1])

    def ask(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def shown(self, path: str) -> str:
        """What is there, as soon as it is."""
        return str(
            self.eventually(lambda: (found := self.ask(path))[0] == 200 and found[1], 30, what=self.process.report)
        )

    def end(self) -> None:
        self.process.signal(signal.SIGTERM)
        assert self.process.wait() == 143
        self.process.assert_nothing_left()


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--engine", "inline")])
def test_everything_that_is_shown_is_behind_its_door_and_ends_with_the_app(
    command_line: Any, eventually: Eventually, options: tuple[str, ...]
) -> None:
    words = "asgi own site" if options else "asgi closed own site serve"
    app = Running(command_line, eventually, words, *options)

    assert app.shown("/f/root.asgi/x").endswith(" /f/root.asgi /f/root.asgi/x")
    assert app.shown("/f/root.own/y") == "/root.own/y"
    assert app.shown("/f/root.site/") == "the site"
    if not options:
        assert app.shown("/f/root.closed/z") == "kept in a closure /f/root.closed /z"
        assert "index.html" in app.shown("/w/root.serve/site/") or "the site" in app.shown("/w/root.serve/site/")
        app.process.wait_for("URL http://127.0.0.1:")
    assert app.ask("/f/root.nobody/")[0] == 404
    app.end()
    assert "its own stop root.own" in app.process.stdout


@pytest.mark.slow
def test_what_nobody_shows_is_not_started(command_line: Any, eventually: Eventually) -> None:
    app = Running(command_line, eventually, "site")

    assert app.shown("/f/root.site/") == "the site"
    assert app.ask("/f/root.asgi/")[0] == 404
    app.end()


@pytest.mark.slow
def test_one_that_ends_is_started_again_and_says_so(command_line: Any, eventually: Eventually) -> None:
    app = Running(command_line, eventually, "asgi")
    first = app.shown("/f/root.asgi/").split()[0]

    assert app.ask("/f/root.asgi/die")[0] in (502, 503)
    status, said = eventually(lambda: (found := app.ask("/f/root.asgi/"))[1].count("ended") and found, 10)
    second = app.shown("/f/root.asgi/").split()[0]

    assert (status, "exit code 3; it is started again in 0.5 s" in said) == (503, True)
    assert first != second
    app.end()


@pytest.mark.slow
def test_a_host_that_is_killed_takes_its_frontends_with_it_and_the_next_one_shows_them_again(
    command_line: Any, eventually: Eventually
) -> None:
    app = Running(command_line, eventually, "asgi own")
    first = app.shown("/f/root.asgi/").split()[0]
    app.shown("/f/root.own/")
    entry = next((command_line.folder / ".lightning-runs").glob("*/host.json"), None) or next(
        command_line.folder.rglob("host.json")
    )
    pid = int(re.findall(r'"pid":(\d+)', entry.read_text())[0])

    os.kill(pid, signal.SIGKILL)

    def again() -> bool:
        try:
            return app.ask("/f/root.asgi/")[1].split()[0] not in (first, "root.asgi:")
        except (OSError, http.client.HTTPException, IndexError):
            return False

    eventually(again, 30, what=app.process.report)
    assert first not in map(str, app.process.living())
    app.end()


@pytest.mark.slow
def test_fresh_interpreters_serve_what_they_find_or_make_again(command_line: Any, eventually: Eventually) -> None:
    app = Running(command_line, eventually, "asgi closed own", env={"LIGHTNING_PORTABLE": "true"})

    assert app.shown("/f/root.asgi/x").endswith(" /f/root.asgi /f/root.asgi/x")
    assert app.shown("/f/root.closed/z") == "kept in a closure /f/root.closed /z"
    assert app.shown("/f/root.own/y") == "/root.own/y"
    app.end()


@pytest.mark.slow
def test_an_app_that_is_run_from_python_shows_its_frontends_too(command_line: Any, eventually: Eventually) -> None:
    text = (
        APP.replace("WORDS", repr("asgi closed"))
        + "\nif __name__ == '__main__':\n    sys.exit(app.run(port=0, open_ui=False))\n"
    )
    process = command_line.execute([sys.executable, str(command_line.app(text))])
    process.wait_for("/view", stream="stderr")
    app = Running.__new__(Running)
    app.process, app.eventually = process, eventually
    app.port = int(re.findall(r":(\d+)/view", process.stderr)[0])

    assert app.shown("/f/root.asgi/x").endswith(" /f/root.asgi /f/root.asgi/x")
    assert app.shown("/f/root.closed/z") == "kept in a closure /f/root.closed /z"
    app.end()


@pytest.mark.slow
def test_what_is_not_installed_is_said_where_it_would_be_shown(command_line: Any, eventually: Eventually) -> None:
    needy = "class Needy(AsgiFrontend):\n    needs = ('surely_not_installed',)\n\n\nclass Asgi("
    text = APP.replace("class Asgi(", needy).replace("return AsgiFrontend(asgi)", "return Needy(asgi)")
    app = Running.__new__(Running)
    app.process = command_line.start(
        "run", "app", command_line.app(text.replace("WORDS", repr("asgi"))), "--open-ui", "false", "--port", "0"
    )
    app.process.wait_for("/view", stream="stderr")
    app.port = int(re.findall(r":(\d+)/view", app.process.stderr)[0])

    assert eventually(lambda: "pip install surely_not_installed" in app.ask("/f/root.asgi/")[1])
    assert app.process.stderr.count("pip install surely_not_installed") == 1
    app.end()
