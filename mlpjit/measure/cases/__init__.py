"""What can be timed: the table of cases, and for each the work that is put on the clock."""
