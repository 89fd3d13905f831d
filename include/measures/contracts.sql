/*
subject: contracts
grain: one row per enterprise
inputs: [enterprises, delivered, st_contract, contract_rules]
outputs:
  technology_contract_turnover_yuan: {unit: 元, decimals: 2, datasets: [ST_CONTRACT], zh: 当年登记的卖方技术合同成交额}
  technology_contract_turnover_yuan_prior1: {unit: 元, decimals: 2, datasets: [ST_CONTRACT], zh: 上年登记的卖方技术合同成交额}
  technology_contracts_registered: {unit: 项, decimals: 0, datasets: [ST_CONTRACT], zh: 当年登记的卖方技术合同数}
  technology_contracts_registered_in_time: {unit: 项, decimals: 0, datasets: [ST_CONTRACT], zh: 当年及时登记的卖方技术合同数}
  technology_transfers_3y: {unit: 次, decimals: 0, datasets: [ST_CONTRACT], zh: 近三年登记的卖方技术转让与许可次数}
  technology_absorbed_yuan: {unit: 元, decimals: 2, datasets: [ST_CONTRACT], zh: 当年登记的买方技术合同成交额}
  paid_to_academies_yuan: {unit: 元, decimals: 2, datasets: [ST_CONTRACT], zh: 当年支付给高校院所的技术合同履约额}
*/
-- A contract is its last row: changed amounts count as changed, a cancelled contract never was, in the year in which it
-- was registered. The office registers every contract that wants the relief: who is in no contract has none (0).
WITH
contract AS (
    SELECT
        *,
        getvariable('closed_year') - year(registered_on) AS years_ago
    FROM st_contract
    WHERE event <> '撤销'
),

payment AS (
    SELECT
        uscc,
        CAST(split_part(part, '@', 1) AS INTEGER) AS paid_in,
        CAST(CAST(split_part(part, '@', 2) AS DECIMAL(18, 6)) * 10000 AS DECIMAL(24, 2)) AS paid_yuan
    FROM (
        SELECT uscc, unnest(string_split(payments, ';')) AS part
        FROM contract
        WHERE role = 'buyer' AND seller_kind = '高校院所' AND payments <> ''
    ) AS parts
),

paid AS (
    SELECT uscc, sum(paid_yuan) AS paid_yuan
    FROM payment
    WHERE paid_in = getvariable('closed_year')
    GROUP BY uscc
),

counted AS (
    SELECT
        c.uscc,
        sum(turnover_yuan) FILTER (WHERE role = 'seller' AND years_ago = 0) AS sold,
        sum(turnover_yuan) FILTER (WHERE role = 'seller' AND years_ago = 1) AS sold_prior1,
        count(*) FILTER (WHERE role = 'seller' AND years_ago = 0) AS registered,
        count(*) FILTER (
            WHERE role = 'seller' AND years_ago = 0
            AND date_diff('day', signed_on, registered_on) <= r.timely_days
        ) AS in_time,
        count(*) FILTER (
            WHERE role = 'seller' AND kind IN ('技术转让', '技术许可')
            AND registered_on > getvariable('as_of') - INTERVAL 3 YEAR AND registered_on <= getvariable('as_of')
        ) AS transfers,
        sum(turnover_yuan) FILTER (WHERE role = 'buyer' AND years_ago = 0) AS bought
    FROM contract AS c
    CROSS JOIN contract_rules AS r
    GROUP BY c.uscc
)

SELECT
    e.uscc,
    CASE WHEN d.st_contract THEN coalesce(c.sold, CAST(0 AS DECIMAL(38, 2))) END AS technology_contract_turnover_yuan,
    CASE WHEN d.st_contract THEN coalesce(c.sold_prior1, CAST(0 AS DECIMAL(38, 2))) END
        AS technology_contract_turnover_yuan_prior1,
    CASE WHEN d.st_contract THEN coalesce(c.registered, 0) END AS technology_contracts_registered,
    CASE WHEN d.st_contract THEN coalesce(c.in_time, 0) END AS technology_contracts_registered_in_time,
    CASE WHEN d.st_contract THEN coalesce(c.transfers, 0) END AS technology_transfers_3y,
    CASE WHEN d.st_contract THEN coalesce(c.bought, CAST(0 AS DECIMAL(38, 2))) END AS technology_absorbed_yuan,
    CASE WHEN d.st_contract THEN coalesce(p.paid_yuan, CAST(0 AS DECIMAL(38, 2))) END AS paid_to_academies_yuan
FROM enterprises AS e
CROSS JOIN delivered AS d
LEFT JOIN counted AS c ON c.uscc = e.uscc
LEFT JOIN paid AS p ON p.uscc = e.uscc
