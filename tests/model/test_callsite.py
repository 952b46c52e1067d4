"""Call sites: the same after edits above them, told apart where they differ."""

from __future__ import annotations

import sys
from types import CodeType

from lightning_apps.model.callsite import call_site, qualified_name


class Asker:
    def ask(self) -> tuple[CodeType, int]:
        frame = sys._getframe()
        return frame.f_code, frame.f_lineno


class Heir(Asker):
    def ask(self) -> tuple[CodeType, int]:
        return super().ask()


def test_the_line_is_counted_from_the_functions_first() -> None:
    code, line = Asker().ask()

    moved = code.replace(co_firstlineno=code.co_firstlineno + 40)

    assert call_site(code, line, Asker) == ("Asker.ask", 2)
    assert call_site(moved, line + 40, Asker)[1] == 2


def test_functions_of_one_name_in_a_class_and_its_base_are_told_apart() -> None:
    assert qualified_name(Asker.ask.__code__, Heir) == "Asker.ask"
    assert qualified_name(Heir.ask.__code__, Heir) == "Heir.ask"
