SELECT userid, extract(minute FROM eventtime) AS at_minute, searchphrase, count(*)
FROM hits
GROUP BY userid, at_minute, searchphrase
ORDER BY count(*) DESC
LIMIT 10
