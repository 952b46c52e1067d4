"""What a door shows while nobody is behind it: for people a page that looks again by itself, for programs a sentence."""

from __future__ import annotations

from html import escape
from typing import Any

from starlette.responses import HTMLResponse, PlainTextResponse, Response

AGAIN = 1  # seconds

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">{refresh}<title>{title}</title>
<style nonce="{nonce}">
:root {{ color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }}
body {{ display: grid; place-content: center; min-height: 100vh; margin: 0; text-align: center; color: GrayText; }}
h1 {{ font-size: 1.1rem; font-weight: 600; color: CanvasText; margin: 0 0 .3rem; }}
p {{ margin: 0; max-width: 34rem; padding: 0 1rem; }}
i {{ display: block; width: 1.6rem; height: 1.6rem; margin: 0 auto 1.2rem; border: 2px solid currentColor;
     border-top-color: transparent; border-radius: 50%; animation: turn 1s linear infinite; opacity: .5; }}
@keyframes turn {{ to {{ transform: rotate(1turn); }} }}
@media (prefers-reduced-motion: reduce) {{ i {{ animation: none; }} }}
</style></head><body><main>{spinner}<h1>{title}</h1><p>{sentence}</p></main></body></html>
"""


def waiting(scope: Any, title: str, sentence: str, *, again: bool = True, status: int = 503) -> Response:
    """The answer for now; with `again` a browser asks anew after a second."""
    headers = {"cache-control": "no-store"}
    if again:
        headers["retry-after"] = str(AGAIN)
    accepted = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    if b"text/html" not in accepted:
        return PlainTextResponse(f"{title}: {sentence}\n", status, headers)
    nonce = "door"
    headers["content-security-policy"] = f"default-src 'none'; style-src 'nonce-{nonce}'"
    text = PAGE.format(
        refresh=f'<meta http-equiv="refresh" content="{AGAIN}">' if again else "",
        spinner="<i></i>" if again else "",
        nonce=nonce,
        title=escape(title),
        sentence=escape(sentence),
    )
    return HTMLResponse(text, status, headers)
