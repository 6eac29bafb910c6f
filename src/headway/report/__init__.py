"""Pages: released tables and figures -> self-contained HTML. Nothing is computed here."""
