/*
subject: equity
grain: one row per enterprise
inputs: [enterprises, delivered, fin_eq, listing_steps]
outputs:
  venture_capital_3y_yuan: {unit: 元, decimals: 2, datasets: [FIN_EQ], zh: 近三年机构投资者实缴股权融资额}
  fund_shareholders: {unit: 家, decimals: 0, datasets: [FIN_EQ], zh: 基准日股东中的备案私募基金与国有引导基金数}
  listing_step: {unit: 档, decimals: 0, datasets: [FIN_EQ], zh: 上市与后备进程档次}
*/
-- Money of related parties, of the staff's own platform and of natural persons is no venture capital. An unnamed kind of
-- investor, or an unsaid relation, does not count either. A fund counts once, by its filing number.
WITH
record AS (
    SELECT f.*, s.level, f.ended_on IS NULL OR f.ended_on > getvariable('as_of') AS standing
    FROM fin_eq AS f
    LEFT JOIN listing_steps AS s ON s.listing_step = f.listing_step
    WHERE f.state = '有效' AND f.happened_on <= getvariable('as_of')
),

held AS (
    SELECT
        uscc,
        sum(CASE
            WHEN
                record_kind = '实缴出资' AND investor_kind IN ('私募基金', '国有引导基金', '产业资本')
                AND related_party = '否' AND happened_on > getvariable('as_of') - INTERVAL 3 YEAR
                THEN coalesce(paid_in_yuan, 0)
            ELSE 0
        END) AS raised,
        count(DISTINCT CASE
            WHEN
                record_kind = '基金持股' AND standing AND investor_kind IN ('私募基金', '国有引导基金')
                AND fund_filing_no <> ''
                THEN fund_filing_no
        END) AS funds,
        max(CASE WHEN record_kind = '上市进程' AND standing THEN level ELSE 0 END) AS step
    FROM record
    GROUP BY uscc
)

SELECT
    e.uscc,
    CAST(CASE WHEN d.fin_eq THEN coalesce(h.raised, 0) END AS DECIMAL(24, 2)) AS venture_capital_3y_yuan,
    CASE WHEN d.fin_eq THEN coalesce(h.funds, 0) END AS fund_shareholders,
    CASE WHEN d.fin_eq THEN coalesce(h.step, 0) END AS listing_step
FROM enterprises AS e
CROSS JOIN delivered AS d
LEFT JOIN held AS h ON h.uscc = e.uscc
