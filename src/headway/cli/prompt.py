"""Questions at the prompt (questionary); where nobody is there, nothing is asked."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from headway.cli.screen import asking, is_plain, say


def leave_open(question: str, answers: Sequence[str]) -> None:
    """Answer nothing."""


def ask(question: str, answers: Sequence[str]) -> str | None:
    """Ask for one of some answers.

    Returns
    -------
    str or None
        The answer; None where it is left open, or input or output is no terminal.
    """
    from headway.messages import say_in_english

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    import questionary

    open_ = questionary.Choice(say("command.leave_open"), value="")
    style = questionary.Style([]) if is_plain() else None
    with asking():
        found = questionary.select(
            say_in_english(question),
            choices=[*answers, open_],
            use_shortcuts=len(answers) < 35,
            style=style,
        ).unsafe_ask()
    return found or None
