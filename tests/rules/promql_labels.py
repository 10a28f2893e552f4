"""Which labels an expression's result bears, told from the expression alone.

Prometheus takes a misspelt label without a word: `by (acount_id)` aggregates everything into one, and
`group_left (alais)` brings nothing. Here both are errors.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import promql_parser as promql

Labels = frozenset[str]
NONE: Final[Labels] = frozenset()

_SET_OPERATORS: Final = frozenset({"and", "or", "unless"})
_KEEPING_AGGREGATES: Final = frozenset({"topk", "bottomk"})


class UnknownMetricError(LookupError):
    """An expression names a metric that nobody declares."""


class UnknownLabelError(LookupError):
    """An expression names a label that its operand cannot have."""


@dataclass(frozen=True)
class LabelReader:
    """Reads the labels of expressions.

    Attributes:
        metric_labels: the labels of a metric; raises UnknownMetricError.
        allowed: whether a metric may bear a label that is not among them, such as `tag_owner`.
    """

    metric_labels: Callable[[str], Labels]
    allowed: Callable[[str, str], bool] = lambda _metric, _label: False

    def of(self, expression: str) -> Labels:
        """Return the labels that the result can bear.

        Raises:
            UnknownMetricError, UnknownLabelError: the expression cannot mean what it says.
            ValueError: it is no PromQL.
        """
        return self._of(promql.parse(expression))

    def _of(self, node: promql.Expr) -> Labels:
        match node:
            case promql.VectorSelector():
                labels = self._selector(node)
            case promql.MatrixSelector():
                labels = self._selector(node.vector_selector)
            case promql.SubqueryExpr() | promql.ParenExpr() | promql.UnaryExpr():
                labels = self._of(node.expr)
            case promql.Call():
                labels = self._call(node)
            case promql.AggregateExpr():
                labels = self._aggregate(node)
            case promql.BinaryExpr():
                labels = self._binary(node)
            case _:  # numbers and strings
                labels = NONE
        return labels

    def _selector(self, node: promql.VectorSelector) -> Labels:
        metric = node.name
        if metric is None:
            raise UnknownMetricError(f"a selector without a metric: {node}")
        labels = self.metric_labels(metric)
        matched = {matcher.name for matcher in node.matchers.matchers}
        self._require(matched, labels, str(node), metric)
        return labels

    def _call(self, node: promql.Call) -> Labels:
        of_arguments = [self._of(argument) for argument in node.args]
        if node.func.name in {"absent", "scalar", "vector", "time"}:
            return NONE
        return frozenset().union(*of_arguments)

    def _aggregate(self, node: promql.AggregateExpr) -> Labels:
        operand = self._of(node.expr)
        if node.modifier and node.modifier.type != promql.AggModifierType.By:
            raise UnknownLabelError(f"'without' keeps labels that nobody can foresee: {node}")
        kept = frozenset(node.modifier.labels if node.modifier else ())
        self._require(kept, operand, str(node), *_metrics_of(node.expr))
        operator = str(node.op)
        if operator in _KEEPING_AGGREGATES:
            return operand
        if operator == "count_values" and isinstance(node.param, promql.StringLiteral):
            return kept | {node.param.val}
        return kept

    def _binary(self, node: promql.BinaryExpr) -> Labels:
        left, right = self._of(node.lhs), self._of(node.rhs)
        operator, modifier = str(node.op), node.modifier
        matching = modifier.matching if modifier else None
        if matching:
            if matching.type != promql.LabelModifierType.Include:
                raise UnknownLabelError(f"'ignoring' matches on labels that nobody can foresee: {node}")
            self._require(matching.labels, left, str(node.lhs))
            self._require(matching.labels, right, str(node.rhs))
        if operator in _SET_OPERATORS:
            return left | right if operator == "or" else left
        brought = frozenset((modifier and modifier.group_labels) or ())
        self._require(brought, right, str(node.rhs))
        if modifier and modifier.card == promql.VectorMatchCardinality.ManyToOne:
            return left | brought
        if matching:
            return frozenset(matching.labels)
        return left or right

    def _require(self, wanted: Iterable[str], offered: Labels, where: str, *metrics: str) -> None:
        for label in wanted:
            if label not in offered and not any(self.allowed(metric, label) for metric in metrics):
                raise UnknownLabelError(f"no label {label!r} in {where}; it has {sorted(offered)}")


def _metrics_of(node: promql.Expr) -> list[str]:
    """Return the metrics that an expression names, in whatever place."""
    if isinstance(node, promql.VectorSelector):
        return [node.name] if node.name else []
    children: list[promql.Expr] = []
    for attribute in ("lhs", "rhs", "expr", "vector_selector"):
        child = getattr(node, attribute, None)
        if isinstance(child, promql.Expr):
            children.append(child)
    children += getattr(node, "args", [])
    return [metric for child in children for metric in _metrics_of(child)]


def metrics_of(expression: str) -> frozenset[str]:
    """Return the metrics that an expression names."""
    return frozenset(_metrics_of(promql.parse(expression)))
