SELECT watchid, clientip, count(*) AS visits, sum(isrefresh), avg(resolutionwidth)
FROM hits
GROUP BY watchid, clientip
ORDER BY visits DESC
LIMIT 10
