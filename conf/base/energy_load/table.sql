-- One row per reading, with the mean use of the six readings after it: found by their times, and only where all six are there.
WITH ahead AS (
    SELECT date - steps * INTERVAL 10 MINUTES AS date, avg(Appliances) AS next_hour
    FROM appliances
    CROSS JOIN range(1, 7) AS ten_minutes(steps)
    GROUP BY ALL
    HAVING count(Appliances) = 6
)
SELECT appliances.*, next_hour
FROM appliances
JOIN ahead USING (date)
ORDER BY date
