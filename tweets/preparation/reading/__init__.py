"""Read inputs of any size in batches: what they are, how they are packed, and a module for each format."""
