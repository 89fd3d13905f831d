/*
subject: recognitions
grain: one row per enterprise
inputs: [enterprises, delivered, miit_qual, industry_recognitions, recognition_levels]
outputs:
  sme_ladder_level: {unit: 档, decimals: 0, datasets: [MIIT_QUAL], zh: 专精特新梯度(创新型1、专精特新2、小巨人3、单项冠军4)}
  smart_green_level: {unit: 档, decimals: 0, datasets: [MIIT_QUAL], zh: 智能绿色两化融合示范最高级(市1、省2、国家3)}
  first_sets_3y: {unit: 项, decimals: 0, datasets: [MIIT_QUAL], zh: 近三年省级及以上首台套首批次首版次与新产品认定数}
*/
-- The lists name every holder: an enterprise that no list names holds nothing (0). Without the lists nothing is known.
-- A withdrawal is a later line for the same certificate: the line published last decides.
WITH
certificate AS (
    SELECT *
    FROM miit_qual
    QUALIFY row_number() OVER (
        PARTITION BY uscc, recognition, certificate_no
        ORDER BY published_on DESC, status = '撤销' DESC, list_batch DESC, line_no DESC
    ) = 1
),

standing AS (
    SELECT
        c.uscc,
        r.family,
        r.rung AS ladder,
        l.rung AS level,
        c.recognised_on,
        coalesce(
            c.valid_until, CAST(c.recognised_on + to_years(r.valid_years) - INTERVAL 1 DAY AS DATE)
        ) AS valid_until
    FROM certificate AS c
    INNER JOIN industry_recognitions AS r ON r.recognition = c.recognition
    INNER JOIN recognition_levels AS l ON l.level_name = c.level
    WHERE c.status = '有效' AND c.recognised_on <= getvariable('as_of')
),

-- A first set is an event of its day; the others are held as long as they are valid.
counted AS (
    SELECT
        uscc,
        max(CASE WHEN family = 'sme_ladder' AND held THEN ladder ELSE 0 END) AS ladder,
        max(CASE WHEN family = 'smart_green' AND held THEN level ELSE 0 END) AS smart_green,
        count(*) FILTER (
            WHERE family = 'first_set' AND level >= 2
            AND recognised_on > getvariable('as_of') - INTERVAL 3 YEAR
        ) AS first_sets
    FROM (
        SELECT
            *,
            valid_until IS NULL OR valid_until >= getvariable('as_of') AS held
        FROM standing
    ) AS dated
    GROUP BY uscc
)

SELECT
    e.uscc,
    CASE WHEN d.miit_qual THEN coalesce(c.ladder, 0) END AS sme_ladder_level,
    CASE WHEN d.miit_qual THEN coalesce(c.smart_green, 0) END AS smart_green_level,
    CASE WHEN d.miit_qual THEN coalesce(c.first_sets, 0) END AS first_sets_3y
FROM enterprises AS e
CROSS JOIN delivered AS d
LEFT JOIN counted AS c ON c.uscc = e.uscc
