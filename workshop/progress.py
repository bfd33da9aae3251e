"""Which steps a learner has done, in one small file that can be deleted without loss."""

import contextlib
import json
from collections.abc import Iterable, Mapping

from workshop import desk
from workshop.lessons import ROOT

STATE = ROOT / ".workshop" / "progress.json"
_VERSION = 1


def load() -> dict[str, dict[str, int | bool]]:
    """``{"done": {"3.1": true}, "hints": {"3.1": 2}}``; empty when there is no file or it can't be read."""
    try:
        data = json.loads(STATE.read_text(encoding="utf-8"))
        if data["version"] == _VERSION:
            return {"done": dict(data["done"]), "hints": dict(data["hints"])}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {"done": {}, "hints": {}}


def _save(state: Mapping[str, object]) -> None:
    """Replace the file whole; a folder that can't be written to is no reason to stop."""
    with contextlib.suppress(OSError):
        desk.sweep(STATE.parent)
        desk.write(STATE, json.dumps({"version": _VERSION, **state}, indent=1).encode())


def done() -> set[str]:
    """The steps that passed when they were last checked."""
    return {step for step, passed in load()["done"].items() if passed}


def note(done: Mapping[str, bool]) -> None:
    """Remember which steps passed and which did not."""
    state = load()
    state["done"] |= dict(done)
    _save(state)


def forget(steps: Iterable[str]) -> None:
    """Forget which of these steps were done, for their code has been replaced."""
    state = load()
    for step in steps:
        state["done"].pop(step, None)
    _save(state)


def next_hint(step: str, available: int) -> int:
    """The number of the next hint of a step, from 1; the last one again when all were shown."""
    state = load()
    before = state["hints"].get(step, 0)
    shown = min(before + 1, available) if isinstance(before, int) and before > 0 else 1
    state["hints"][step] = shown
    _save(state)
    return shown
