"""Charts of the page: pure functions from data to inline SVG, with text that can be selected and read aloud."""
