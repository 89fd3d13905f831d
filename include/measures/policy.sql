/*
subject: policy
grain: one row per enterprise
inputs: [enterprises, delivered, pol_cash, policy_categories]
outputs:
  innovation_vouchers_yuan: {unit: 元, decimals: 2, datasets: [POL_CASH], zh: 当年创新券兑付额(扣除退回)}
  policy_funds_1y_yuan: {unit: 元, decimals: 2, datasets: [POL_CASH], zh: 近一年实际拨付的科技类政策资金(扣除退回)}
  policy_categories_1y: {unit: 类, decimals: 0, datasets: [POL_CASH], zh: 近一年兑现的科技类政策大类数}
  policies_entitled_1y: {unit: 条, decimals: 0, datasets: [POL_CASH], zh: 近一年规则引擎判定符合条件的科技类政策条数}
  policies_redeemed_1y: {unit: 条, decimals: 0, datasets: [POL_CASH], zh: 近一年判定符合条件的科技类政策中已兑现的条数}
*/
-- What was returned takes away from what was paid for the same policy, whenever it came back; what was paid and returned
-- whole was not enjoyed. The platform's journal names everybody it paid: who is not in it received nothing (0).
WITH
journal AS (
    SELECT p.uscc, p.policy_no, p.category, p.event, p.amount_yuan, p.happened_on
    FROM pol_cash AS p
    INNER JOIN policy_categories AS c ON c.category = p.category
    WHERE c.is_science AND p.happened_on <= getvariable('as_of')
),

span AS (
    SELECT
        'year' AS span,
        make_date(getvariable('closed_year'), 1, 1) AS first_day,
        make_date(getvariable('closed_year'), 12, 31) AS last_day
    UNION ALL
    SELECT
        'recent' AS span,
        CAST(getvariable('as_of') - INTERVAL 1 YEAR + INTERVAL 1 DAY AS DATE) AS first_day,
        getvariable('as_of') AS last_day
),

paid AS (
    SELECT
        s.span,
        j.uscc,
        j.policy_no,
        j.category,
        sum(j.amount_yuan) AS paid_yuan,
        min(j.happened_on) AS first_paid_on
    FROM journal AS j
    INNER JOIN span AS s ON j.happened_on BETWEEN s.first_day AND s.last_day
    WHERE j.event = '已拨付'
    GROUP BY s.span, j.uscc, j.policy_no, j.category
),

net AS (
    SELECT
        p.span,
        p.uscc,
        p.policy_no,
        p.category,
        greatest(p.paid_yuan - coalesce(sum(r.amount_yuan), 0), 0) AS net_yuan
    FROM paid AS p
    LEFT JOIN journal AS r
        ON
            r.uscc = p.uscc AND r.policy_no = p.policy_no AND r.event = '已退回'
            AND r.happened_on >= p.first_paid_on
    GROUP BY p.span, p.uscc, p.policy_no, p.category, p.paid_yuan
),

enjoyed AS (
    SELECT
        uscc,
        sum(net_yuan) FILTER (WHERE span = 'year' AND category = '创新券') AS vouchers,
        sum(net_yuan) FILTER (WHERE span = 'recent') AS funds,
        count(DISTINCT category) FILTER (WHERE span = 'recent' AND net_yuan > 0) AS categories
    FROM net
    GROUP BY uscc
),

entitled AS (
    SELECT
        t.uscc,
        count(*) AS policies,
        count(*) FILTER (WHERE n.policy_no IS NOT NULL) AS redeemed
    FROM (
        SELECT DISTINCT j.uscc, j.policy_no
        FROM journal AS j
        INNER JOIN span AS s ON s.span = 'recent' AND j.happened_on BETWEEN s.first_day AND s.last_day
        WHERE j.event = '符合条件'
    ) AS t
    LEFT JOIN (SELECT DISTINCT uscc, policy_no FROM net WHERE span = 'recent' AND net_yuan > 0) AS n
        ON n.uscc = t.uscc AND n.policy_no = t.policy_no
    GROUP BY t.uscc
)

SELECT
    e.uscc,
    CASE WHEN d.pol_cash THEN coalesce(j.vouchers, CAST(0 AS DECIMAL(38, 2))) END AS innovation_vouchers_yuan,
    CASE WHEN d.pol_cash THEN coalesce(j.funds, CAST(0 AS DECIMAL(38, 2))) END AS policy_funds_1y_yuan,
    CASE WHEN d.pol_cash THEN coalesce(j.categories, 0) END AS policy_categories_1y,
    CASE WHEN d.pol_cash THEN coalesce(t.policies, 0) END AS policies_entitled_1y,
    CASE WHEN d.pol_cash THEN coalesce(t.redeemed, 0) END AS policies_redeemed_1y
FROM enterprises AS e
CROSS JOIN delivered AS d
LEFT JOIN enjoyed AS j ON j.uscc = e.uscc
LEFT JOIN entitled AS t ON t.uscc = e.uscc
