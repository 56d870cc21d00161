"""A study's results as one file to send: written from a folder, checked, and read without unpacking it."""
