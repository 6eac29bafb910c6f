"""Numbers that stand in images: a sheet for two readers, and the rows in which they agree."""

from headway.ingest.transcription.enter import Entered, enter, preview
from headway.ingest.transcription.entries import Reading, read_entries
from headway.ingest.transcription.sheet import NAME, write_sheet

__all__ = ["NAME", "Entered", "Reading", "enter", "preview", "read_entries", "write_sheet"]
