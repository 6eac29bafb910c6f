"""What `headway new-clinic` and `headway new-review` say of the folder that they made."""

from __future__ import annotations

from collections.abc import Iterator

from headway.ingest.proposals import Made
from headway.ingest.proposals.published import MadeReview
from headway.messages import Message, say_in_english


def write_made(made: Made) -> Iterator[str]:
    """Write what was made, what was left out and why, and what is in doubt, a line at a time."""
    proposal = made.proposal
    yield str(made.folder)
    if made.updated:
        yield say_in_english("proposal.kept_settings")
        yield from (f"  {say_in_english(change)}" for change in made.changes)
    else:
        for table in proposal.tables:
            wrote = Message("proposal.wrote", file=f"{table.kind}.csv", n=len(table.rows))
            yield f"  {say_in_english(wrote)}"
    yield from (f"  {say_in_english(note)}" for note in proposal.notes)
    for file, name, reason in proposal.dropped:
        left = Message("proposal.left_out", file=file, name=name, reason=Message(reason))
        yield f"  {say_in_english(left)}"
    doubts = [e.doubt for table in proposal.tables for e in table.entries.values() if e.doubt]
    if doubts and not made.updated:
        yield say_in_english(Message("proposal.doubts", n=len(doubts)))
        yield from (f"  {say_in_english(doubt)}" for doubt in dict.fromkeys(doubts))


def write_made_review(made: MadeReview) -> Iterator[str]:
    """Write what was made of a table of trials, what was left out, and what is in doubt."""
    review = made.review
    yield str(made.folder)
    for kind, rows in review.rows.items():
        wrote = Message("proposal.wrote", file=f"{kind}.csv", n=len(rows))
        yield f"  {say_in_english(wrote)}"
    for comparison in review.comparisons:
        value = comparison.value
        said = Message("published.compared", name=value["label"], measure=value["measure"])
        yield f"  {say_in_english(said)}"
    yield from (f"  {say_in_english(note)}" for note in dict.fromkeys(review.notes))
    doubts = [d for s in (*review.outcomes.values(), *review.comparisons) for d in s.doubts]
    doubts += [d for found in review.found for d in found.doubts.values()]
    if doubts:
        yield say_in_english(Message("published.doubts", n=len(doubts)))
        yield from (f"  {say_in_english(doubt)}" for doubt in dict.fromkeys(doubts))
