"""What `headway new-clinic` says of the folder that it made."""

from __future__ import annotations

from collections.abc import Iterator

from headway.ingest.proposals import Made
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
