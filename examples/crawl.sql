-- A crawler looks at the example lake and makes its five tables: five formats, two kinds of partitions.
CREATE OR REPLACE CRAWLER lake DATABASE nycflights13 TARGETS ('examples/lake');
START CRAWLER lake;
