/*
subject: rights
grain: one row per enterprise
inputs: [enterprises, delivered, ip_other, ip_right_kinds, ip_model_levels]
outputs:
  other_class1_ip_count: {unit: 件, decimals: 0, datasets: [IP_OTHER], zh: 其他Ⅰ类知识产权有效件数(不分摊)}
  software_copyrights_valid: {unit: 件, decimals: 0, datasets: [IP_OTHER], zh: 登记软件著作权有效件数(不分摊)}
  software_and_layouts_registered: {unit: 件, decimals: 0, datasets: [IP_OTHER], zh: 当年登记的软件著作权与布图设计件数}
  ip_model_enterprise_level: {unit: 档, decimals: 0, datasets: [IP_OTHER], zh: 知识产权示范优势等级(市1、省2、国家优势3、国家示范4)}
*/
-- The register names every owner: an enterprise that it does not name owns none (0); without it nothing is known.
-- Conforming has kept the last state of each record, and one row for each owner that it names. Whole rights are counted.
WITH
in_force AS (
    SELECT *
    FROM ip_other
    WHERE
        status = '有效' AND registered_on <= getvariable('as_of')
        AND (valid_until IS NULL OR valid_until >= getvariable('as_of'))
),

owned AS (
    SELECT
        r.uscc,
        count(*) FILTER (WHERE k.ip_class = 1) AS class1,
        count(*) FILTER (WHERE k.ip_class = 2) AS class2
    FROM in_force AS r
    INNER JOIN ip_right_kinds AS k ON k.kind = r.kind
    GROUP BY r.uscc
),

-- Of the year: what was registered in it and has not been struck off since; a right that ran out later was registered.
registered AS (
    SELECT r.uscc, count(*) AS registered
    FROM ip_other AS r
    INNER JOIN ip_right_kinds AS k ON k.kind = r.kind
    WHERE
        k.counts_when_registered = 1 AND r.status <> '撤销'
        AND year(r.registered_on) = getvariable('closed_year')
    GROUP BY r.uscc
),

model AS (
    SELECT r.uscc, max(m.level) AS level
    FROM in_force AS r
    INNER JOIN ip_model_levels AS m ON m.level_name = r.level
    WHERE
        r.kind = '知识产权示范优势企业'
        AND coalesce(r.valid_until, CAST(r.registered_on + to_years(m.valid_years) - INTERVAL 1 DAY AS DATE))
        >= getvariable('as_of')
    GROUP BY r.uscc
)

SELECT
    e.uscc,
    CASE WHEN d.ip_other THEN coalesce(o.class1, 0) END AS other_class1_ip_count,
    CASE WHEN d.ip_other THEN coalesce(o.class2, 0) END AS software_copyrights_valid,
    CASE WHEN d.ip_other THEN coalesce(r.registered, 0) END AS software_and_layouts_registered,
    CASE WHEN d.ip_other THEN coalesce(m.level, 0) END AS ip_model_enterprise_level
FROM enterprises AS e
CROSS JOIN delivered AS d
LEFT JOIN owned AS o ON o.uscc = e.uscc
LEFT JOIN registered AS r ON r.uscc = e.uscc
LEFT JOIN model AS m ON m.uscc = e.uscc
