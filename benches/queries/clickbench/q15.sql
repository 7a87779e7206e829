SELECT searchengineid, searchphrase, count(*) AS visits
FROM hits
WHERE searchphrase <> ''
GROUP BY searchengineid, searchphrase
ORDER BY visits DESC
LIMIT 10
