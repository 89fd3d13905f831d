/*
subject: talent
grain: one row per enterprise
inputs: [enterprises, delivered, hr_talent, talent_kinds]
outputs:
  provincial_talents: {unit: 人, decimals: 0, datasets: [HR_TALENT], zh: 国家级和省级人才计划入选且参保人数(国家级按2倍)}
  municipal_talents: {unit: 人, decimals: 0, datasets: [HR_TALENT], zh: 市级领军与区级人才项目入选且在职人数}
  overseas_experts: {unit: 人, decimals: 0, datasets: [HR_TALENT], zh: 有效工作许可的外国专家与学历经认证的留学归国人员数}
*/
-- The lists name every person selected: an enterprise that no list names has none (0). Without the lists nothing is
-- known. Of a certificate the line published last says how it stands. A person is told by the keyed hash of the name
-- within the enterprise, and counts once in a family, by the highest plan.
WITH
certificate AS (
    SELECT *
    FROM hr_talent
    QUALIFY row_number() OVER (
        PARTITION BY uscc, kind, certificate_no
        ORDER BY published_on DESC, status = '取消' DESC, list_batch DESC, line_no DESC
    ) = 1
),

person AS (
    SELECT
        c.uscc,
        k.family,
        c.person,
        max(k.heads) AS heads
    FROM certificate AS c
    INNER JOIN talent_kinds AS k ON k.kind = c.kind
    WHERE
        c.status = '有效' AND c.selected_on <= getvariable('as_of')
        AND (c.valid_until IS NULL OR c.valid_until >= getvariable('as_of'))
        AND (c.employment = '在职参保' OR (k.family <> 'provincial' AND c.employment = '在职未参保'))
        AND (c.kind <> '留学归国人员' OR c.degree_certified = '是')
    GROUP BY c.uscc, k.family, c.person
),

counted AS (
    SELECT
        uscc,
        sum(heads) FILTER (WHERE family = 'provincial') AS provincial,
        sum(heads) FILTER (WHERE family = 'municipal') AS municipal,
        sum(heads) FILTER (WHERE family = 'overseas') AS overseas
    FROM person
    GROUP BY uscc
)

SELECT
    e.uscc,
    CASE WHEN d.hr_talent THEN coalesce(c.provincial, 0) END AS provincial_talents,
    CASE WHEN d.hr_talent THEN coalesce(c.municipal, 0) END AS municipal_talents,
    CASE WHEN d.hr_talent THEN coalesce(c.overseas, 0) END AS overseas_experts
FROM enterprises AS e
CROSS JOIN delivered AS d
LEFT JOIN counted AS c ON c.uscc = e.uscc
