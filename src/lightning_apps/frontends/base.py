"""What the shipped frontends share until they are served: what they need, and the sentences they answer with."""

from __future__ import annotations

from importlib.util import find_spec
from typing import ClassVar

from ..base.errors import LightningError, MissingExtra, WrongPlace
from ..model.layout import Frontend

__all__ = ["Frontend", "NotServed", "ShippedFrontend"]


class NotServed(LightningError, NotImplementedError):
    """This version collects frontends and does not serve them."""


class ShippedFrontend(Frontend):
    """A frontend that this framework will serve.

    Attributes:
        needs: the package that has to be installed to serve it; "" for none.
    """

    needs: ClassVar[str] = ""

    def start_server(self, host: str, port: int, root_path: str = "") -> None:
        """Not in this version.

        Raises:
            MissingExtra: the package it needs is not installed.
            NotServed: in every other case.
        """
        name = type(self).__name__
        if self.needs and find_spec(self.needs) is None:
            raise MissingExtra(f"{name} needs a package that is not installed: pip install {self.needs}")
        raise NotServed(
            f"{name} is collected but not served by this version of lightning-apps: run the app without a page."
        )

    def stop_server(self) -> None:
        """There is nothing to stop.

        Raises:
            WrongPlace: (RuntimeError) it was not started.
        """
        name = type(self).__name__
        raise WrongPlace(f"Server is not running. Call `{name}.start_server()` first.")
