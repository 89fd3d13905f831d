/*
subject: tax
grain: one row per enterprise
inputs: [enterprises, tax_cit, tax_form_rows, tax_vat, tax_pay]
outputs:
  operating_revenue_yuan: {unit: 元, decimals: 2, datasets: [TAX_CIT], zh: 营业收入}
  operating_revenue_yuan_prior1: {unit: 元, decimals: 2, datasets: [TAX_CIT], zh: 上年营业收入}
  operating_revenue_yuan_prior3: {unit: 元, decimals: 2, datasets: [TAX_CIT], zh: 三年前营业收入}
  operating_cost_yuan: {unit: 元, decimals: 2, datasets: [TAX_CIT], zh: 营业成本}
  total_profit_yuan: {unit: 元, decimals: 2, datasets: [TAX_CIT], zh: 利润总额}
  total_profit_yuan_prior1: {unit: 元, decimals: 2, datasets: [TAX_CIT], zh: 上年利润总额}
  taxable_income_yuan: {unit: 元, decimals: 2, datasets: [TAX_CIT], zh: 应纳税所得额}
  wages_yuan: {unit: 元, decimals: 2, datasets: [TAX_CIT], zh: 工资薪金支出}
  training_expense_yuan: {unit: 元, decimals: 2, datasets: [TAX_CIT], zh: 职工教育经费实际发生额}
  equipment_original_yuan: {unit: 元, decimals: 2, datasets: [TAX_CIT], zh: 机器设备与电子设备年末原值}
  equipment_original_yuan_prior1: {unit: 元, decimals: 2, datasets: [TAX_CIT], zh: 上年末机器设备与电子设备原值}
  equity_incentive_filed: {unit: 是否, decimals: 0, datasets: [TAX_CIT], zh: 已办理股权激励递延纳税备案(历年)}
  cit_filed_on_time: {unit: 是否, decimals: 0, datasets: [TAX_CIT], zh: 汇算清缴按期首次申报}
  cit_correction_no: {unit: 次, decimals: 0, datasets: [TAX_CIT], zh: 汇算清缴更正次数}
  operating_revenue_vat_yuan: {unit: 元, decimals: 2, datasets: [TAX_VAT], zh: 增值税申报销售额(本年累计)}
  operating_revenue_vat_yuan_prior1: {unit: 元, decimals: 2, datasets: [TAX_VAT], zh: 增值税申报销售额(上年累计)}
  export_sales_yuan: {unit: 元, decimals: 2, datasets: [TAX_VAT], zh: 免抵退办法出口销售额(本年累计)}
  tax_paid_yuan: {unit: 元, decimals: 2, datasets: [TAX_PAY], zh: 当年实际入库税额}
  tax_credit_rating: {unit: 级, decimals: 0, datasets: [TAX_PAY], zh: 最近一次纳税信用等级(A4 B3 M2 C1 D0)}
  flag_operating_revenue_provisional: {unit: 是否, decimals: 0, datasets: [TAX_CIT, TAX_VAT], zh: 营业收入暂以增值税销售额代替}
  flag_taxable_loss: {unit: 是否, decimals: 0, datasets: [TAX_CIT], zh: 本年应纳税所得额不大于零(加计扣除结转弥补)}
*/
-- Income tax: a legal person owes one return per period. Two returns for one period come from two tax registrations
-- of the same enterprise: the one that arrived last stands. Periods that share a year (re-registration) are added.
-- VAT and payments are added over registrations: each registration declares and pays its own part.
WITH
filing AS (
    SELECT
        uscc,
        filing_id,
        period_from,
        max(received_at) AS received_at,
        max(correction_no) AS correction_no,
        min(first_filed_on) AS first_filed_on
    FROM tax_cit
    GROUP BY uscc, filing_id, period_from
    QUALIFY row_number() OVER (PARTITION BY uscc, period_from ORDER BY max(received_at) DESC, filing_id DESC) = 1
),

filing_year AS (
    SELECT
        uscc,
        year(period_from) AS tax_year,
        max(correction_no) AS correction_no,
        max(first_filed_on) AS first_filed_on
    FROM filing
    GROUP BY uscc, year(period_from)
),

-- What a row means depends on the form version, never on its number alone. Equipment is two rows: where one of them
-- did not pass validation, the sum is unknown, not half.
item AS (
    SELECT t.uscc, year(t.period_from) AS tax_year, r.item, sum(t.amount_yuan) AS amount_yuan
    FROM tax_cit AS t
    INNER JOIN filing AS f ON f.uscc = t.uscc AND f.filing_id = t.filing_id AND f.period_from = t.period_from
    INNER JOIN tax_form_rows AS r
        ON r.form_code = t.form_code AND r.form_version = t.form_version AND r.row_number = t.row_number
    WHERE year(t.period_from) <= getvariable('closed_year')
    GROUP BY t.uscc, year(t.period_from), r.item
),

