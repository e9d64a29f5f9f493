"""One module a file format: describe a file's schema, cut it into splits, read a split."""
