"""How the runs of a bundle are made again: its study file, the commands, and a README that says so."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlpjit.bundle.format import OWN, STUDY
from mlpjit.study.own_data import OPTIONS

AGAIN = "again"
HEAD = """\
{title}
{line}

Results of a study of multi-layer perceptrons, made with mlpjit. Look at them: report.html in a browser, without mlpjit.

  report.html     the page
  runs.csv        one row a run
  tables/         what stands in the page's figures, CSV
  store.sqlite    every run with its curves
  study.toml      the study
  bundle.json     versions, machines, SHA-256 of every file here
"""
READING = """
With mlpjit, straight from the file:

  mlpjit report {name}.zip        its page, made again from the store
  mlpjit compare {name}.zip       who is better, and how sure that is
"""
VERIFYING = "  mlpjit verify {name}.zip         20 of its runs made again and compared bit for bit\n"
VERIFYING_OWN = "\nStored runs made again with it and compared bit for bit, in this folder, unpacked:\n\n  {command}\n"


def study_of(study: Mapping[str, Any], blocks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a canonical study with these blocks and its own final stage, what was tried beside it left out."""
    tried = set(study.get("tried", ()))
    own = [block for block in blocks if not _is_tried(block, tried)]
    return {**study, "blocks": own, "final": study.get("own_final", study.get("final"))}


def _is_tried(block: Mapping[str, Any], tried: set[str]) -> bool:
    """Whether a block has nothing but what was tried in one of its fields."""
    names = [_names(block, name) for name in (*block["fixed"], *block["axes"])]
    return any(some and some <= tried for some in names)


def _names(block: Mapping[str, Any], name: str) -> set[str]:
    """Return the names of the entries that a field has in a block."""
    given = [block["fixed"].get(name), *block["axes"].get(name, [])]
    named = [each.get("name") if isinstance(each, Mapping) else each for each in given if each is not None]
    return {each.partition("(")[0] if isinstance(each, str) else "" for each in named}


def commands(recorded: Iterable[str], files: Mapping[str, str]) -> list[str]:
    """Return the commands in an unpacked bundle that do what the recorded ones did; `files` has own ones by name."""
    found = [_here(shlex.split(command), files) for command in recorded if command]
    first = [shlex.join(["mlpjit", "run", STUDY, "--out", AGAIN])]
    return list(dict.fromkeys([*first, *(command for command in found if command)]))


def _here(words: Sequence[str], files: Mapping[str, str]) -> str:
    """Only of a try there is more to say than of the study: its file and its options."""
    if len(words) < 4 or words[1] != "try":
        return ""
    options = list(words[4:])
    for name in ("out", "data", *OPTIONS):  # the study's file in the bundle has its data
        if f"--{name}" in options:
            at = options.index(f"--{name}")
            del options[at : at + 2]
    name = Path(words[2]).name
    return shlex.join(["mlpjit", "try", files.get(name, name), STUDY, *options, "--out", AGAIN])


def read_me(manifest: Mapping[str, Any]) -> str:
    """Return the text that tells a reader what this is and how to make it again."""
    name = manifest["study"]
    parts = [HEAD.format(title=name, line="=" * len(name)), READING.format(name=name)]
    parts += [] if manifest["own"] or manifest["data"] else [VERIFYING.format(name=name)]
    parts += [f"\nMade with {line}" for line in _machines(manifest["sessions"])]
    parts += [_own(manifest["own"]), _verifying(manifest["own"])] if manifest["own"] else []
    parts += [_data(manifest["data"])] if manifest["data"] else []
    lines = "\n".join(f"  {command}" for command in manifest["commands"])
    parts.append(
        f"\nAgain, in this folder, unpacked, with the same mlpjit (any CPU, any threads: the same bits):\n\n{lines}\n"
    )
    return "".join(parts)


def _machines(sessions: Iterable[Mapping[str, Any]]) -> list[str]:
    told = []
    for each in sessions:
        commit = f" (commit {each['host_commit']})" if each["host_commit"] else ""
        where = f"{each['host_cpu']}, {each['host_system']}, {each['host_threads']} threads"
        told.append(f"{each['host_versions']}{commit} on {where}\n")
    return list(dict.fromkeys(told))


def _own(own: Iterable[Mapping[str, Any]]) -> str:
    lines = [f"  {each['file']}  {', '.join(each['names'])}; SHA-256 {each['sha256']}\n" for each in own]
    return f"\nOwn code that took part, as it was then (look at it before you run it), in {OWN}/:\n\n" + "".join(lines)


def _verifying(own: Iterable[Mapping[str, Any]]) -> str:
    """Say how stored runs of own code are checked, where no name of it stands in two files."""
    own = list(own)
    names = [name for each in own for name in each["names"]]
    if len(set(names)) != len(names):
        return ""
    used = [word for each in own for word in ("--use", each["file"])]
    return VERIFYING_OWN.format(command=shlex.join(["mlpjit", "verify", ".", *used]))


def _data(data: Iterable[Mapping[str, Any]]) -> str:
    lines = []
    for each in data:
        files = ", ".join(f"{one['file']} (SHA-256 {one['sha256'] or 'not known'})" for one in each["files"])
        told = "here" if each["included"] else f"not in this bundle{', needed as' if files else ''}"
        lines.append(f"  {each['name']}: {told} {files}".rstrip() + "\n")
    return "\nData of its maker's own:\n\n" + "".join(lines)