cit AS (
    SELECT
        uscc,
        sum(amount_yuan) FILTER (WHERE item = 'operating_revenue_yuan' AND ago = 0) AS operating_revenue_yuan,
        sum(amount_yuan) FILTER (WHERE item = 'operating_revenue_yuan' AND ago = 1) AS operating_revenue_yuan_prior1,
        sum(amount_yuan) FILTER (WHERE item = 'operating_revenue_yuan' AND ago = 3) AS operating_revenue_yuan_prior3,
        sum(amount_yuan) FILTER (WHERE item = 'operating_cost_yuan' AND ago = 0) AS operating_cost_yuan,
        sum(amount_yuan) FILTER (WHERE item = 'total_profit_yuan' AND ago = 0) AS total_profit_yuan,
        sum(amount_yuan) FILTER (WHERE item = 'total_profit_yuan' AND ago = 1) AS total_profit_yuan_prior1,
        sum(amount_yuan) FILTER (WHERE item = 'taxable_income_yuan' AND ago = 0) AS taxable_income_yuan,
        sum(amount_yuan) FILTER (WHERE item = 'wages_yuan' AND ago = 0) AS wages_yuan,
        sum(amount_yuan) FILTER (WHERE item = 'training_expense_yuan' AND ago = 0) AS training_expense_yuan,
        CASE WHEN count(*) FILTER (WHERE is_equipment AND ago = 0) = 2
                THEN sum(amount_yuan) FILTER (WHERE is_equipment AND ago = 0)
        END AS equipment_original_yuan,
        CASE WHEN count(*) FILTER (WHERE is_equipment AND ago = 1) = 2
                THEN sum(amount_yuan) FILTER (WHERE is_equipment AND ago = 1)
        END AS equipment_original_yuan_prior1,
        max(CASE WHEN amount_yuan > 0 THEN 1 ELSE 0 END) FILTER (
            WHERE item = 'equity_incentive_filed'
        ) AS equity_incentive_filed
    FROM (
        SELECT
            *,
            getvariable('closed_year') - tax_year AS ago,
            item IN ('machinery_original_yuan', 'electronics_original_yuan') AS is_equipment
        FROM item
    ) AS by_age
    GROUP BY uscc
),

vat AS (
    SELECT
        uscc,
        sum(sales_yuan) FILTER (WHERE year(period_from) = getvariable('closed_year')) AS operating_revenue_vat_yuan,
        sum(sales_yuan) FILTER (
            WHERE year(period_from) = getvariable('closed_year') - 1
        ) AS operating_revenue_vat_yuan_prior1,
        sum(export_sales_yuan) FILTER (WHERE year(period_from) = getvariable('closed_year')) AS export_sales_yuan
    FROM tax_vat
    GROUP BY uscc
),

-- Levies and withholding are not the enterprise's tax; a refund of input credit or for exports is no tax taken back.
paid AS (
    SELECT
        uscc,
        sum(
            CASE
                WHEN tax_kind IN ('社会保险费', '个人所得税代扣') THEN 0
                WHEN record_kind = '入库' THEN amount_yuan
                WHEN record_kind = '退库' THEN -amount_yuan
                ELSE 0
            END
        ) AS tax_paid_yuan
    FROM tax_pay
    WHERE record_kind <> '信用评价' AND year(occurred_on) = getvariable('closed_year')
    GROUP BY uscc
),

rating AS (
    SELECT
        uscc,
        CASE rating WHEN 'A' THEN 4 WHEN 'B' THEN 3 WHEN 'M' THEN 2 WHEN 'C' THEN 1 WHEN 'D' THEN 0 END AS rating
    FROM tax_pay
    WHERE record_kind = '信用评价' AND rating IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY uscc ORDER BY rating_year DESC NULLS LAST, occurred_on DESC, voucher_id DESC
    ) = 1
)

SELECT
    e.uscc,
    c.operating_revenue_yuan,
    c.operating_revenue_yuan_prior1,
    c.operating_revenue_yuan_prior3,
    c.operating_cost_yuan,
    c.total_profit_yuan,
    c.total_profit_yuan_prior1,
    c.taxable_income_yuan,
    c.wages_yuan,
    c.training_expense_yuan,
    c.equipment_original_yuan,
    c.equipment_original_yuan_prior1,
    c.equity_incentive_filed,
    CASE
        WHEN f.first_filed_on <= make_date(getvariable('closed_year') + 1, 5, 31) THEN 1
        WHEN f.first_filed_on IS NOT NULL THEN 0
    END AS cit_filed_on_time,
    f.correction_no AS cit_correction_no,
    v.operating_revenue_vat_yuan,
    v.operating_revenue_vat_yuan_prior1,
    v.export_sales_yuan,
    p.tax_paid_yuan,
    r.rating AS tax_credit_rating,
    CASE
        WHEN c.operating_revenue_yuan IS NOT NULL THEN 0
        WHEN v.operating_revenue_vat_yuan IS NOT NULL THEN 1
    END AS flag_operating_revenue_provisional,
    CASE WHEN c.taxable_income_yuan <= 0 THEN 1 WHEN c.taxable_income_yuan > 0 THEN 0 END AS flag_taxable_loss
FROM enterprises AS e
LEFT JOIN cit AS c ON c.uscc = e.uscc
LEFT JOIN filing_year AS f ON f.uscc = e.uscc AND f.tax_year = getvariable('closed_year')
LEFT JOIN vat AS v ON v.uscc = e.uscc
LEFT JOIN paid AS p ON p.uscc = e.uscc
LEFT JOIN rating AS r ON r.uscc = e.uscc
