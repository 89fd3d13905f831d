/*
subject: cooperation
grain: one row per enterprise
inputs: [enterprises, delivered, st_coop, st_contract, st_proj, consortium_roles]
outputs:
  academy_projects: {unit: 项, decimals: 0, datasets: [ST_COOP, ST_CONTRACT], zh: 当年有效的高校院所合作协议与当年登记的技术开发合同数(去重)}
  joint_platforms: {unit: 个, decimals: 0, datasets: [ST_COOP], zh: 与高校院所或产研院共建且有效的联合实验室与联合创新中心数}
  consortium_participations_2y: {unit: 次, decimals: 0, datasets: [ST_COOP, ST_PROJ], zh: 近两年参与创新联合体、揭榜挂帅与产业技术联盟次数(牵头加倍)}
  instrument_sharing_yuan: {unit: 元, decimals: 2, datasets: [ST_COOP], zh: 当年大型科研仪器共享服务额}
*/
-- The bureau's lists name every record: an enterprise that none names has none (0). A record that ended early counts to
-- the day on which that was published. What both lists and the contract register tell is told once.
WITH
record AS (
    SELECT
        *,
        CASE
            WHEN status = '终止' THEN least(coalesce(ends_on, published_on), published_on)
            ELSE ends_on
        END AS valid_until
    FROM st_coop
),

agreement AS (
    SELECT uscc, coalesce(nullif(contract_no, ''), record_no) AS project
    FROM record
    WHERE
        kind = '合作协议' AND partner_kind = '高校院所'
        AND begins_on <= make_date(getvariable('closed_year'), 12, 31)
        AND (valid_until IS NULL OR valid_until >= make_date(getvariable('closed_year'), 1, 1))
),

-- Whichever side the enterprise is on, the other is a university or an institute.
development AS (
    SELECT uscc, registration_no AS project
    FROM st_contract
    WHERE
        kind = '技术开发' AND event <> '撤销' AND year(registered_on) = getvariable('closed_year')
        AND CASE WHEN role = 'buyer' THEN seller_kind ELSE buyer_kind END = '高校院所'
),

academy AS (
    SELECT uscc, count(*) AS projects
    FROM (SELECT uscc, project FROM agreement UNION SELECT uscc, project FROM development) AS both_lists
    GROUP BY uscc
),

-- An open call stands among the projects too, under the same number: it counts once, as lead if either says so.
alliance AS (
    SELECT uscc, number, max(times) AS times
    FROM (
        SELECT s.uscc, s.record_no AS number, r.times
        FROM record AS s
        INNER JOIN consortium_roles AS r ON r.role = s.role
        WHERE
            s.kind IN ('创新联合体', '揭榜挂帅', '产业技术联盟') AND s.level IN ('国家', '省', '市')
            AND s.begins_on > getvariable('as_of') - INTERVAL 2 YEAR AND s.begins_on <= getvariable('as_of')
        UNION ALL
        SELECT p.uscc, p.project_no AS number, r.times
        FROM st_proj AS p
        INNER JOIN consortium_roles AS r ON r.role = p.role
        WHERE
            p.programme = '揭榜挂帅' AND p.level IN ('国家', '省', '市')
            AND p.approved_on > getvariable('as_of') - INTERVAL 2 YEAR AND p.approved_on <= getvariable('as_of')
    ) AS told
    GROUP BY uscc, number
),

allied AS (
    SELECT uscc, sum(times) AS times FROM alliance GROUP BY uscc
),

counted AS (
    SELECT
        uscc,
        count(*) FILTER (
            WHERE kind IN ('联合实验室', '联合创新中心') AND partner_kind IN ('高校院所', '产研院')
            AND begins_on <= getvariable('as_of')
            AND (valid_until IS NULL OR valid_until >= getvariable('as_of'))
        ) AS platforms,
        sum(amount_yuan) FILTER (WHERE kind = '仪器共享' AND year(begins_on) = getvariable('closed_year')) AS shared
    FROM record
    GROUP BY uscc
)

SELECT
    e.uscc,
    CASE WHEN d.st_coop AND d.st_contract THEN coalesce(a.projects, 0) END AS academy_projects,
    CASE WHEN d.st_coop THEN coalesce(c.platforms, 0) END AS joint_platforms,
    CASE WHEN d.st_coop AND d.st_proj THEN CAST(coalesce(l.times, 0) AS BIGINT) END AS consortium_participations_2y,
    CASE WHEN d.st_coop THEN coalesce(c.shared, CAST(0 AS DECIMAL(38, 2))) END AS instrument_sharing_yuan
FROM enterprises AS e
CROSS JOIN delivered AS d
LEFT JOIN academy AS a ON a.uscc = e.uscc
LEFT JOIN allied AS l ON l.uscc = e.uscc
LEFT JOIN counted AS c ON c.uscc = e.uscc
