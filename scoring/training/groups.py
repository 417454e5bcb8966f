"""Groups of learners: which ones an item bank tells apart, and how differently a machine treats them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring import weighted
from scoring.agreement import percentile_interval
from scoring.itembank import LabelledResponse
from scoring.training.measures import GroupDifference
from scoring.training.predictions import Judged

Group = tuple[str, str]
"""A column of the item bank and one of its values."""

Members = Mapping[Group, NDArray[np.bool_]]
"""Group -> (N,) whether each response is one of its."""


def find_groups(
    rows: Sequence[LabelledResponse], *, smallest: int = 10, most: int = 12
) -> tuple[list[Group], dict[str, str]]:
    """The groups of learners that differences can be looked for in.

    Args:
        rows: labelled responses.
        smallest: responses below which a group is left out.
        most: values beyond which a column is taken for names or identifiers.

    Returns:
        The groups, and what was left out with the reason: column, or "column: value" -> words.
    """
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        for column, value in row.groups.items():
            if value.strip():
                of_column = counts.setdefault(column, {})
                of_column[value.strip()] = of_column.get(value.strip(), 0) + 1
    groups: list[Group] = []
    left_out: dict[str, str] = {}
    for column, values in counts.items():
        enough = sorted(value for value, count in values.items() if count >= smallest)
        if len(values) > most:
            left_out[column] = f"{len(values)} different values, more than groups have"
        elif len(values) < 2 or not enough:
            left_out[column] = f"fewer than two groups, or none of {smallest} responses or more"
        else:
            groups += [(column, value) for value in enough]
            left_out |= {
                f"{column}: {value}": f"fewer than {smallest} responses" for value in values if value not in enough
            }
    return groups, left_out


def members_of(groups: Iterable[Group], rows: Sequence[LabelledResponse]) -> Members:
    """Which rows belong to which group."""
    return {
        (column, value): np.array([row.groups.get(column, "").strip() == value for row in rows], dtype=bool)
        for column, value in groups
    }


@dataclass(frozen=True)
class GroupLook:
    """One group on one criterion, in the sample itself and in each of R resamples: (1 + R,) each."""

    dsm: NDArray[np.float64]  # nan where undefined
    right: NDArray[np.float64]  # judgements in which machine and people give the same level
    size: NDArray[np.float64]  # judgements


def look_at_groups(judged: Judged, weights: NDArray[np.float64], members: Members) -> dict[Group, GroupLook]:
    """Differences of standardised means on one criterion.

    Args:
        judged: N responses.
        weights: (1 + R, N); the first row is the sample itself.
        members: of the same N.
    """
    everybody = weighted.moments(judged.human, judged.expected, weights)
    looks: dict[Group, GroupLook] = {}
    for group, member in members.items():
        if member.any():
            own = weights[:, member]
            inside = weighted.moments(judged.human[member], judged.expected[member], own)
            dsm = weighted.group_differences(everybody, inside)
            looks[group] = GroupLook(dsm, own @ judged.right[member], own.sum(axis=1))
    return looks


def join(looks: Sequence[Mapping[Group, GroupLook]], responses: Mapping[Group, int]) -> tuple[GroupDifference, ...]:
    """Means over criteria, each weighing as much as it has judgements.

    Standardised within each criterion, so that an easy task of which one group got more doesn't count
    as favour.

    Args:
        looks: of the criteria.
        responses: how many responses each group has; those without any are left out.
    """
    found = []
    for group, count in responses.items():
        own = [look[group] for look in looks if group in look]
        if not own:
            continue
        dsm, right, size = (np.stack([getattr(look, name) for look in own]) for name in ("dsm", "right", "size"))
        known = np.where(np.isnan(dsm), 0.0, size)
        total = known.sum(axis=0)
        mean = np.where(total > 0, (np.nan_to_num(dsm) * known).sum(axis=0) / np.maximum(total, 1), np.nan)
        interval = percentile_interval(mean[1:])
        exact = float(right[:, 0].sum() / size[:, 0].sum())
        found.append(GroupDifference(*group, count, float(mean[0]), interval.low, interval.high, exact))
    return tuple(found)
