-- A tour of the example lake. Every statement runs as it stands in the REPL too.
USE nycflights13;

-- Which airline and month had the worst departure delays? (Parquet with ORC)
SELECT a.name AS airline, f.month, count(*) AS flights, round(avg(f.dep_delay), 1) AS avg_delay, max(f.dep_delay) AS worst
FROM flights f JOIN airlines a ON f.carrier = a.carrier
GROUP BY a.name, f.month
HAVING count(*) > 500
ORDER BY avg(f.dep_delay) DESC
LIMIT 5;

-- Do older planes run later? (with gzipped JSON lines)
SELECT p.year / 10 * 10 AS built, count(*) AS flights, round(avg(f.arr_delay), 1) AS avg_arrival_delay
FROM flights f JOIN planes p ON f.tailnum = p.tailnum
WHERE p.year IS NOT NULL
GROUP BY p.year / 10 * 10
ORDER BY built;

-- Where do the late ones go? (with CSV)
SELECT p.name AS airport, p.tzone, count(*) AS late_flights
FROM flights f JOIN airports p ON f.dest = p.faa
WHERE f.arr_delay > 120
GROUP BY p.name, p.tzone
ORDER BY late_flights DESC, airport
LIMIT 5;

-- What does rain cost? (with gzipped CSV, hour by hour)
SELECT CASE WHEN w.precip > 0.1 THEN 'heavy rain' WHEN w.precip > 0 THEN 'rain' ELSE 'dry' END AS weather,
       count(*) AS flights, round(avg(f.dep_delay), 1) AS avg_delay
FROM flights f
JOIN weather w ON w.origin = f.origin AND w.time_hour = f.time_hour
GROUP BY 1
ORDER BY avg_delay DESC;

-- The worst flight of each airport in each season's first month: a window function.
SELECT month, origin, airline, dep_delay
FROM (
  SELECT f.month, f.origin, a.name AS airline, f.dep_delay,
         row_number() OVER (PARTITION BY f.month, f.origin ORDER BY f.dep_delay DESC NULLS LAST) AS place
  FROM flights f JOIN airlines a ON f.carrier = a.carrier
  WHERE f.month IN (1, 4, 7, 10))
WHERE place = 1
ORDER BY month, origin;

-- A filter on the partition keys reads one folder of twelve.
EXPLAIN SELECT count(*), avg(dep_delay) FROM flights WHERE month = 1 AND dep_delay > 60;

-- A table of results, as Parquet, partitioned.
DROP TABLE IF EXISTS delays;
CREATE TABLE delays WITH (format = 'PARQUET', partitioned_by = ARRAY['month']) AS
SELECT carrier, origin, count(*) AS flights, avg(dep_delay) AS avg_delay, month
FROM flights
GROUP BY carrier, origin, month;
SHOW PARTITIONS delays;
SELECT carrier, flights, round(avg_delay, 2) AS avg_delay, "$path" LIKE '%month=12%' AS from_december
FROM delays
WHERE month = 12 AND origin = 'EWR'
ORDER BY flights DESC
LIMIT 3;
