SELECT searchphrase, count(*) AS visits
FROM hits
WHERE searchphrase <> ''
GROUP BY searchphrase
ORDER BY visits DESC
LIMIT 10
