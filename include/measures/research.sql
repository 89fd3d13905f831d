/*
subject: research
grain: one row per enterprise
inputs: [enterprises, delivered, tax_rdd, tax_hnte]
outputs:
  rd_expense_deduction_yuan: {unit: 元, decimals: 2, datasets: [TAX_RDD], zh: 加计扣除口径研发费用}
  rd_expense_deduction_yuan_prior1: {unit: 元, decimals: 2, datasets: [TAX_RDD], zh: 上年加计扣除口径研发费用}
  rd_expense_deduction_yuan_prior2: {unit: 元, decimals: 2, datasets: [TAX_RDD], zh: 两年前加计扣除口径研发费用}
  rd_expense_deduction_yuan_prior3: {unit: 元, decimals: 2, datasets: [TAX_RDD], zh: 三年前加计扣除口径研发费用}
  rd_project_count: {unit: 项, decimals: 0, datasets: [TAX_RDD], zh: 可享受加计扣除的研发项目数}
  rd_own_yuan: {unit: 元, decimals: 2, datasets: [TAX_RDD], zh: 自主研发费用}
  rd_outsourced_yuan: {unit: 元, decimals: 2, datasets: [TAX_RDD], zh: 委托研发费用}
  rd_personnel_yuan: {unit: 元, decimals: 2, datasets: [TAX_RDD], zh: 研发人员人工费用}
  rd_wages_yuan: {unit: 元, decimals: 2, datasets: [TAX_RDD], zh: 直接从事研发活动人员工资薪金}
  rd_pilot_yuan: {unit: 元, decimals: 2, datasets: [TAX_RDD], zh: 中试、样品样机与试制产品检验费}
  rd_depreciation_amortisation_yuan: {unit: 元, decimals: 2, datasets: [TAX_RDD], zh: 研发折旧与无形资产摊销}
  rd_capitalised_yuan: {unit: 元, decimals: 2, datasets: [TAX_RDD], zh: 研发费用资本化金额}
  super_deduction_yuan: {unit: 元, decimals: 2, datasets: [TAX_RDD], zh: 研发费用加计扣除总额}
  super_deduction_years: {unit: 年, decimals: 0, datasets: [TAX_RDD], zh: 近三个纳税年度享受加计扣除的年数}
  rdd_correction_no: {unit: 次, decimals: 0, datasets: [TAX_RDD], zh: 加计扣除附表更正次数}
  rd_expense_hnte_yuan: {unit: 元, decimals: 2, datasets: [TAX_HNTE], zh: 高企口径研发费用}
  rd_expense_hnte_yuan_prior1: {unit: 元, decimals: 2, datasets: [TAX_HNTE], zh: 上年高企口径研发费用}
  rd_expense_hnte_yuan_prior2: {unit: 元, decimals: 2, datasets: [TAX_HNTE], zh: 两年前高企口径研发费用}
  hnte_sales_yuan: {unit: 元, decimals: 2, datasets: [TAX_HNTE], zh: 高企口径销售收入}
  hnte_sales_yuan_prior1: {unit: 元, decimals: 2, datasets: [TAX_HNTE], zh: 上年高企口径销售收入}
  hnte_sales_yuan_prior2: {unit: 元, decimals: 2, datasets: [TAX_HNTE], zh: 两年前高企口径销售收入}
  overseas_rd_expense_yuan: {unit: 元, decimals: 2, datasets: [TAX_HNTE], zh: 可计入的境外外部研发费}
  high_tech_revenue_yuan: {unit: 元, decimals: 2, datasets: [TAX_HNTE], zh: 高新技术产品(服务)收入}
  technical_revenue_yuan: {unit: 元, decimals: 2, datasets: [TAX_HNTE], zh: 技术性收入}
  total_income_yuan: {unit: 元, decimals: 2, datasets: [TAX_HNTE], zh: 企业总收入}
  st_staff: {unit: 人, decimals: 0, datasets: [TAX_HNTE], zh: 科技人员数}
  st_staff_prior1: {unit: 人, decimals: 0, datasets: [TAX_HNTE], zh: 上年科技人员数}
  staff: {unit: 人, decimals: 0, datasets: [TAX_HNTE], zh: 职工总数(A107041)}
  flag_st_staff_not_from_a107041: {unit: 是否, decimals: 0, datasets: [TAX_HNTE], zh: 本年无A107041，科技人员取人社口径}
*/
-- One A107012 and one A107041 per enterprise and year; of two tax registrations the filing that arrived last stands.
WITH
deduction AS (
    SELECT *
    FROM tax_rdd
    QUALIFY row_number() OVER (PARTITION BY uscc, tax_year ORDER BY received_at DESC, filing_id DESC) = 1
),

