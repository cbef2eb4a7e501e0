-- One row per flight that arrived: the weather at its origin before the hour in which it is to leave, and its aircraft.
WITH flights AS (
    SELECT *, date_trunc('hour', scheduled_at) AS due FROM timed_flights
),
-- Numbers also where a raw table has no value in a column, and so no type for it.
observed AS (
    SELECT
        origin, time_hour, temp::DOUBLE AS temp, dewp::DOUBLE AS dewp, humid::DOUBLE AS humid,
        wind_dir::DOUBLE AS wind_dir, wind_speed::DOUBLE AS wind_speed, wind_gust::DOUBLE AS wind_gust,
        precip::DOUBLE AS precip, pressure::DOUBLE AS pressure, visib::DOUBLE AS visib
    FROM weather
)
SELECT
    flights.* EXCLUDE (position, due),
    latest.* EXCLUDE (origin, time_hour),
    latest.temp - earlier.temp AS temp_change,
    latest.pressure - earlier.pressure AS pressure_change,
    list_sum([latest.precip, before_2h.precip, before_3h.precip]) AS precip_3h,
    latest.origin IS NOT NULL AS weather_matched,
    year(flights.scheduled_local) - planes.year::DOUBLE AS plane_age,
    planes.seats::DOUBLE AS seats,
    planes.tailnum IS NOT NULL AS plane_matched
FROM flights
LEFT JOIN observed AS latest ON latest.origin = flights.origin AND latest.time_hour = due - INTERVAL 1 HOUR
LEFT JOIN observed AS before_2h ON before_2h.origin = flights.origin AND before_2h.time_hour = due - INTERVAL 2 HOURS
LEFT JOIN observed AS before_3h ON before_3h.origin = flights.origin AND before_3h.time_hour = due - INTERVAL 3 HOURS
LEFT JOIN observed AS earlier ON earlier.origin = flights.origin AND earlier.time_hour = due - INTERVAL 4 HOURS
LEFT JOIN planes ON planes.tailnum = flights.tailnum
ORDER BY flights.position
