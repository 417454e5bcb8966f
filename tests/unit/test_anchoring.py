"""What a person had said when the machine's view was first shown, whatever was done later."""

from __future__ import annotations

from math import isnan

from hypothesis import given
from hypothesis import strategies as st

from scoring.anchoring import Step, before_reveal, difference, share_of

_messages = st.lists(
    st.one_of(
        st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 3), min_size=1),
        st.just(None),  # takes the newest message back
    ),
    max_size=8,
)


@given(_messages, _messages)
def test_nothing_after_the_reveal_changes_what_stood_then(
    before: list[dict[str, int] | None], after: list[dict[str, int] | None]
) -> None:
    steps: list[Step] = []
    standing: list[list[Step]] = []
    revealed = None
    for number, message in enumerate([*before, {"a": 1, "b": 2}, *after]):
        if message is None:
            taken = standing.pop() if standing else []
            steps += [Step(0, f"m{number}", row.criterion, None, None, retracts=row.id) for row in taken]
        else:
            new = [
                Step(len(steps) + n, f"m{number}", key, level, 0) for n, (key, level) in enumerate(message.items(), 1)
            ]
            steps += new
            standing.append(new)
        now = {step.criterion: step for rows in standing for step in rows}
        if revealed is None and set(now) == {"a", "b"}:
            revealed = now
    assert revealed is not None
    assert before_reveal(steps, ["a", "b"]) == revealed
    assert before_reveal(steps, ["a", "b", "c"]) == {}


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_shares_and_their_difference_lie_within_their_intervals(yes: int, no: int, yes2: int, no2: int) -> None:
    first, second = share_of([True] * yes + [False] * no), share_of([True] * yes2 + [False] * no2)
    value, low, high = difference(first, second)
    if not first.n or not second.n:
        assert isnan(value)
        return
    assert 0 <= first.low <= round(first.share, 3) <= first.high <= 1
    assert -1 <= low <= value <= high <= 1
    back = difference(second, first)
    assert abs(back[0] + value) < 1e-9
