/*
subject: certificates
grain: one row per enterprise
inputs: [enterprises, delivered, std_cert, standard_weights]
outputs:
  ip_management_certified: {unit: 是否, decimals: 0, datasets: [STD_CERT], zh: 知识产权合规管理体系认证有效}
  management_systems_certified: {unit: 张, decimals: 0, datasets: [STD_CERT], zh: 有效管理体系认证类别数(知识产权除外)}
  standards_weighted: {unit: 项, decimals: 2, datasets: [STD_CERT], zh: 近五年主导或参与发布标准加权数}
*/
-- The registers name every holder and drafter: an enterprise that they do not name has none (0); without them nothing is
-- known. Conforming has kept the last state of each record: a certificate suspended or withdrawn is not valid.
WITH
certified AS (
    SELECT
        uscc,
        max(CASE WHEN management_system = '知识产权合规管理体系' THEN 1 ELSE 0 END) AS ip_management,
        count(DISTINCT management_system) FILTER (WHERE management_system <> '知识产权合规管理体系') AS systems
    FROM std_cert
    WHERE
        record_kind = '认证证书' AND status = '有效'
        AND issued_on <= getvariable('as_of')
        AND (valid_until IS NULL OR valid_until >= getvariable('as_of'))
    GROUP BY uscc
),

-- A standard counts once for an enterprise, by its greatest part in it.
standard AS (
    SELECT
        s.uscc,
        s.standard_no,
        max(CASE WHEN s.role = '主导' THEN w.led_hundredths ELSE w.joined_hundredths END) AS hundredths
    FROM std_cert AS s
    INNER JOIN standard_weights AS w ON w.standard_level = s.standard_level
    WHERE
        s.record_kind = '标准' AND s.status = '现行' AND s.role IS NOT NULL
        AND s.issued_on > getvariable('as_of') - INTERVAL 5 YEAR AND s.issued_on <= getvariable('as_of')
    GROUP BY s.uscc, s.standard_no
),

drafted AS (
    SELECT uscc, sum(hundredths) AS hundredths
    FROM standard
    GROUP BY uscc
)

SELECT
    e.uscc,
    CASE WHEN d.std_cert THEN coalesce(c.ip_management, 0) END AS ip_management_certified,
    CASE WHEN d.std_cert THEN coalesce(c.systems, 0) END AS management_systems_certified,
    CASE WHEN d.std_cert THEN coalesce(s.hundredths, 0) * 0.01 END AS standards_weighted
FROM enterprises AS e
CROSS JOIN delivered AS d
LEFT JOIN certified AS c ON c.uscc = e.uscc
LEFT JOIN drafted AS s ON s.uscc = e.uscc
