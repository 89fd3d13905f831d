/*
subject: patents
grain: one row per enterprise
inputs: [enterprises, delivered, ip_pat, ip_pct, ipc_industry, high_value_patent]
outputs:
  valid_inventions: {unit: 件, decimals: 2, datasets: [IP_PAT], zh: 有效发明专利拥有量(共有分摊)}
  mean_age_of_valid_inventions_years: {unit: 年, decimals: 4, datasets: [IP_PAT], zh: 有效发明专利平均维持年限}
  class1_ip_count: {unit: 件, decimals: 0, datasets: [IP_PAT], zh: 有效发明专利件数(不分摊)}
  class2_ip_count: {unit: 件, decimals: 0, datasets: [IP_PAT], zh: 有效实用新型与外观设计件数(不分摊)}
  high_value_inventions: {unit: 件, decimals: 2, datasets: [IP_PAT, IP_PCT], zh: 高价值发明专利拥有量(共有分摊)}
  granted_patents: {unit: 件, decimals: 0, datasets: [IP_PAT], zh: 历年累计授权专利件数}
  granted_patents_valid: {unit: 件, decimals: 0, datasets: [IP_PAT], zh: 累计授权专利中现仍有效的件数}
  main_business_inventions: {unit: 件, decimals: 2, datasets: [IP_PAT, REG_ENT], zh: 当年主营业务相关发明专利申请量(共有分摊)}
  invention_applications: {unit: 件, decimals: 2, datasets: [IP_PAT], zh: 当年发明专利申请量(共有分摊)}
  invention_applications_prior1: {unit: 件, decimals: 2, datasets: [IP_PAT], zh: 上年发明专利申请量(共有分摊)}
  invention_applications_prior2: {unit: 件, decimals: 2, datasets: [IP_PAT], zh: 两年前发明专利申请量(共有分摊)}
  inventions_filed: {unit: 件, decimals: 0, datasets: [IP_PAT], zh: 当年发明申请件数(不分摊)}
  patents_filed: {unit: 件, decimals: 0, datasets: [IP_PAT], zh: 当年三种专利申请件数(不分摊)}
  invention_grants: {unit: 件, decimals: 2, datasets: [IP_PAT], zh: 当年发明专利授权量(共有分摊)}
  utility_and_design_grants: {unit: 件, decimals: 2, datasets: [IP_PAT], zh: 当年实用新型与外观设计授权量(共有分摊)}
  inventions_granted_5y: {unit: 件, decimals: 0, datasets: [IP_PAT], zh: 近五年结案发明申请中授权件数}
  inventions_concluded_5y: {unit: 件, decimals: 0, datasets: [IP_PAT], zh: 近五年结案发明申请件数}
  patent_licences_and_sales_3y: {unit: 次, decimals: 0, datasets: [IP_PAT], zh: 近三年专利许可与转让次数}
  inventors_3y: {unit: 人, decimals: 0, datasets: [IP_PAT], zh: 近三年专利去重发明人数}
  main_business_pct_applications: {unit: 件, decimals: 2, datasets: [IP_PCT, REG_ENT], zh: 当年主营业务相关PCT申请量(共有分摊)}
  overseas_grants_valid: {unit: 件, decimals: 0, datasets: [IP_PCT], zh: 近五年境外授权且有效的专利件数}
  flag_industry_without_ipc: {unit: 是否, decimals: 0, datasets: [REG_ENT], zh: 行业大类无国际专利分类对照(计全部)}
*/
-- An invention is published as A and, once granted, as B: records of one application are one patent, told by its
-- granting record where there is one. Only a granting record can be valid. The registers of the patent office name
-- every owner: an enterprise that they do not name owns none (0); without the register nothing is known.
--
-- Shares of co-owned patents are added in millionths, each 1/owners half up, and the sum is rounded once to two
-- decimals: three patents shared by three make 1.00. Rates and averages count whole patents.
-- Its own filing: the enterprise stands among the applicants. What it bought counts as owned, never as filed, granted
-- to or sold by it.
-- Windows: "of the year" is the closed year; windows divided by yearly figures are closed years; grants concluded,
-- trades and grants abroad are events, counted back from as_of.
WITH
record AS (
    SELECT
        *,
        replace(replace(replace(application_no, '.', ''), 'CN', ''), 'ZL', '') AS application,
        CASE WHEN kind = '发明公布' THEN 0 ELSE 1 END AS granting
    FROM ip_pat
),

