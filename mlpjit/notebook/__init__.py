"""What people have in a notebook: runs and studies that show themselves, predict and draw."""
