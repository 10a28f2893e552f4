"""The protocols that AWS clients speak: JSON 1.0 and 1.1, query and EC2's kind of query."""
