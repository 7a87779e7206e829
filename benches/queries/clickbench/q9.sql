SELECT regionid, count(DISTINCT userid) AS users
FROM hits
GROUP BY regionid
ORDER BY users DESC
LIMIT 10
