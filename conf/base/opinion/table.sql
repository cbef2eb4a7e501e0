-- One row per headline whose companies are all seen alike; the names of companies may hold quotes, their ratings do not.
WITH rated AS (
    SELECT
        "S No." AS headline,
        Title AS title,
        list_distinct(regexp_extract_all(Decisions, ': ''(positive|negative|neutral)''', 1)) AS opinions
    FROM headlines
)
SELECT min(headline) AS headline, title, min(opinions[1]) AS opinion
FROM rated
WHERE len(opinions) = 1
GROUP BY title
HAVING count(DISTINCT opinions[1]) = 1
ORDER BY headline
