"""The range of a network: differences, arcs, activation cones, groups and pairs of cones."""
