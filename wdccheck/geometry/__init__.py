"""The letters of the definitions, and where they are looked at: spheres, circles, boxes, arrangements."""
