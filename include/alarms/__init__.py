"""What people are told of a night, in counts and links only, and how it reaches them."""
