/*
subject: finance
grain: one row per enterprise
inputs: [enterprises, tax_fin]
outputs:
  total_assets_yuan: {unit: 元, decimals: 2, datasets: [TAX_FIN], zh: 年末资产总计}
  total_liabilities_yuan: {unit: 元, decimals: 2, datasets: [TAX_FIN], zh: 年末负债合计}
  net_assets_yuan: {unit: 元, decimals: 2, datasets: [TAX_FIN], zh: 年末所有者权益合计}
  net_assets_yuan_prior1: {unit: 元, decimals: 2, datasets: [TAX_FIN], zh: 上年末所有者权益合计}
  net_assets_yuan_prior2: {unit: 元, decimals: 2, datasets: [TAX_FIN], zh: 两年前年末所有者权益合计}
  net_assets_yuan_prior3: {unit: 元, decimals: 2, datasets: [TAX_FIN], zh: 三年前年末所有者权益合计}
  net_assets_opening_yuan: {unit: 元, decimals: 2, datasets: [TAX_FIN], zh: 年初所有者权益合计}
  intangible_assets_yuan: {unit: 元, decimals: 2, datasets: [TAX_FIN], zh: 年末无形资产与开发支出(土地使用权除外)}
  statement_revenue_yuan: {unit: 元, decimals: 2, datasets: [TAX_FIN], zh: 利润表营业收入}
  statement_cost_yuan: {unit: 元, decimals: 2, datasets: [TAX_FIN], zh: 利润表营业成本}
  statement_rd_expense_yuan: {unit: 元, decimals: 2, datasets: [TAX_FIN], zh: 利润表研发费用}
  net_profit_yuan: {unit: 元, decimals: 2, datasets: [TAX_FIN], zh: 净利润}
  net_profit_yuan_prior1: {unit: 元, decimals: 2, datasets: [TAX_FIN], zh: 上年净利润}
  flag_average_net_assets_not_positive: {unit: 是否, decimals: 0, datasets: [TAX_FIN], zh: 年初年末平均净资产不大于零}
*/
-- Yearly statements only: a quarterly one cumulates and is no balance of the year. An enterprise with two tax
-- registrations sends the same statement twice, so the one that arrived last stands for the period.
WITH
statement AS (
    SELECT *, year(period_to) AS statement_year
    FROM tax_fin
    WHERE period_kind = '年报'
    QUALIFY row_number() OVER (PARTITION BY uscc, year(period_to) ORDER BY received_at DESC, statement_id DESC) = 1
),

opening AS (
    SELECT
        this.uscc,
        coalesce(this.net_assets_opening_yuan, before.net_assets_yuan) AS net_assets_opening_yuan
    FROM statement AS this
    LEFT JOIN statement AS before ON before.uscc = this.uscc AND before.statement_year = this.statement_year - 1
    WHERE this.statement_year = getvariable('closed_year')
)

SELECT
    e.uscc,
    y0.total_assets_yuan,
    y0.total_liabilities_yuan,
    y0.net_assets_yuan,
    y1.net_assets_yuan AS net_assets_yuan_prior1,
    y2.net_assets_yuan AS net_assets_yuan_prior2,
    y3.net_assets_yuan AS net_assets_yuan_prior3,
    o.net_assets_opening_yuan,
    CASE
        WHEN y0.intangible_assets_yuan IS NULL AND y0.development_expenditure_yuan IS NULL THEN NULL
        ELSE coalesce(y0.intangible_assets_yuan, 0)
            + coalesce(y0.development_expenditure_yuan, 0)
            - coalesce(y0.land_use_rights_yuan, 0)
    END AS intangible_assets_yuan,
    y0.operating_revenue_yuan AS statement_revenue_yuan,
    y0.operating_cost_yuan AS statement_cost_yuan,
    y0.rd_expense_yuan AS statement_rd_expense_yuan,
    y0.net_profit_yuan,
    y1.net_profit_yuan AS net_profit_yuan_prior1,
    CASE WHEN y0.net_assets_yuan + o.net_assets_opening_yuan <= 0 THEN 1
        WHEN y0.net_assets_yuan + o.net_assets_opening_yuan > 0 THEN 0
    END AS flag_average_net_assets_not_positive
FROM enterprises AS e
LEFT JOIN statement AS y0 ON y0.uscc = e.uscc AND y0.statement_year = getvariable('closed_year')
LEFT JOIN statement AS y1 ON y1.uscc = e.uscc AND y1.statement_year = getvariable('closed_year') - 1
LEFT JOIN statement AS y2 ON y2.uscc = e.uscc AND y2.statement_year = getvariable('closed_year') - 2
LEFT JOIN statement AS y3 ON y3.uscc = e.uscc AND y3.statement_year = getvariable('closed_year') - 3
LEFT JOIN opening AS o ON o.uscc = e.uscc
