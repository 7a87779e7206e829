//! What was found beside what the catalog has: the changes, under the crawler's policies.
