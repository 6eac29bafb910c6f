"""One way to open a file: text, workbook or export -> rows with their lines."""