patent AS (
    SELECT
        uscc,
        application,
        application_date,
        CASE WHEN kind IN ('发明公布', '发明授权') THEN '发明' ELSE kind END AS kind,
        CASE WHEN granting = 1 THEN publication_date END AS granted_on,
        granting = 1 AND legal_status = '有效' AS is_valid,
        CASE
            WHEN granting = 1 THEN publication_date
            WHEN legal_status IN ('驳回', '视为撤回', '撤回') THEN legal_status_date
        END AS concluded_on,
        is_filer = 1 AS own,
        inventors,
        ipc,
        strategic_industry,
        pledge_yuan,
        award,
        transactions,
        (2000000 + owners) // (2 * owners) AS share_millionths,
        date_diff('day', application_date, getvariable('as_of')) AS age_days,
        getvariable('closed_year') - year(application_date) AS filed_years_ago
    FROM record
    QUALIFY row_number() OVER (
        PARTITION BY uscc, application
        ORDER BY granting DESC, legal_status_date DESC, updated_at DESC, publication_no DESC
    ) = 1
),

-- Main business: a class of the document lies in the enterprise's industry division by the concordance. A division
-- that the concordance does not list, and a document without a class, count whole (flagged).
division AS (
    SELECT
        e.uscc,
        left(e.industry_code, 2) AS division,
        left(e.industry_code, 2) IN (SELECT division FROM ipc_industry) IS TRUE AS is_listed
    FROM enterprises AS e
),

document AS (
    SELECT uscc, application AS document, ipc FROM patent WHERE kind = '发明'
    UNION ALL
    SELECT uscc, international_no AS document, ipc FROM ip_pct
),

document_class AS (
    SELECT uscc, document, trim(part) AS class
    FROM (
        SELECT uscc, document, unnest(string_split(translate(ipc, '；;，', ',,,'), ',')) AS part FROM document
    ) AS parts
),

main_business AS (
    SELECT DISTINCT d.uscc, d.document
    FROM document AS d
    INNER JOIN division AS v ON v.uscc = d.uscc
    LEFT JOIN document_class AS c ON c.uscc = d.uscc AND c.document = d.document
    LEFT JOIN ipc_industry AS i ON i.division = v.division AND starts_with(c.class, i.ipc_prefix)
    WHERE NOT v.is_listed OR coalesce(trim(d.ipc), '') = '' OR i.division IS NOT NULL
),

abroad AS (
    SELECT
        uscc,
        international_no,
        replace(replace(replace(priority_no, '.', ''), 'CN', ''), 'ZL', '') AS application,
        split_part(part, '@', 3) AS status,
        try_cast(split_part(part, '@', 2) AS DATE) AS granted_on
    FROM (
        SELECT uscc, international_no, priority_no, unnest(string_split(grants, ';')) AS part FROM ip_pct
    ) AS parts
),

-- 高价值发明专利: a valid invention that meets any one of the five conditions.
high_value AS (
    SELECT p.uscc, p.application
    FROM patent AS p
    CROSS JOIN high_value_patent AS rule
    WHERE
        p.kind = '发明' AND p.is_valid AND (
            trim(p.strategic_industry) <> ''
            OR p.application_date + to_years(rule.kept_years) <= getvariable('as_of')
            OR p.pledge_yuan >= rule.pledge_yuan
            OR p.award LIKE '%中国专利%' OR p.award LIKE '%国家%'
            OR (p.uscc, p.application) IN (SELECT (uscc, application) FROM abroad WHERE status = '有效')
        )
),

