"""The notebooks as files: executed by one command, and in one form, so that diffs are small.

``python -m workshop.notebooks`` puts all of notebooks/ into form; with ``--check`` it tells what is wrong.
``python -m workshop.notebooks run`` executes them, two at a time, each in an empty folder, and writes their
outputs: into notebooks/, or with ``--to FOLDER`` there. Names such as ``04`` choose some.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from workshop.lessons import ROOT

NOTEBOOKS = ROOT / "notebooks"
CELL_SECONDS = 60
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_MACHINE_PATH = re.compile(
    r"(?<![\w.:/])/(?:home|root|tmp|private|usr|var|opt|mnt|work\w*|Users)/|\b[A-Za-z]:\\"
)

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

Notebook = dict[str, Any]


def in_form(text: str) -> str:
    """A notebook file's text in its one form: no counts, no settings of a machine or an editor.

    Ids of cells stay as they are; a cell without one gets one by its number.
    """
    notebook: Notebook = json.loads(text)
    cells = [_cell(cell, number) for number, cell in enumerate(notebook["cells"], 1)]
    formed = {"cells": cells, "metadata": _METADATA, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(formed, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _cell(cell: Notebook, number: int) -> Notebook:
    formed: Notebook = {
        "cell_type": cell["cell_type"],
        "id": cell.get("id") or f"cell-{number}",
        "metadata": {},
        "source": _lines("".join(cell["source"]).strip()),
    }
    if cell["cell_type"] == "code":
        formed |= {"execution_count": None, "outputs": list(_outputs(cell["outputs"]))}
    return formed


def _outputs(outputs: Sequence[Notebook]) -> Iterator[Notebook]:
    """Outputs without counts; what was printed in several pieces is one again."""
    printed: Notebook | None = None
    for output in outputs:
        if output["output_type"] == "stream":
            if printed and printed["name"] == output["name"]:
                printed["text"] = _lines("".join([*printed["text"], *output["text"]]))
                continue
            printed = output | {"text": _lines("".join(output["text"]))}
            yield printed
            continue
        printed = None
        formed = {key: value for key, value in output.items() if key not in {"execution_count", "transient"}}
        if "data" in output:
            formed["data"] = {kind: _content(kind, content) for kind, content in output["data"].items()}
        yield formed | ({"execution_count": None} if output["output_type"] == "execute_result" else {})


def _content(kind: str, content: Any) -> Any:
    text = "".join(content)
    return text.strip() if kind == "image/png" else _lines(text)


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def faults(text: str) -> list[str]:
    """What must not be in a notebook that is committed, each in a sentence."""
    found = [] if text == in_form(text) else ["it is not in form; run: python -m workshop.notebooks"]
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    if not any(cell["outputs"] for cell in cells):
        found.append("it has no outputs; run: python -m workshop.notebooks run")
    for cell in cells:
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                found.append(f"cell {cell['id']} has failed: {output['ename']}: {output['evalue']}")
            paths = [line.strip() for line in _texts(output) if _MACHINE_PATH.search(line)]
            found += [f"the output of cell {cell['id']} names a path of a machine: {line}" for line in paths]
    return found


def _texts(output: Notebook) -> Iterator[str]:
    yield from output.get("text", [])
    for kind, content in output.get("data", {}).items():
        if kind.startswith("text/"):
            yield from content


def missing_outputs(before: str, after: str) -> list[str]:
    """The ids of the cells that showed something before and don't any more, or not in the same form."""
    shown = {cell["id"]: _kinds(cell) for cell in json.loads(after)["cells"]}
    return [
        cell["id"] for cell in json.loads(before)["cells"] if not _kinds(cell) <= shown.get(cell["id"], set())
    ]


def _kinds(cell: Notebook) -> set[str]:
    outputs = cell.get("outputs", [])
    return {kind for output in outputs for kind in output.get("data", {output["output_type"]: ""})}


def execute(path: Path) -> str:
    """Run a notebook from top to bottom in an empty folder, and return the file's text with its new outputs.

    Raises nbclient's CellExecutionError if a cell fails, and RuntimeError if files are left behind.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": folder}},
        )
        client.execute()
        if left := sorted(entry.name for entry in Path(folder).iterdir()):
            raise RuntimeError(f"{path.name} leaves behind: {', '.join(left)}")
    return in_form(nbformat.writes(notebook))  # type: ignore[no-untyped-call]


def chosen(names: Sequence[str]) -> list[Path]:
    """The notebooks whose names begin so; all of them without names."""
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    return [path for path in paths if not names or path.name.startswith(tuple(names))]


def _run(paths: Sequence[Path], target: Path) -> int:
    def run(path: Path) -> bool:
        began = time.perf_counter()
        try:
            text = execute(path)
        except Exception as error:
            told = _COLOUR.sub("", str(error))
            print(f"{path.name} failed: {told}", file=sys.stderr, flush=True)
            return False
        (target / path.name).write_text(text, encoding="utf-8", newline="\n")
        print(f"{path.name}  {time.perf_counter() - began:.1f} s", flush=True)
        return True

    with ThreadPoolExecutor(2) as pool:
        return int(not all(list(pool.map(run, paths))))


def _form(paths: Sequence[Path], *, check: bool) -> int:
    wrong = 0
    for path in paths:
        text = path.read_text(encoding="utf-8")
        if check:
            for fault in faults(text):
                wrong += 1
                print(f"{path.name}: {fault}")
        elif text != in_form(text):
            path.write_text(in_form(text), encoding="utf-8", newline="\n")
            print(f"wrote: {path.name}")
    return int(wrong > 0)


def main() -> int:
    """Obey the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workshop.notebooks", description=__doc__)
    parser.add_argument("do", nargs="?", choices=["form", "run"], default="form")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--to", type=Path, default=NOTEBOOKS)
    asked = parser.parse_args()
    paths = chosen(asked.names)
    if not paths:
        parser.error(f"no notebook is called {' or '.join(asked.names)}")
    return _run(paths, asked.to) if asked.do == "run" else _form(paths, check=asked.check)


if __name__ == "__main__":
    sys.exit(main())
