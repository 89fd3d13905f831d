/*
subject: people
grain: one row per enterprise
inputs: [enterprises, hr_ins, hr_staff, tax_vat]
outputs:
  insured_headcount: {unit: 人, decimals: 2, datasets: [HR_INS], zh: 参保职工数(本年月平均)}
  insured_january: {unit: 人, decimals: 0, datasets: [HR_INS], zh: 年初(1月)参保人数}
  retained_december: {unit: 人, decimals: 0, datasets: [HR_INS], zh: 年初在册且年末(12月)仍在册人数}
  insured_december: {unit: 人, decimals: 0, datasets: [HR_INS], zh: 12月参保人数}
  insured_december_prior1: {unit: 人, decimals: 0, datasets: [HR_INS], zh: 上年12月参保人数}
  graduates_hired: {unit: 人, decimals: 0, datasets: [HR_INS], zh: 当年吸纳应届高校毕业生数}
  operating_months: {unit: 月, decimals: 0, datasets: [HR_INS, TAX_VAT], zh: 近24个月中有参保且增值税已申报的月数}
  registered_staff: {unit: 人, decimals: 0, datasets: [HR_STAFF], zh: 在册人数}
  bachelors_and_above: {unit: 人, decimals: 0, datasets: [HR_STAFF], zh: 本科及以上人数}
  postgraduates: {unit: 人, decimals: 0, datasets: [HR_STAFF], zh: 硕士和博士人数}
  mid_senior_titles: {unit: 人, decimals: 0, datasets: [HR_STAFF], zh: 中级及以上职称人数}
  high_skilled: {unit: 人, decimals: 0, datasets: [HR_STAFF], zh: 高级工及以上人数}
  rd_posts: {unit: 人, decimals: 0, datasets: [HR_STAFF], zh: 研发岗位人数}
  rd_posts_prior1: {unit: 人, decimals: 0, datasets: [HR_STAFF], zh: 上年研发岗位人数}
  rd_masters: {unit: 人, decimals: 0, datasets: [HR_STAFF], zh: 研发岗位硕士人数}
  rd_doctors: {unit: 人, decimals: 0, datasets: [HR_STAFF], zh: 研发岗位博士人数}
*/
-- An enterprise's insurance units are added. A month that is not held is unknown, not empty: the yearly mean is over
-- the months held (a firm founded in July is not halved), half up at two decimals.
WITH
month_total AS (
    SELECT uscc, month, sum(insured) AS insured, sum(retained_from_january) AS retained
    FROM hr_ins
    GROUP BY uscc, month
),

insured AS (
    SELECT
        uscc,
        sum(insured) FILTER (WHERE year(month) = getvariable('closed_year')) AS person_months,
        count(*) FILTER (WHERE year(month) = getvariable('closed_year')) AS months,
        max(insured) FILTER (WHERE month = make_date(getvariable('closed_year'), 1, 1)) AS january,
        max(retained) FILTER (WHERE month = make_date(getvariable('closed_year'), 12, 1)) AS retained,
        max(insured) FILTER (WHERE month = make_date(getvariable('closed_year'), 12, 1)) AS december,
        max(insured) FILTER (WHERE month = make_date(getvariable('closed_year') - 1, 12, 1)) AS december_prior1
    FROM month_total
    GROUP BY uscc
),

-- The count cumulates over the year: of each unit its last month in the year.
unit_graduates AS (
    SELECT uscc, graduates_insured
    FROM hr_ins
    WHERE year(month) = getvariable('closed_year')
    QUALIFY row_number() OVER (PARTITION BY uscc, unit_no ORDER BY month DESC, received_at DESC) = 1
),

graduates AS (
    SELECT uscc, sum(graduates_insured) AS graduates
    FROM unit_graduates
    GROUP BY uscc
),

-- 24 months up to the end of the last quarter that closed a full month before as_of's month: by then the quarterly
-- VAT returns (due on the 15th) and the headcounts (about the 25th) have arrived, so lateness costs nobody a month.
-- On 2026-11-23 it is October 2024 to September 2026, and it stays so until the end of January.
lookback AS (
    SELECT
        CAST(date_trunc('quarter', date_trunc('month', getvariable('as_of')) - INTERVAL 1 MONTH) AS DATE) AS upto
),

lookback_month AS (
    SELECT m.uscc, m.month, m.insured
    FROM month_total AS m
    CROSS JOIN lookback AS l
    WHERE m.month < l.upto AND m.month >= l.upto - INTERVAL 24 MONTH
),

declared AS (
    SELECT DISTINCT v.uscc
    FROM tax_vat AS v
    CROSS JOIN lookback AS l
    WHERE v.period_from < l.upto AND v.period_to >= l.upto - INTERVAL 24 MONTH
),

-- A filing speaks for every month that its period covers: a quarter for three.
operating AS (
    SELECT m.uscc, count(DISTINCT CASE WHEN m.insured > 0 AND v.uscc IS NOT NULL THEN m.month END) AS months
    FROM lookback_month AS m
    INNER JOIN declared AS d ON d.uscc = m.uscc
    LEFT JOIN tax_vat AS v ON v.uscc = m.uscc AND m.month BETWEEN v.period_from AND v.period_to
    GROUP BY m.uscc
),

-- Structure of the year: the last quarter end of the year that any unit reported, added over the units.
structure AS (
    SELECT
        uscc,
        year(quarter_end) AS staff_year,
        sum(staff) AS staff,
        sum(bachelors_and_above) AS bachelors_and_above,
        sum(masters + doctors) AS postgraduates,
        sum(mid_senior_titles) AS mid_senior_titles,
        sum(high_skilled) AS high_skilled,
        sum(rd_posts) AS rd_posts,
        sum(rd_masters) AS rd_masters,
        sum(rd_doctors) AS rd_doctors
    FROM hr_staff
    GROUP BY uscc, year(quarter_end), quarter_end
    QUALIFY row_number() OVER (PARTITION BY uscc, year(quarter_end) ORDER BY quarter_end DESC) = 1
)

SELECT
    e.uscc,
    CASE WHEN i.months > 0 THEN ((i.person_months * 200 + i.months) // (2 * i.months)) * 0.01 END AS insured_headcount,
    i.january AS insured_january,
    i.retained AS retained_december,
    i.december AS insured_december,
    i.december_prior1 AS insured_december_prior1,
    g.graduates AS graduates_hired,
    o.months AS operating_months,
    s0.staff AS registered_staff,
    s0.bachelors_and_above,
    s0.postgraduates,
    s0.mid_senior_titles,
    s0.high_skilled,
    s0.rd_posts,
    s1.rd_posts AS rd_posts_prior1,
    s0.rd_masters,
    s0.rd_doctors
FROM enterprises AS e
LEFT JOIN insured AS i ON i.uscc = e.uscc
LEFT JOIN graduates AS g ON g.uscc = e.uscc
LEFT JOIN operating AS o ON o.uscc = e.uscc
LEFT JOIN structure AS s0 ON s0.uscc = e.uscc AND s0.staff_year = getvariable('closed_year')
LEFT JOIN structure AS s1 ON s1.uscc = e.uscc AND s1.staff_year = getvariable('closed_year') - 1
