SELECT searchphrase, min(url), count(*) AS visits
FROM hits
WHERE url LIKE '%google%' AND searchphrase <> ''
GROUP BY searchphrase
ORDER BY visits DESC
LIMIT 10
