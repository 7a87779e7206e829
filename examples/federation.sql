-- One statement over five kinds of places: a stream's view, a key-value table, a search index, a lake and a managed table.
-- `tests/clients/federation` starts the three servers, fills them (`tests/clients/federation.py`) and runs this file.
CREATE EXTERNAL SCHEMA IF NOT EXISTS bookings FROM KINESIS ENDPOINT 'http://127.0.0.1:4567' REGION 'us-east-1'
OPTIONS (access_key_id 'key', secret_access_key 'secret', streams 'bookings', format 'json',
         columns 'id bigint, carrier varchar, passenger varchar, seats integer');
CREATE EXTERNAL SCHEMA IF NOT EXISTS crm FROM DYNAMODB ENDPOINT 'http://127.0.0.1:8000' REGION 'us-east-1'
OPTIONS (access_key_id 'key', secret_access_key 'secret');
CREATE EXTERNAL SCHEMA IF NOT EXISTS support FROM OPENSEARCH 'http://127.0.0.1:9200';

-- The lake: flights of examples/lake, by carrier and month.
CREATE DATABASE IF NOT EXISTS lake;
CREATE EXTERNAL TABLE IF NOT EXISTS lake.flights (
  day int, dep_time int, sched_dep_time int, dep_delay int, arr_time int, sched_arr_time int, arr_delay int,
  carrier string, flight int, tailnum string, origin string, dest string, air_time int, distance int,
  hour int, minute int, time_hour timestamp)
PARTITIONED BY (year int, month int)
STORED AS PARQUET
LOCATION 'examples/lake/flights';
MSCK REPAIR TABLE lake.flights;

-- What came of the stream so far, each record once. A server with AUTO REFRESH YES would refresh it by itself.
DROP MATERIALIZED VIEW IF EXISTS booked;
CREATE MATERIALIZED VIEW booked AS SELECT id, carrier, passenger, seats FROM bookings.bookings WHERE seats > 0;
REFRESH MATERIALIZED VIEW booked;

-- What a seat costs, in the warehouse.
CREATE TABLE IF NOT EXISTS fares (carrier char(2), fare decimal(8,2)) DISTSTYLE ALL;
DELETE FROM fares;
INSERT INTO fares VALUES ('AA', 310.00), ('B6', 120.50), ('DL', 275.25), ('UA', 290.00), ('US', 199.99);

-- Who books what, what it brings, who of them is a gold member, what is complained about, and how late January was.
SELECT b.carrier,
       count(*) AS bookings,
       sum(b.seats) AS seats,
       sum(b.seats * f.fare) AS revenue,
       sum(CASE WHEN p.tier = 'gold' THEN 1 ELSE 0 END) AS by_gold_members,
       max(c.complaints) AS complaints,
       max(l.flights) AS flights,
       max(l.late) AS late
FROM booked b
JOIN crm.passengers p ON p.id = b.passenger
JOIN fares f ON f.carrier = b.carrier
LEFT JOIN (SELECT carrier, count(*) AS complaints FROM support.messages WHERE match(message, 'delay delayed late')
           GROUP BY carrier) c ON c.carrier = b.carrier
LEFT JOIN (SELECT carrier, count(*) AS flights, sum(CASE WHEN dep_delay > 60 THEN 1 ELSE 0 END) AS late
           FROM lake.flights WHERE month = 1 GROUP BY carrier) l ON l.carrier = b.carrier
GROUP BY b.carrier
ORDER BY b.carrier;
