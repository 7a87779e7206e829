SELECT searchengineid, clientip, count(*) AS visits, sum(isrefresh), avg(resolutionwidth)
FROM hits
WHERE searchphrase <> ''
GROUP BY searchengineid, clientip
ORDER BY visits DESC
LIMIT 10