-- A licence is granted by the owner of the day; a sale is the enterprise's own only if it filed the patent and still
-- holds a part of it. A patent sold whole follows its buyer and leaves no record here.
trade AS (
    SELECT t.uscc, count(*) AS trades
    FROM (
        SELECT
            uscc,
            own,
            split_part(trim(part), '@', 1) AS trade,
            try_cast(split_part(trim(part), '@', 2) AS DATE) AS traded_on
        FROM (SELECT uscc, own, unnest(string_split(transactions, ';')) AS part FROM patent) AS parts
    ) AS t
    WHERE
        (t.trade IN ('许可', '开放许可') OR (t.trade = '转让' AND t.own))
        AND t.traded_on > getvariable('as_of') - INTERVAL 3 YEAR AND t.traded_on <= getvariable('as_of')
    GROUP BY t.uscc
),

inventor AS (
    SELECT uscc, count(DISTINCT trim(part)) AS inventors
    FROM (
        SELECT uscc, unnest(string_split(inventors, ';')) AS part FROM patent WHERE filed_years_ago BETWEEN 0 AND 2
    ) AS parts
    WHERE trim(part) <> ''
    GROUP BY uscc
),

counted AS (
    SELECT
        p.uscc,
        sum(share_millionths) FILTER (WHERE invention AND is_valid) AS valid_inventions,
        sum(age_days) FILTER (WHERE invention AND is_valid) AS valid_age_days,
        count(*) FILTER (WHERE invention AND is_valid) AS class1,
        count(*) FILTER (WHERE NOT invention AND is_valid) AS class2,
        sum(share_millionths) FILTER (WHERE h.uscc IS NOT NULL) AS high_value,
        count(*) FILTER (WHERE granted_on IS NOT NULL) AS granted,
        count(*) FILTER (WHERE is_valid) AS granted_valid,
        sum(share_millionths) FILTER (WHERE own AND invention AND ago = 0 AND m.uscc IS NOT NULL) AS main_business,
        sum(share_millionths) FILTER (WHERE own AND invention AND ago = 0) AS filed,
        sum(share_millionths) FILTER (WHERE own AND invention AND ago = 1) AS filed_prior1,
        sum(share_millionths) FILTER (WHERE own AND invention AND ago = 2) AS filed_prior2,
        count(*) FILTER (WHERE own AND invention AND ago = 0) AS inventions_filed,
        count(*) FILTER (WHERE own AND ago = 0) AS patents_filed,
        sum(share_millionths) FILTER (WHERE own AND invention AND granted_in_year) AS invention_grants,
        sum(share_millionths) FILTER (WHERE own AND NOT invention AND granted_in_year) AS other_grants,
        count(*) FILTER (WHERE own AND invention AND concluded_recently AND granted_on IS NOT NULL) AS granted_5y,
        count(*) FILTER (WHERE own AND invention AND concluded_recently) AS concluded_5y
    FROM (
        SELECT
            p.*,
            p.kind = '发明' AS invention,
            p.filed_years_ago AS ago,
            year(p.granted_on) = getvariable('closed_year') AS granted_in_year,
            p.concluded_on > getvariable('as_of') - INTERVAL 5 YEAR
            AND p.concluded_on <= getvariable('as_of') AS concluded_recently
        FROM patent AS p
    ) AS p
    LEFT JOIN main_business AS m ON m.uscc = p.uscc AND m.document = p.application
    LEFT JOIN high_value AS h ON h.uscc = p.uscc AND h.application = p.application
    GROUP BY p.uscc
),

