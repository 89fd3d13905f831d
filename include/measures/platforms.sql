/*
subject: platforms
grain: one row per enterprise
inputs: [enterprises, delivered, st_plat, platform_kinds, platform_levels, platform_appraisals]
outputs:
  valid_platforms: {unit: 个, decimals: 0, datasets: [ST_PLAT], zh: 有效平台数(各级各类)}
  provincial_platforms_2y: {unit: 个, decimals: 0, datasets: [ST_PLAT], zh: 近两年新获批的省级及以上平台数}
  municipal_research_units: {unit: 个, decimals: 0, datasets: [ST_PLAT], zh: 有效市区级研发机构数(与省级以上重名的不计)}
  highest_platform_level: {unit: 档, decimals: 0, datasets: [ST_PLAT], zh: 有效平台最高级(区1、市2、省3、国家4)}
  talent_stations: {unit: 个, decimals: 0, datasets: [ST_PLAT], zh: 有效引智站点数}
  joint_platforms_listed: {unit: 个, decimals: 0, datasets: [ST_PLAT], zh: 平台名单中有效的联合实验室与联合创新中心数}
  platform_appraisal_grade: {unit: 档, decimals: 0, datasets: [ST_PLAT], zh: 有效平台最近一次考评的最好结果}
*/
-- The lists name every platform: an enterprise that no list names has none (0). Without the lists nothing is known.
-- Of a platform the line published last says how it stands; a cancellation of the same day goes last.
WITH
platform AS (
    SELECT *
    FROM st_plat
    QUALIFY row_number() OVER (
        PARTITION BY uscc, platform_no
        ORDER BY published_on DESC, status = '取消' DESC, list_batch DESC, line_no DESC
    ) = 1
),

valid AS (
    SELECT
        p.uscc,
        p.platform_no,
        regexp_replace(translate(p.platform_name, '（）', '()'), '\s', '', 'g') AS name,
        p.approved_on,
        l.rung,
        k.research_unit,
        k.station,
        k.joint
    FROM platform AS p
    INNER JOIN platform_kinds AS k ON k.kind = p.kind
    INNER JOIN platform_levels AS l ON l.level_name = p.level
    WHERE
        p.status = '有效' AND p.approved_on <= getvariable('as_of')
        AND (p.valid_until IS NULL OR p.valid_until >= getvariable('as_of'))
),

-- An R&D unit of the city or the zone that has risen under its name is the provincial one, and counts no more here.
risen AS (
    SELECT DISTINCT uscc, name
    FROM valid
    WHERE rung >= 3
),

-- Of each platform its own last appraisal, for they are appraised in turns of several years.
appraised AS (
    SELECT
        s.uscc,
        s.platform_no,
        a.grade
    FROM st_plat AS s
    INNER JOIN platform_appraisals AS a ON a.appraisal_result = s.appraisal_result
    WHERE s.appraisal_year IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY s.uscc, s.platform_no
        ORDER BY s.appraisal_year DESC, s.published_on DESC, s.list_batch DESC, s.line_no DESC
    ) = 1
),

counted AS (
    SELECT
        v.uscc,
        count(*) AS platforms,
        count(*) FILTER (
            WHERE v.rung >= 3 AND v.approved_on > getvariable('as_of') - INTERVAL 2 YEAR
        ) AS provincial_2y,
        count(DISTINCT CASE WHEN v.research_unit = 1 AND v.rung < 3 AND r.uscc IS NULL THEN v.name END) AS municipal,
        max(v.rung) AS highest,
        sum(v.station) AS stations,
        sum(v.joint) AS joint,
        max(a.grade) AS grade
    FROM valid AS v
    LEFT JOIN risen AS r ON r.uscc = v.uscc AND r.name = v.name
    LEFT JOIN appraised AS a ON a.uscc = v.uscc AND a.platform_no = v.platform_no
    GROUP BY v.uscc
)

SELECT
    e.uscc,
    CASE WHEN d.st_plat THEN coalesce(c.platforms, 0) END AS valid_platforms,
    CASE WHEN d.st_plat THEN coalesce(c.provincial_2y, 0) END AS provincial_platforms_2y,
    CASE WHEN d.st_plat THEN coalesce(c.municipal, 0) END AS municipal_research_units,
    CASE WHEN d.st_plat THEN coalesce(c.highest, 0) END AS highest_platform_level,
    CASE WHEN d.st_plat THEN coalesce(c.stations, 0) END AS talent_stations,
    CASE WHEN d.st_plat THEN coalesce(c.joint, 0) END AS joint_platforms_listed,
    c.grade AS platform_appraisal_grade
FROM enterprises AS e
CROSS JOIN delivered AS d
LEFT JOIN counted AS c ON c.uscc = e.uscc
