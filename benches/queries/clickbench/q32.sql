SELECT watchid, clientip, count(*) AS visits, sum(isrefresh), avg(resolutionwidth)
FROM hits
WHERE searchphrase <> ''
GROUP BY watchid, clientip
ORDER BY visits DESC
LIMIT 10
