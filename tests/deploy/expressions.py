"""Expressions of PromQL, taken apart: what they select, name and compare."""

import re
from collections.abc import Iterator

import promql_parser

from tmcwatch.telemetry.families import BY_NAME, Type

_CHOOSING = {"==", "!=", ">", "<", ">=", "<=", "and", "or", "unless"}
_OFFSET = re.compile(r" offset \w+")


def selectors(expression: str) -> list[promql_parser.VectorSelector]:
    found = []

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)
        elif isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


def grouping(expression: str) -> set[str]:
    """Answer with the labels by which is grouped, matched or joined."""
    found = re.findall(r"\b(?:by|without|on|ignoring|group_left)\s*\(([^)]*)\)", expression)
    return {label.strip() for labels in found for label in labels.split(",")} - {""}


def labels_of(metric: str) -> set[str]:
    """Answer with the labels that a series has of its own; a KeyError names what is not."""
    if metric in BY_NAME:
        assert BY_NAME[metric].type is not Type.HISTOGRAM, metric
        return {*BY_NAME[metric].labels}
    name, _, part = metric.rpartition("_")
    assert BY_NAME[name].type is Type.HISTOGRAM
    assert part in {"bucket", "count", "sum"}
    return {*BY_NAME[name].labels} | ({"le"} if part == "bucket" else set())


def unmerged(expression: str) -> list[promql_parser.Expr]:
    """Answer with what is asked for without taking what several targets say for one."""
    return list(_unmerged(promql_parser.parse(expression)))


def _unmerged(node: promql_parser.Expr) -> Iterator[promql_parser.Expr]:
    match node:
        case promql_parser.VectorSelector() | promql_parser.MatrixSelector():
            yield node
        case promql_parser.AggregateExpr() if _is_merging(node):
            return
        case _:
            for part in _parts(node):
                yield from _unmerged(part)


def _is_merging(node: promql_parser.AggregateExpr) -> bool:
    modifier = node.modifier
    is_without = modifier is not None and modifier.type == promql_parser.AggModifierType.Without
    return str(node.op) not in {"topk", "bottomk"} and not is_without


def _parts(node: promql_parser.Expr) -> list[promql_parser.Expr]:
    match node:
        case promql_parser.BinaryExpr():
            return [node.lhs, node.rhs]
        case promql_parser.Call():
            return list(node.args)
        case (
            promql_parser.AggregateExpr()
            | promql_parser.ParenExpr()
            | promql_parser.UnaryExpr()
            | promql_parser.SubqueryExpr()
        ):
            return [node.expr]
        case _:
            return []


def compared(expression: str) -> list[str]:
    """Answer with what is held against something, each by itself and as of now.

    That is what must be there for a rule ever to fire: `a > 5 unless b == 1` fires for nothing
    where there is no `a`, and `sum(a) / sum(b) > 0.5` where nothing is in `b`.
    """
    return [_OFFSET.sub("", str(node)) for node in _compared(promql_parser.parse(expression))]


def _compared(node: promql_parser.Expr) -> Iterator[promql_parser.Expr]:
    if isinstance(node, promql_parser.NumberLiteral):
        return
    if not _compares(node):
        yield node
        return
    for part in _parts(node):
        yield from _compared(part)


def _compares(node: promql_parser.Expr) -> bool:
    """Tell whether something within asks for less than all there is."""
    # A subquery looks at round moments only, of which a short life has none.
    is_one = isinstance(node, promql_parser.SubqueryExpr) or (
        isinstance(node, promql_parser.BinaryExpr) and str(node.op) in _CHOOSING
    )
    return is_one or any(_compares(part) for part in _parts(node))
