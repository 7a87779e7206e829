SELECT 1, url, count(*) AS visits
FROM hits
GROUP BY 1, url
ORDER BY visits DESC
LIMIT 10
