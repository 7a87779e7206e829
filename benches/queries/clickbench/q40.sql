SELECT traficsourceid, searchengineid, advengineid,
    CASE WHEN searchengineid = 0 AND advengineid = 0 THEN referer ELSE '' END AS source, url AS page, count(*) AS views
FROM hits
WHERE counterid = 62 AND eventdate >= '2013-07-01' AND eventdate <= '2013-07-31' AND isrefresh = 0
GROUP BY traficsourceid, searchengineid, advengineid, source, page
ORDER BY views DESC
LIMIT 10 OFFSET 1000
