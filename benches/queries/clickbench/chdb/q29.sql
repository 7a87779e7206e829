SELECT regexp_replace(referer, '^https?://(www[.])?([^/]+)/.*$', '\\2') AS site,
    avg(octet_length(referer)) AS mean_length, count(*) AS visits, min(referer)
FROM hits
WHERE referer <> ''
GROUP BY site
HAVING count(*) > 100000
ORDER BY mean_length DESC
LIMIT 25
