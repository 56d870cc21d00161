"""What the settings of a competitor are taken from: ranges and lists, quasi-random draws, published spaces."""
