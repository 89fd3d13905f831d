/*
subject: incubators
grain: one row per enterprise
inputs: [enterprises, delivered, st_incub, incubator_levels]
outputs:
  incubator_tenancy_level: {unit: 档, decimals: 0, datasets: [ST_INCUB], zh: 在孵或毕业三年内所在载体最高档}
  own_carrier_level: {unit: 档, decimals: 0, datasets: [ST_INCUB], zh: 运营的创新载体最高档(市1、省2、国家3)}
*/
-- The lists name every tenant and operator: an enterprise that no list names is neither (0). Without the lists nothing
-- is known. Of a record the line published last says how it stands.
WITH
record AS (
    SELECT *
    FROM st_incub
    QUALIFY row_number() OVER (
        PARTITION BY uscc, relation, record_no
        ORDER BY published_on DESC, status <> '有效' DESC, list_batch DESC, line_no DESC
    ) = 1
),

-- A tenant counts until it leaves, and for three years after it graduated, whatever its contract's end was.
counted AS (
    SELECT
        r.uscc,
        max(CASE WHEN r.relation = '入驻' THEN l.tenancy ELSE 0 END) AS tenancy,
        max(CASE WHEN r.relation = '运营' THEN l.operated ELSE 0 END) AS operated
    FROM record AS r
    INNER JOIN incubator_levels AS l ON l.carrier_kind = r.carrier_kind AND l.carrier_level = r.carrier_level
    WHERE
        r.status = '有效' AND r.since <= getvariable('as_of')
        AND CASE
            WHEN r.relation = '入驻' AND r.graduated_on <= getvariable('as_of')
                THEN r.graduated_on > getvariable('as_of') - INTERVAL 3 YEAR
            ELSE r.until IS NULL OR r.until >= getvariable('as_of')
        END
    GROUP BY r.uscc
)

SELECT
    e.uscc,
    CASE WHEN d.st_incub THEN coalesce(c.tenancy, 0) END AS incubator_tenancy_level,
    CASE WHEN d.st_incub THEN coalesce(c.operated, 0) END AS own_carrier_level
FROM enterprises AS e
CROSS JOIN delivered AS d
LEFT JOIN counted AS c ON c.uscc = e.uscc
