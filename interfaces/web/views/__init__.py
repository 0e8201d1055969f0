"""From the records to what a tab shows: tables, figures and texts, without any widget."""
