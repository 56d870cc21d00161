"""Moments as the store has them: UTC, to the millisecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np


def now() -> str:
    """Return the time in UTC as text."""
    return text_of(datetime.now(UTC))


def text_of(moment: datetime) -> str:
    """Return a moment as text."""
    return moment.isoformat(timespec="milliseconds")


def texts_of(start: datetime, seconds: np.ndarray) -> list[list[str]]:
    """Return moments after a start as texts, column by column.

    Many small runs begin and end in one millisecond: a text is made once.
    """
    begun, passed = start.replace(microsecond=0), start.microsecond
    columns = (np.rint(1e6 * seconds + passed) // 1000).astype(np.int64).T.tolist()
    texts = {each: text_of(begun + timedelta(milliseconds=each)) for each in set().union(*columns)}
    return [[texts[each] for each in column] for column in columns]
