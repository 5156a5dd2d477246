"""What is said of brackets: rows, reports, pages, theorems and their margins."""
