"""The page's own files and what introduces them; what people see of it is in tests/browser."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import pytest

from lightning_apps.model.info import AppInfo
from lightning_apps.web.page import FILES, page

APP = """
import lightning as L
from lightning.app.frontend import StaticWebFrontend


class Site(L.LightningFlow):
    def configure_layout(self):
        return StaticWebFrontend("site")


class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.site = Site()

    def run(self):
        pass


app = L.LightningApp(Root())
"""


def test_without_an_introduction_the_page_has_the_roots_name() -> None:
    text = page(None, "Root")

    assert "<title>Root</title>" in text
    assert 'href="static/icon.svg"' in text
    assert "$" not in text


def test_what_introduces_an_app_is_text_and_only_its_tags_are_html() -> None:
    info = AppInfo(
        title="<b> & $title", description='say "hi"', image="https://a/b.png?c&d", favicon="https://a/i.ico",
        meta_tags=["<meta name='x' content='$y'>"],
    )  # fmt: skip

    text = page(info, "Root")

    assert "<title>&lt;b&gt; &amp; $title</title>" in text
    assert '<meta name="description" content="say &quot;hi&quot;">' in text
    assert '<meta property="og:image" content="https://a/b.png?c&amp;d">' in text
    assert '<link rel="icon" href="https://a/i.ico">' in text
    assert "<meta name='x' content='$y'>" in text


@pytest.mark.parametrize("name", sorted(os.listdir(FILES)))
def test_its_files_name_nothing_by_an_absolute_path_and_nothing_elsewhere(name: str) -> None:
    with open(os.path.join(FILES, name)) as file:
        text = file.read()

    assert not re.search(r"""(?:src|href)=["'](?:/|https?:)""", text)
    assert not re.search(r"""(?:from|fetch\(|URL\()\s*["']/""", text)
    assert set(re.findall(r"https?://[\w.]+", text)) <= {"http://www.w3.org"}


@pytest.mark.slow
def test_the_page_and_its_files_are_served_with_relative_addresses(serve: Callable[..., Any]) -> None:
    app = serve(APP)

    view = app.http.get("/view")
    assert view.status_code == 200
    assert "script-src 'self';" in view.headers["content-security-policy"]
    for address in re.findall(r'(?:src|href)="([^"]+)"', view.text.split("<body>")[0]):
        assert app.http.get(f"/{address}").status_code == 200, address
    assert app.http.get("/static/page.js").headers["content-type"].startswith("text/javascript")
    assert app.http.get("/static/..%2fpage.py").status_code == 404
    for path, there in [("/", "view"), ("/view/Home", "../view#Home"), ("/view/a/b c", "../../view#a/b%20c")]:
        assert app.http.get(path).headers["location"] == there
    door = app.get("/api/v1/doors")["doors"]["f/root.site"]
    assert door == {"ready": True, "waits": "", "failed": False, "url": ""}
