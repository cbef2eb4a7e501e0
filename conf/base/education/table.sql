-- One row per enrolment that is not withdrawn on day $day of its presentation, with what was known before that day.
WITH enrolled AS (
    SELECT *
    FROM studentInfo
    JOIN studentRegistration USING (code_module, code_presentation, id_student)
    WHERE coalesce(date_registration, 0) < $day AND coalesce(date_unregistration >= $day, true)
),
-- Marks carried over from an earlier presentation are no work of this one.
work AS (
    SELECT
        code_module, code_presentation, id_student,
        count(*) AS submitted,
        sum(score * weight) / nullif(sum(weight) FILTER (score IS NOT NULL), 0) AS weighted_score,
        avg(score) AS mean_score,
        min(score) AS lowest_score,
        avg(date - date_submitted) AS days_early,
        count(*) FILTER (date_submitted > date) AS late
    FROM studentAssessment
    JOIN assessments USING (id_assessment)
    WHERE date_submitted < $day AND is_banked = 0
    GROUP BY ALL
),
due AS (
    SELECT code_module, code_presentation, count(*) AS due, sum(weight) AS weight_due
    FROM assessments
    WHERE date < $day
    GROUP BY ALL
),
-- Whole weeks before the day; `ago` counts back from it.
weeks AS (
    SELECT *, $day // 7 - week AS ago FROM studentVleWeekly WHERE week < $day // 7
),
visits AS (
    SELECT
        code_module, code_presentation, id_student,
        sum(clicks) AS clicks,
        sum(clicks) FILTER (week < 0) AS clicks_before,
        sum(clicks) FILTER (ago = 1) AS clicks_last_week,
        sum(clicks) FILTER (ago = 2) AS clicks_week_before,
        sum(active_days) FILTER (week >= 0) AS active_days,
        sum(active_days) FILTER (ago = 1) AS active_days_last_week,
        sum(active_days) FILTER (ago = 2) AS active_days_week_before,
        max(sites) AS most_sites,
        sum(sites) FILTER (ago = 1) AS sites_last_week,
        count(*) FILTER (week >= 0) AS active_weeks
    FROM weeks
    GROUP BY ALL
)
SELECT
    enrolled.* EXCLUDE (date_unregistration, imd_band),
    -- One band is spelt without its sign.
    replace(imd_band, '10-20', '10-20%').replace('%%', '%') AS imd_band,
    right(code_presentation, 1) AS month,
    CASE right(code_presentation, 1) WHEN 'B' THEN make_date(left(code_presentation, 4)::INT, 2, 1)
        ELSE make_date(left(code_presentation, 4)::INT, 10, 1) END AS starts,
    module_presentation_length AS length,
    coalesce(due, 0) AS due,
    weight_due,
    coalesce(submitted, 0) AS submitted,
    coalesce(due, 0) - coalesce(submitted, 0) AS missed,
    weighted_score, mean_score, lowest_score, days_early, coalesce(late, 0) AS late,
    coalesce(COLUMNS(visits.* EXCLUDE (code_module, code_presentation, id_student)), 0)
FROM enrolled
LEFT JOIN courses USING (code_module, code_presentation)
LEFT JOIN due USING (code_module, code_presentation)
LEFT JOIN work USING (code_module, code_presentation, id_student)
LEFT JOIN visits USING (code_module, code_presentation, id_student)
ORDER BY code_presentation, code_module, id_student
