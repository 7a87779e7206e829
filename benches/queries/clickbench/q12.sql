SELECT mobilephone, mobilephonemodel, count(DISTINCT userid) AS users
FROM hits
WHERE mobilephonemodel <> ''
GROUP BY mobilephone, mobilephonemodel
ORDER BY users DESC
LIMIT 10
