/*
subject: risk
grain: one row per enterprise
inputs: [enterprises, delivered, reg_risk, credit_grades, abnormal_listing_counts]
outputs:
  public_credit_grade: {unit: 级, decimals: 0, datasets: [REG_RISK], zh: 公共信用综合评价等级(优3、良2、中1、差0)}
  general_penalties_3y: {unit: 次, decimals: 0, datasets: [REG_RISK], zh: 近三年安全生产与生态环境一般行政处罚次数}
  serious_penalties_3y: {unit: 次, decimals: 0, datasets: [REG_RISK], zh: 近三年安全生产与生态环境较大及重大行政处罚次数}
  abnormal_listings: {unit: 次, decimals: 1, datasets: [REG_RISK], zh: 经营异常名录计次(在册1、近三年内移出0.5)}
  veto_major_accident: {unit: 是否, decimals: 0, datasets: [REG_RISK], zh: 近三年有重大安全事故或严重环境违法(一票否决)}
  veto_dishonest: {unit: 是否, decimals: 0, datasets: [REG_RISK], zh: 基准日在严重违法失信或科研失信名单(一票否决)}
*/
-- The register names everybody who was punished or listed: who is not in it has a true zero. Without the register
-- nothing is known, which is not the same as nothing on record. A grade is a report: who was never graded has none.
-- A revoked record never was; a removal ends a listing on its day.
WITH
record AS (
    SELECT
        r.*,
        g.level,
        r.decided_on > getvariable('as_of') - INTERVAL 3 YEAR AS recent,
        r.removed_on IS NULL OR r.removed_on > getvariable('as_of') AS standing,
        r.removed_on > getvariable('as_of') - INTERVAL 3 YEAR AS stood_recently,
        r.penalty_field IN ('安全生产', '生态环境') AS safety_or_environment
    FROM reg_risk AS r
    LEFT JOIN credit_grades AS g ON g.grade = r.grade
    WHERE r.state = '有效' AND r.decided_on <= getvariable('as_of')
),

graded AS (
    SELECT uscc, level
    FROM record
    WHERE record_kind = '公共信用评价' AND level IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY uscc ORDER BY grade_year DESC, decided_on DESC, updated_at DESC, record_no DESC
    ) = 1
),

counted AS (
    SELECT
        uscc,
        count(*) FILTER (penalised AND recent AND severity = '一般') AS general,
        count(*) FILTER (penalised AND recent AND severity IN ('较大', '重大')) AS serious,
        sum(CASE
            WHEN record_kind <> '经营异常' THEN 0
            WHEN standing THEN n.standing_tenths
            WHEN stood_recently THEN n.removed_tenths
            ELSE 0
        END) AS abnormal_tenths,
        max(CASE WHEN penalised AND recent AND severity = '重大' THEN 1 ELSE 0 END) AS major,
        max(CASE WHEN record_kind IN ('严重违法失信', '科研失信') AND standing THEN 1 ELSE 0 END) AS dishonest
    FROM (SELECT *, record_kind = '行政处罚' AND safety_or_environment AS penalised FROM record) AS marked
    CROSS JOIN abnormal_listing_counts AS n
    GROUP BY uscc
)

SELECT
    e.uscc,
    g.level AS public_credit_grade,
    CASE WHEN d.reg_risk THEN coalesce(c.general, 0) END AS general_penalties_3y,
    CASE WHEN d.reg_risk THEN coalesce(c.serious, 0) END AS serious_penalties_3y,
    CAST(CASE WHEN d.reg_risk THEN coalesce(c.abnormal_tenths, 0) * 0.1 END AS DECIMAL(24, 1)) AS abnormal_listings,
    CASE WHEN d.reg_risk THEN coalesce(c.major, 0) END AS veto_major_accident,
    CASE WHEN d.reg_risk THEN coalesce(c.dishonest, 0) END AS veto_dishonest
FROM enterprises AS e
CROSS JOIN delivered AS d
LEFT JOIN graded AS g ON g.uscc = e.uscc
LEFT JOIN counted AS c ON c.uscc = e.uscc
