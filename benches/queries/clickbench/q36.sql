SELECT clientip, clientip - 1, clientip - 2, clientip - 3, count(*) AS visits
FROM hits
GROUP BY clientip, clientip - 1, clientip - 2, clientip - 3
ORDER BY visits DESC
LIMIT 10
