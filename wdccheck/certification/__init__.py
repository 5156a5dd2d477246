"""`certify`: every condition of a network, of a pair, or one alone, as the rows of a report."""
