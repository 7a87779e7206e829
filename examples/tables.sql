-- The external tables of the example lake: five tables, five formats.
CREATE DATABASE IF NOT EXISTS nycflights13 COMMENT 'All flights that left New York City in 2013';

-- Parquet in Hive partitions: MSCK REPAIR finds the folders.
CREATE EXTERNAL TABLE IF NOT EXISTS nycflights13.flights (
  day int, dep_time int, sched_dep_time int, dep_delay int, arr_time int, sched_arr_time int, arr_delay int,
  carrier string, flight int, tailnum string, origin string, dest string, air_time int, distance int,
  hour int, minute int, time_hour timestamp)
PARTITIONED BY (year int, month int)
STORED AS PARQUET
LOCATION 'examples/lake/flights';
MSCK REPAIR TABLE nycflights13.flights;

-- Gzipped CSV in folders without names: partition projection knows them, nothing is registered.
CREATE EXTERNAL TABLE IF NOT EXISTS nycflights13.weather (
  origin string, day int, hour int, temp double, dewp double, humid double, wind_dir double, wind_speed double,
  wind_gust double, precip double, pressure double, visib double, time_hour string)
PARTITIONED BY (year int, month int)
ROW FORMAT DELIMITED FIELDS TERMINATED BY ','
LOCATION 'examples/lake/weather'
TBLPROPERTIES (
  'skip.header.line.count' = '1',
  'projection.enabled' = 'true',
  'projection.year.type' = 'integer', 'projection.year.range' = '2013,2013',
  'projection.month.type' = 'integer', 'projection.month.range' = '1,12', 'projection.month.digits' = '2',
  'storage.location.template' = 'examples/lake/weather/${year}/${month}');

-- Gzipped JSON lines.
CREATE EXTERNAL TABLE IF NOT EXISTS nycflights13.planes (
  tailnum string, year int, type string, manufacturer string, model string, engines int, seats int, speed int,
  engine string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 'examples/lake/planes';

-- CSV with a header and quoted fields.
CREATE EXTERNAL TABLE IF NOT EXISTS nycflights13.airports (
  faa string, name string, lat double, lon double, alt int, tz int, dst string, tzone string)
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
LOCATION 'examples/lake/airports'
TBLPROPERTIES ('skip.header.line.count' = '1');

-- ORC.
CREATE EXTERNAL TABLE IF NOT EXISTS nycflights13.airlines (carrier string, name string)
STORED AS ORC
LOCATION 'examples/lake/airlines';
