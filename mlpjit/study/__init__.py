"""Many runs: the file that describes them, their plan, and carrying it out."""
