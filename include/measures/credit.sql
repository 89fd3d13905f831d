/*
subject: credit
grain: one row per enterprise
inputs: [enterprises, delivered, fin_loan, science_credit_products]
outputs:
  science_loan_balance_yuan: {unit: 元, decimals: 2, datasets: [FIN_LOAN], zh: 科技信贷产品贷款余额合计}
  science_credit_banks: {unit: 家, decimals: 0, datasets: [FIN_LOAN], zh: 有效科技信贷授信的银行数}
  ip_pledge_loans_1y_yuan: {unit: 元, decimals: 2, datasets: [FIN_LOAN], zh: 近一年专利商标质押登记对应的贷款发放额}
*/
-- What reaches this file is each bank's newest statement. It lists every contract, so who stands in none owes nothing.
WITH
contract AS (
    SELECT
        *,
        product IN (SELECT product FROM science_credit_products) AS science,
        ip_pledged = '是' AND coalesce(pledge_registration_no, '') <> '' AS pledged
    FROM fin_loan
),

held AS (
    SELECT
        uscc,
        sum(CASE WHEN science THEN loan_balance_yuan ELSE 0 END) AS balance,
        count(DISTINCT CASE
            WHEN science AND credit_line_yuan > 0 AND line_valid_until >= getvariable('as_of') THEN bank
        END) AS banks,
        sum(CASE
            WHEN
                pledged AND granted_on > getvariable('as_of') - INTERVAL 1 YEAR AND granted_on <= getvariable('as_of')
                THEN coalesce(granted_yuan, 0)
            ELSE 0
        END) AS pledge_loans
    FROM contract
    GROUP BY uscc
)

SELECT
    e.uscc,
    CAST(CASE WHEN d.fin_loan THEN coalesce(h.balance, 0) END AS DECIMAL(24, 2)) AS science_loan_balance_yuan,
    CASE WHEN d.fin_loan THEN coalesce(h.banks, 0) END AS science_credit_banks,
    CAST(CASE WHEN d.fin_loan THEN coalesce(h.pledge_loans, 0) END AS DECIMAL(24, 2)) AS ip_pledge_loans_1y_yuan
FROM enterprises AS e
CROSS JOIN delivered AS d
LEFT JOIN held AS h ON h.uscc = e.uscc
