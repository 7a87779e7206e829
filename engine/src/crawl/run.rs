//! A crawl from start to record.
