"""YAML files are read strictly: plain data, a key stands once, and no file is more than it looks.

Ten lines of aliases can stand for a billion nodes and a nesting of ten thousand exhausts the stack of whoever walks
it, so both are measured before anything is built.
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from include.kernel.errors import BadInput

DEEPEST = 60  # levels; our own files have fewer than 15
MOST_NODES = 1_000_000  # with every alias written out


class Loader(yaml.SafeLoader):
    """Plain data only: a tag that names a Python object is refused, and so is a key that stands twice."""

    _level = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """One node; the mark of an error is where the nesting goes too deep."""
        self._level += 1
        if self._level > DEEPEST:
            raise _refused(f"nested deeper than {DEEPEST} levels", self.peek_event().start_mark)
        node = super().compose_node(parent, index)
        self._level -= 1
        return node

    def get_single_node(self) -> Any:
        """The document, measured."""
        node = super().get_single_node()
        if node is not None:
            _measure(node, {})
        return node


def _measure(node: yaml.Node, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """(levels, nodes) beneath a node once every alias is written out. An alias points backwards: it is known by then,
    unless the node holds itself.
    """
    if id(node) in known:
        if known[id(node)] == (0, 0):
            raise _refused("a node holds itself", node.start_mark)
        return known[id(node)]
    known[id(node)] = (0, 0)
    parts: list[yaml.Node] = []
    if isinstance(node, yaml.SequenceNode):
        parts = node.value
    elif isinstance(node, yaml.MappingNode):
        parts = [part for pair in node.value for part in pair]
    measured = [_measure(part, known) for part in parts]
    levels = 1 + max((one for one, _ in measured), default=0)
    nodes = 1 + sum(one for _, one in measured)
    if levels > DEEPEST or nodes > MOST_NODES:
        raise _refused(f"its aliases stand for more than {DEEPEST} levels or {MOST_NODES} nodes", node.start_mark)
    known[id(node)] = (levels, nodes)
    return levels, nodes


def _mapping(loader: Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: set[Hashable] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise _refused("a key is a list or a mapping", key_node.start_mark)
        if key in seen:
            raise _refused(f"key {key!r:.60} stands twice", key_node.start_mark)
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


def _timestamp(loader: Loader, node: yaml.ScalarNode) -> Any:
    try:
        return loader.construct_yaml_timestamp(node)
    except (ValueError, AttributeError):
        raise _refused(f"{node.value!r:.40} is no date", node.start_mark) from None


Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
Loader.add_constructor("tag:yaml.org,2002:timestamp", _timestamp)


class TextLoader(Loader):
    """The same, and every value stays the text it is written as."""


TextLoader.yaml_implicit_resolvers = {}


def read_yaml(path: Path, *, kept: str = "", loader: type[Loader] = Loader) -> Any:
    """The file as plain data; whatever is wrong with it gives one line with its name, and the line where it is."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput("file is missing", where=str(path), kept=kept, todo="add it") from None
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", where=str(path), kept=kept) from None
    except UnicodeDecodeError as error:
        what = f"not readable YAML: not UTF-8 at byte {error.start}"
        raise BadInput(what, where=str(path), kept=kept, todo="save it as UTF-8") from None
    return parse_yaml(text, str(path), kept=kept, loader=loader)


def parse_yaml(text: str, where: str, *, kept: str = "", loader: type[Loader] = Loader) -> Any:
    """Like `read_yaml`, of a text."""
    try:
        return yaml.load(text, Loader=loader)
    except (yaml.YAMLError, ValueError, KeyError) as error:  # KeyError: what a tag calls a yes/no, and is none
        what = f"not readable YAML: {_one_line(error)}"
        raise BadInput(what, where=where, kept=kept, todo="correct the file") from None


def _refused(what: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, what, mark)


def _one_line(error: Exception) -> str:
    """What the reader of YAML complains about, with the line of the file but without an excerpt of it."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem!s:.200}"
    return " ".join(str(error).split())[:200]
