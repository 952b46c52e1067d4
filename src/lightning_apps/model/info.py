"""How an app's page introduces itself.  Holds words only."""

from __future__ import annotations

import msgspec


class AppInfo(msgspec.Struct):
    """Title, icon and descriptions of an app's page.

    Attributes:
        title: what the browser shows on the tab.
        favicon: URL of the icon.
        description: one sentence for search engines.
        image: URL of a preview picture.
        meta_tags: more lines of HTML for the page's head.
        on_connect_end: what `lightning connect` prints when it is done.
    """

    title: str | None = None
    favicon: str | None = None
    description: str | None = None
    image: str | None = None
    meta_tags: list[str] | None = None
    on_connect_end: str | None = None
