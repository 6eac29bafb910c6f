"""The folder that goes to a journal: Word tables, a methods paragraph, figures, references."""

from headway.report.manuscript.folder import write_manuscript

__all__ = ["write_manuscript"]
