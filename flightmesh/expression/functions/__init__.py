"""The scalar functions, one file a subject. Each file declares its `FUNCTIONS`; `expression.registry` collects them."""
