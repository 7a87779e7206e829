SELECT regionid, sum(advengineid), count(*) AS visits, avg(resolutionwidth), count(DISTINCT userid)
FROM hits
GROUP BY regionid
ORDER BY visits DESC
LIMIT 10
