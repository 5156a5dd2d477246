"""How the proving engines search: forms, regions, waves of tasks."""
