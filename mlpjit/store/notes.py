"""The keys under which a store keeps plain data beside its runs."""

from __future__ import annotations

TRIES = "tries"  # what was tried on the study, with its verdicts: `comparison.tries.Try`
RACES = "races"  # what racing did for each competitor and problem: `study.racing.records`
SOURCES = "sources"  # the texts of the files of the user's own that were run: `extending.source.source_of`
