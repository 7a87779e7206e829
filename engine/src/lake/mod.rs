//! External tables: files at a place, read and written in the formats of Hive, Athena and Spectrum.
