"""What a run leaves behind, and the hints that tell the live room about it."""
