/*
subject: qualifications
grain: one row per enterprise
inputs: [enterprises, delivered, st_qual, qualifications]
outputs:
  holds_high_tech_certificate: {unit: 是否, decimals: 0, datasets: [ST_QUAL], zh: 高新技术企业证书有效}
  high_tech_in_closed_year: {unit: 是否, decimals: 0, datasets: [ST_QUAL], zh: 本年度内持有高新技术企业证书}
  holds_tech_sme: {unit: 是否, decimals: 0, datasets: [ST_QUAL], zh: 科技型中小企业入库有效}
  high_growth_level: {unit: 档, decimals: 0, datasets: [ST_QUAL], zh: 高成长梯度(市瞪羚1、省瞪羚2、潜在独角兽3、独角兽4)}
  lead_industry_listed: {unit: 是否, decimals: 0, datasets: [ST_QUAL], zh: 列入区主导产业企业名单}
*/
-- The lists name every holder: an enterprise that no list names holds nothing (0). Without the lists nothing is known.
-- A cancellation is a later line for the same certificate: the line published last decides, old lists do not revive it.
WITH
certificate AS (
    SELECT uscc, qualification, certificate_no, issued_on, valid_until, status
    FROM st_qual
    QUALIFY row_number() OVER (
        PARTITION BY uscc, qualification, certificate_no
        ORDER BY published_on DESC, status = '取消' DESC, list_batch DESC, line_no DESC
    ) = 1
),

-- Lists that print no end date: so many years from the day of issue, or to the end of the year of registration.
valid AS (
    SELECT
        c.uscc,
        q.family,
        q.level,
        c.issued_on,
        coalesce(
            c.valid_until,
            CASE
                WHEN q.valid_years IS NULL THEN make_date(year(c.issued_on), 12, 31)
                ELSE CAST(c.issued_on + to_years(q.valid_years) - INTERVAL 1 DAY AS DATE)
            END
        ) AS valid_until
    FROM certificate AS c
    INNER JOIN qualifications AS q ON q.qualification = c.qualification
    WHERE c.status = '有效'
),

held AS (
    SELECT
        uscc,
        max(CASE WHEN family = 'high_tech' AND now THEN 1 ELSE 0 END) AS high_tech,
        max(CASE WHEN family = 'high_tech' AND in_year THEN 1 ELSE 0 END) AS high_tech_in_year,
        max(CASE WHEN family = 'tech_sme' AND now THEN 1 ELSE 0 END) AS tech_sme,
        max(CASE WHEN family = 'high_growth' AND now THEN level ELSE 0 END) AS high_growth,
        max(CASE WHEN family = 'lead_industry' AND now THEN 1 ELSE 0 END) AS lead_industry
    FROM (
        SELECT
            *,
            getvariable('as_of') BETWEEN issued_on AND valid_until AS now,
            issued_on <= make_date(getvariable('closed_year'), 12, 31)
            AND valid_until >= make_date(getvariable('closed_year'), 12, 31) AS in_year
        FROM valid
    ) AS dated
    GROUP BY uscc
)

SELECT
    e.uscc,
    CASE WHEN d.st_qual THEN coalesce(h.high_tech, 0) END AS holds_high_tech_certificate,
    CASE WHEN d.st_qual THEN coalesce(h.high_tech_in_year, 0) END AS high_tech_in_closed_year,
    CASE WHEN d.st_qual THEN coalesce(h.tech_sme, 0) END AS holds_tech_sme,
    CASE WHEN d.st_qual THEN coalesce(h.high_growth, 0) END AS high_growth_level,
    CASE WHEN d.st_qual THEN coalesce(h.lead_industry, 0) END AS lead_industry_listed
FROM enterprises AS e
CROSS JOIN delivered AS d
LEFT JOIN held AS h ON h.uscc = e.uscc
