"""Choosing among tasks and plans by the labels that their alerts have."""

from collections.abc import Iterable
from dataclasses import dataclass

from tmcwatch.domain.episode import Ownership, owned
from tmcwatch.domain.matcher import Matcher, all_match
from tmcwatch.domain.snapshot import SubjectState

OF_SUBJECTS = frozenset({"account", "environment", "workspace", "kind", "id", "name"})
"""Labels that every task and plan has; those of the config may come to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The tasks and plans that all of the matchers match; without a matcher none."""

    matchers: tuple[Matcher, ...] = ()
    ownership: tuple[Ownership, ...] = ()

    def among(self, subjects: Iterable[SubjectState]) -> list[SubjectState]:
        if not self.matchers:
            return []
        return [one for one in subjects if self._includes(one)]

    def _includes(self, one: SubjectState) -> bool:
        labels = {
            "account": one.account,
            "environment": one.subject.environment,
            "workspace": one.subject.workspace,
            "kind": one.subject.kind.value,
            "id": one.subject.id,
            "name": one.subject.name,
        }
        return all_match(self.matchers, owned(labels, self.ownership))
