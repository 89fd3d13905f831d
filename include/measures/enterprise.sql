/*
subject: enterprise
grain: one row per enterprise
inputs: [enterprises, industry_tiers, average_wage]
outputs:
  age_years: {unit: 年, decimals: 4, datasets: [REG_ENT], zh: 成立年限}
  registered_capital_yuan: {unit: 元, decimals: 2, datasets: [REG_ENT], zh: 注册资本}
  paid_in_capital_yuan: {unit: 元, decimals: 2, datasets: [REG_ENT], zh: 实收资本}
  employee_platform_holder: {unit: 是否, decimals: 0, datasets: [REG_ENT], zh: 有员工持股平台股东}
  industry_tier: {unit: 档, decimals: 0, datasets: [REG_ENT], zh: 行业归属档次(区主导3、战新2、高技术1、其他0)}
  average_wage_yuan: {unit: 元/人, decimals: 0, datasets: [], zh: 本市城镇单位就业人员平均工资(本年)}
*/
-- A year of age is 365.25 days (1461/4), half up at four decimals.
-- The tier is the highest whose list holds a prefix of the class; the list says 区主导 3, 战新 2, 高技术 1.
WITH
tier AS (
    SELECT e.uscc, max(t.tier) AS tier
    FROM enterprises AS e
    INNER JOIN industry_tiers AS t ON starts_with(e.industry_code, t.prefix)
    GROUP BY e.uscc
),

-- The last year published so far, never a later one than the closed year.
wage AS (
    SELECT yuan
    FROM average_wage
    WHERE year <= getvariable('closed_year')
    ORDER BY year DESC
    LIMIT 1
)

SELECT
    e.uscc,
    ((date_diff('day', e.established_on, getvariable('as_of')) * 80000 + 1461) // 2922) * 0.0001 AS age_years,
    e.registered_capital_yuan,
    e.paid_in_capital_yuan,
    e.employee_platform_holder,
    CASE WHEN e.industry_code IS NOT NULL THEN coalesce(t.tier, 0) END AS industry_tier,
    (SELECT yuan FROM wage) AS average_wage_yuan
FROM enterprises AS e
LEFT JOIN tier AS t ON t.uscc = e.uscc
