"""Asks the root flow what it offers to the outside, and refuses at once what could not be served.  Serves nothing."""

from __future__ import annotations

import importlib
import importlib.util

from ..base.errors import AppLoadError, MissingExtra
from ..base.traces import user_traceback
from ..model.api import RouteError
from ..model.flow import LightningFlow
from ..model.offer import Offer, offer_of

FASTAPI = "The routes of configure_api are served by FastAPI, which is not installed: pip install 'lightning-apps[api]'"


def offered(root: LightningFlow) -> Offer:
    """What the app offers, in the flow's thread, before its first turn.

    Raises:
        AppLoadError: something that cannot be served, or the app's own code failed.
        MissingExtra: there are routes and no FastAPI.
    """
    try:
        offer = offer_of(root)
        if offer.routes or offer.commands:
            parameters = importlib.import_module("lightning_apps.web.parameters")  # takes a while, so only now
            for route in offer.routes:
                parameters.resolved(route.method)
            for command in offer.commands:
                parameters.Parameters(command.method)
    except RouteError as error:
        raise AppLoadError(str(error)) from None
    except Exception as error:
        kind = type(root).__name__
        raise AppLoadError(
            f"{user_traceback(error)}\nThe app could not be asked for its routes and commands ({kind})."
        ) from None
    if offer.routes and importlib.util.find_spec("fastapi") is None:
        raise MissingExtra(FASTAPI)
    return offer
