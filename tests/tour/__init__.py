"""`make screenshots`: makes docs/tour.md and its pictures, of the real product with the example that comes with it."""
