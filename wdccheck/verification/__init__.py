"""`verify`: saved results and reports, checked again."""
