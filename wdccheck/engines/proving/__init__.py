"""How the proving engines search: forms, regions, batches of tasks."""
