SELECT counterid, avg(strlen(url)) AS mean_length, count(*) AS visits
FROM hits
WHERE url <> ''
GROUP BY counterid
HAVING count(*) > 100000
ORDER BY mean_length DESC
LIMIT 25
