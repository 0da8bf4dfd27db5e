"""What the claims on speed and memory are measured with."""
