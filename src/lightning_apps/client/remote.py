"""An app's commands from another program: what there are, and what they answer.  Runs nothing of theirs."""

from __future__ import annotations

import sys
from typing import Any, Literal
from urllib.parse import quote, urlencode

import msgspec

from ..base.errors import RunError
from .address import Address
from .http import Answer, Http, NoAnswer
from .state import AppState

LISTING = "/api/v1/commands"


class Parameter(msgspec.Struct):
    """One parameter, as an app lists it."""

    name: str
    place: Literal["query", "body"]
    required: bool
    default: Any = None
    schema: dict[str, Any] = {}


class Half(msgspec.Struct):
    """What an app says of the half of a command that runs elsewhere; `kind` is its class."""

    kind: str = msgspec.field(name="class")
    requirements: list[str] = []


class Listed(msgspec.Struct):
    """One command, as an app lists it."""

    name: str
    path: str
    parameters: list[Parameter]
    description: str = ""
    schemas: dict[str, Any] = {}
    client: Half | None = None


class CommandFailed(RunError):
    """The app refused a command, or it failed there.

    Attributes:
        exit_code: 2 for arguments that do not fit, else 1.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class NobodyThere(CommandFailed):
    """Nothing answers where the app was said to be."""


class RemoteApp:
    """One app; see `model.api.AppConnection`."""

    def __init__(self, address: Address) -> None:
        self.address, self.url = address, address.url
        self._http = Http(address)

    def commands(self) -> list[dict[str, Any]]:
        """What the app says of its commands.

        Raises:
            CommandFailed: nobody answers, it does not let one in, or it is no app.
        """
        said = _printable(self._said("GET", LISTING))
        try:
            listed = msgspec.convert(said, dict[str, list[Listed]])["commands"]
        except (msgspec.ValidationError, KeyError):
            raise CommandFailed(f"What answers at {self.url} is no app of this framework.") from None
        return [dict(each) for each in msgspec.to_builtins(listed)]

    def code(self, path: str) -> dict[str, str]:
        """The file of the half of a command that runs here: "class", "file", "source", "sha256"."""
        said = self._said("GET", f"{LISTING}/{quote(path, safe='')}/code")
        try:
            return {key: str(said[key]) for key in ("class", "file", "source", "sha256")}
        except (KeyError, TypeError):
            raise CommandFailed(f"What answers at {self.url} is no app of this framework.") from None

    def call(self, path: str, query: dict[str, str], body: Any = msgspec.UNSET) -> Any:
        """What a command answers."""
        asked = f"?{urlencode(query)}" if query else ""
        return self._said("POST", f"/command/{quote(path, safe='')}{asked}", body)

    def invoke(self, name: str, config: Any) -> Any:
        """What a command answers to the half of it that runs here; where it does not, the process ends."""
        try:
            return self.call("_".join(name.split()), {}, msgspec.UNSET if config is None else config)
        except CommandFailed as error:
            sys.stderr.write(f"{error}\n")
            raise SystemExit(error.exit_code) from None

    def state(self) -> AppState:
        """The app's state."""
        return AppState(self.url, token=self.address.token, my_affiliation=())

    def _said(self, verb: str, path: str, value: Any = msgspec.UNSET) -> Any:
        answer = self._ask(verb, path, value)
        try:
            return answer.json()
        except NoAnswer:
            raise CommandFailed(f"What answers at {self.url} is no app of this framework.") from None

    def _ask(self, verb: str, path: str, value: Any = msgspec.UNSET) -> Answer:
        try:
            answer = self._http.ask(verb, path, value)
        except NoAnswer as error:
            raise NobodyThere(str(error)) from None
        if answer.status in (401, 403) and not self.address.token:
            raise CommandFailed(
                f"The app at {self.url} asks for a token: lightning connect {self.url} --token TOKEN. It says: {_printable(answer.detail)}"
            )
        if answer.status == 422:
            raise CommandFailed(_unfit(_printable(answer.detail)), 2)
        if answer.status != 200:
            raise CommandFailed(f"Failed with status code {answer.status}. Detail: {_printable(answer.detail)}")
        return answer


def _printable(value: Any) -> Any:
    """What an app says, without characters that would steer the terminal."""
    if isinstance(value, str):
        return "".join(letter for letter in value if letter.isprintable() or letter in "\n\t")
    if isinstance(value, list):
        return [_printable(item) for item in value]
    if isinstance(value, dict):
        return {_printable(key): _printable(item) for key, item in value.items()}
    return value


def _unfit(detail: Any) -> str:
    """What does not fit, as its options."""
    if not isinstance(detail, list):
        return f"The app refused the arguments: {detail}"
    parts = []
    for each in detail:
        if not isinstance(each, dict):
            return f"The app refused the arguments: {detail}"
        place = [str(part) for part in each.get("loc", []) if part not in ("query", "body")]
        parts.append(f"--{'.'.join(place)}: {each.get('msg')}" if place else str(each.get("msg")))
    return "The app refused the arguments: " + "; ".join(parts) + "."