high_tech AS (
    SELECT *
    FROM tax_hnte
    QUALIFY row_number() OVER (PARTITION BY uscc, tax_year ORDER BY received_at DESC, filing_id DESC) = 1
),

enjoyed AS (
    SELECT uscc, sum(CASE WHEN super_deduction_yuan > 0 THEN 1 ELSE 0 END) AS years
    FROM deduction
    WHERE tax_year BETWEEN getvariable('closed_year') - 2 AND getvariable('closed_year')
    GROUP BY uscc
)

SELECT
    e.uscc,
    d0.rd_expense_yuan AS rd_expense_deduction_yuan,
    d1.rd_expense_yuan AS rd_expense_deduction_yuan_prior1,
    d2.rd_expense_yuan AS rd_expense_deduction_yuan_prior2,
    d3.rd_expense_yuan AS rd_expense_deduction_yuan_prior3,
    d0.project_count AS rd_project_count,
    d0.own_rd_expense_yuan AS rd_own_yuan,
    d0.outsourced_yuan AS rd_outsourced_yuan,
    d0.personnel_yuan AS rd_personnel_yuan,
    d0.wages_yuan AS rd_wages_yuan,
    d0.pilot_tooling_yuan + d0.samples_yuan + d0.trial_inspection_yuan AS rd_pilot_yuan,
    d0.depreciation_yuan + d0.amortisation_yuan AS rd_depreciation_amortisation_yuan,
    d0.capitalised_yuan AS rd_capitalised_yuan,
    d0.super_deduction_yuan,
    n.years AS super_deduction_years,
    d0.correction_no AS rdd_correction_no,
    h0.rd_expense_yuan AS rd_expense_hnte_yuan,
    h1.rd_expense_yuan AS rd_expense_hnte_yuan_prior1,
    h2.rd_expense_yuan AS rd_expense_hnte_yuan_prior2,
    h0.sales_yuan AS hnte_sales_yuan,
    h1.sales_yuan AS hnte_sales_yuan_prior1,
    h2.sales_yuan AS hnte_sales_yuan_prior2,
    h0.overseas_rd_expense_yuan,
    h0.high_tech_revenue_yuan,
    h0.technical_revenue_yuan,
    h0.total_income_yuan,
    h0.st_staff,
    h1.st_staff AS st_staff_prior1,
    h0.staff,
    CASE WHEN d.tax_hnte AND h0.uscc IS NULL THEN 1 WHEN d.tax_hnte THEN 0 END AS flag_st_staff_not_from_a107041
FROM enterprises AS e
CROSS JOIN delivered AS d
LEFT JOIN deduction AS d0 ON d0.uscc = e.uscc AND d0.tax_year = getvariable('closed_year')
LEFT JOIN deduction AS d1 ON d1.uscc = e.uscc AND d1.tax_year = getvariable('closed_year') - 1
LEFT JOIN deduction AS d2 ON d2.uscc = e.uscc AND d2.tax_year = getvariable('closed_year') - 2
LEFT JOIN deduction AS d3 ON d3.uscc = e.uscc AND d3.tax_year = getvariable('closed_year') - 3
LEFT JOIN enjoyed AS n ON n.uscc = e.uscc
LEFT JOIN high_tech AS h0 ON h0.uscc = e.uscc AND h0.tax_year = getvariable('closed_year')
LEFT JOIN high_tech AS h1 ON h1.uscc = e.uscc AND h1.tax_year = getvariable('closed_year') - 1
LEFT JOIN high_tech AS h2 ON h2.uscc = e.uscc AND h2.tax_year = getvariable('closed_year') - 2
