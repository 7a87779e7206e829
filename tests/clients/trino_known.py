"""What may differ from Trino, and why: each is documented in docs/compatibility.md or docs/sql/dialects.md."""

DIFFERENCES = []
