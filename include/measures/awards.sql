/*
subject: awards
grain: one row per enterprise
inputs: [enterprises, delivered, st_award, award_rules, patent_award_levels]
outputs:
  patent_award_level_3y: {unit: 档, decimals: 0, datasets: [ST_AWARD], zh: 近三年专利奖最高档(市1、省2、中国专利优秀奖3、银奖及以上4)}
  provincial_awards_2y: {unit: 项, decimals: 0, datasets: [ST_AWARD], zh: 近两年省级及以上科学技术奖项数(单位排名靠前)}
  local_awards_and_contests_2y: {unit: 项, decimals: 0, datasets: [ST_AWARD], zh: 近两年市级科学技术奖与各级创新创业大赛获奖项数}
*/
-- An award is its last line: one that was revoked never counts again. The lists name every unit, so that an enterprise
-- that none names was awarded nothing (0). Without the lists nothing is known.
WITH
award AS (
    SELECT
        *,
        awarded_on > getvariable('as_of') - INTERVAL 2 YEAR AND awarded_on <= getvariable('as_of') AS in_2y,
        awarded_on > getvariable('as_of') - INTERVAL 3 YEAR AND awarded_on <= getvariable('as_of') AS in_3y
    FROM st_award
    WHERE status = '有效'
),

counted AS (
    SELECT
        a.uscc,
        max(p.award_level) FILTER (WHERE a.kind = '专利奖' AND a.in_3y) AS patent_award_level,
        count(*) FILTER (
            WHERE a.kind = '科学技术奖' AND a.level IN ('国家', '省') AND a.unit_rank <= r.unit_rank_at_most AND a.in_2y
        ) AS provincial,
        count(*) FILTER (
            WHERE ((a.kind = '科学技术奖' AND a.level = '市') OR a.kind = '创新创业大赛') AND a.in_2y
        ) AS local_awards
    FROM award AS a
    CROSS JOIN award_rules AS r
    LEFT JOIN patent_award_levels AS p ON p.level = a.level AND p.grade = a.grade
    GROUP BY a.uscc
)

SELECT
    e.uscc,
    CASE WHEN d.st_award THEN coalesce(c.patent_award_level, 0) END AS patent_award_level_3y,
    CASE WHEN d.st_award THEN coalesce(c.provincial, 0) END AS provincial_awards_2y,
    CASE WHEN d.st_award THEN coalesce(c.local_awards, 0) END AS local_awards_and_contests_2y
FROM enterprises AS e
CROSS JOIN delivered AS d
LEFT JOIN counted AS c ON c.uscc = e.uscc
