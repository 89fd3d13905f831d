/*
subject: projects
grain: one row per enterprise
inputs: [enterprises, delivered, st_proj, project_roles]
outputs:
  provincial_projects_2y: {unit: 项, decimals: 1, datasets: [ST_PROJ], zh: 近两年立项的省级及以上科技计划项目数(参与折半)}
  local_projects_2y: {unit: 项, decimals: 0, datasets: [ST_PROJ], zh: 近两年立项的市级与区级科技计划项目数}
  projects_due_3y: {unit: 项, decimals: 0, datasets: [ST_PROJ], zh: 近三年到期的科技计划项目数}
  projects_accepted_in_time_3y: {unit: 项, decimals: 0, datasets: [ST_PROJ], zh: 近三年到期且按期验收合格的项目数}
  conversion_projects_accepted_3y: {unit: 次, decimals: 0, datasets: [ST_PROJ], zh: 近三年成果转化项目验收合格次数}
*/
-- A project is its last line: the list of projects examined repeats the project with day and verdict. The lists name
-- every unit: an enterprise that no list names carries no project (0). Without the lists nothing is known.
WITH
counted AS (
    SELECT
        p.uscc,
        sum(r.tenths) FILTER (WHERE p.level IN ('国家', '省') AND p.approved_2y) AS provincial_tenths,
        count(*) FILTER (WHERE p.level IN ('市', '区') AND p.approved_2y) AS local_projects,
        count(*) FILTER (WHERE p.due_3y) AS due,
        count(*) FILTER (WHERE p.due_3y AND p.result = '合格' AND p.accepted_on <= p.due_on) AS in_time,
        count(*) FILTER (
            WHERE p.programme = '成果转化' AND p.result = '合格'
            AND p.accepted_on > getvariable('as_of') - INTERVAL 3 YEAR AND p.accepted_on <= getvariable('as_of')
        ) AS conversions
    FROM (
        SELECT
            *,
            approved_on > getvariable('as_of') - INTERVAL 2 YEAR AND approved_on <= getvariable('as_of') AS approved_2y,
            due_on > getvariable('as_of') - INTERVAL 3 YEAR AND due_on <= getvariable('as_of') AS due_3y
        FROM st_proj
    ) AS p
    INNER JOIN project_roles AS r ON r.role = p.role
    GROUP BY p.uscc
)

SELECT
    e.uscc,
    CASE WHEN d.st_proj THEN CAST(coalesce(c.provincial_tenths, 0) AS DECIMAL(17, 0)) * CAST('0.1' AS DECIMAL(2, 1)) END
        AS provincial_projects_2y,
    CASE WHEN d.st_proj THEN coalesce(c.local_projects, 0) END AS local_projects_2y,
    CASE WHEN d.st_proj THEN coalesce(c.due, 0) END AS projects_due_3y,
    CASE WHEN d.st_proj THEN coalesce(c.in_time, 0) END AS projects_accepted_in_time_3y,
    CASE WHEN d.st_proj THEN coalesce(c.conversions, 0) END AS conversion_projects_accepted_3y
FROM enterprises AS e
CROSS JOIN delivered AS d
LEFT JOIN counted AS c ON c.uscc = e.uscc
