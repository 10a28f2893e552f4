"""The snapshot for programs: JSON in pages, and the document that describes it."""
