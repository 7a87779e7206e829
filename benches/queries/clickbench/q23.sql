SELECT searchphrase, min(url), min(title), count(*) AS visits, count(DISTINCT userid)
FROM hits
WHERE title LIKE '%Google%' AND url NOT LIKE '%.google.%' AND searchphrase <> ''
GROUP BY searchphrase
ORDER BY visits DESC
LIMIT 10