pct AS (
    SELECT p.uscc, sum((2000000 + p.owners) // (2 * p.owners)) AS main_business
    FROM ip_pct AS p
    INNER JOIN main_business AS m ON m.uscc = p.uscc AND m.document = p.international_no
    WHERE year(p.international_date) = getvariable('closed_year')
    GROUP BY p.uscc
),

overseas AS (
    SELECT uscc, count(*) AS grants
    FROM abroad
    WHERE
        status = '有效'
        AND granted_on > getvariable('as_of') - INTERVAL 5 YEAR AND granted_on <= getvariable('as_of')
    GROUP BY uscc
)

SELECT
    e.uscc,
    CASE WHEN d.ip_pat THEN ((coalesce(c.valid_inventions, 0) + 5000) // 10000) * 0.01 END AS valid_inventions,
    CASE
        WHEN c.class1 > 0 THEN ((c.valid_age_days * 80000 + 1461 * c.class1) // (2922 * c.class1)) * 0.0001
    END AS mean_age_of_valid_inventions_years,
    CASE WHEN d.ip_pat THEN coalesce(c.class1, 0) END AS class1_ip_count,
    CASE WHEN d.ip_pat THEN coalesce(c.class2, 0) END AS class2_ip_count,
    CASE
        WHEN d.ip_pat AND d.ip_pct THEN ((coalesce(c.high_value, 0) + 5000) // 10000) * 0.01
    END AS high_value_inventions,
    CASE WHEN d.ip_pat THEN coalesce(c.granted, 0) END AS granted_patents,
    CASE WHEN d.ip_pat THEN coalesce(c.granted_valid, 0) END AS granted_patents_valid,
    CASE WHEN d.ip_pat THEN ((coalesce(c.main_business, 0) + 5000) // 10000) * 0.01 END AS main_business_inventions,
    CASE WHEN d.ip_pat THEN ((coalesce(c.filed, 0) + 5000) // 10000) * 0.01 END AS invention_applications,
    CASE WHEN d.ip_pat THEN ((coalesce(c.filed_prior1, 0) + 5000) // 10000) * 0.01 END AS invention_applications_prior1,
    CASE WHEN d.ip_pat THEN ((coalesce(c.filed_prior2, 0) + 5000) // 10000) * 0.01 END AS invention_applications_prior2,
    CASE WHEN d.ip_pat THEN coalesce(c.inventions_filed, 0) END AS inventions_filed,
    CASE WHEN d.ip_pat THEN coalesce(c.patents_filed, 0) END AS patents_filed,
    CASE WHEN d.ip_pat THEN ((coalesce(c.invention_grants, 0) + 5000) // 10000) * 0.01 END AS invention_grants,
    CASE WHEN d.ip_pat THEN ((coalesce(c.other_grants, 0) + 5000) // 10000) * 0.01 END AS utility_and_design_grants,
    CASE WHEN d.ip_pat THEN coalesce(c.granted_5y, 0) END AS inventions_granted_5y,
    CASE WHEN d.ip_pat THEN coalesce(c.concluded_5y, 0) END AS inventions_concluded_5y,
    CASE WHEN d.ip_pat THEN coalesce(t.trades, 0) END AS patent_licences_and_sales_3y,
    CASE WHEN d.ip_pat THEN coalesce(i.inventors, 0) END AS inventors_3y,
    CASE
        WHEN d.ip_pct THEN ((coalesce(x.main_business, 0) + 5000) // 10000) * 0.01
    END AS main_business_pct_applications,
    CASE WHEN d.ip_pct THEN coalesce(a.grants, 0) END AS overseas_grants_valid,
    CASE WHEN v.is_listed THEN 0 ELSE 1 END AS flag_industry_without_ipc
FROM enterprises AS e
CROSS JOIN delivered AS d
INNER JOIN division AS v ON v.uscc = e.uscc
LEFT JOIN counted AS c ON c.uscc = e.uscc
LEFT JOIN trade AS t ON t.uscc = e.uscc
LEFT JOIN inventor AS i ON i.uscc = e.uscc
LEFT JOIN pct AS x ON x.uscc = e.uscc
LEFT JOIN overseas AS a ON a.uscc = e.uscc
