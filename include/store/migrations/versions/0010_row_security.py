"""Row security (PostgreSQL): whoever is not the pipeline reads the districts that `innopoints.districts` names."""

from alembic import op

revision = "0010"
down_revision = "0009"

OF_AN_ENTERPRISE = (
    "enterprise_points",
    "category_points",
    "points_ledger",
    "honours",
    "project_recommendation",
    "credit_list",
    "ladder",
    "once_only_gap",
)
OF_AN_AREA = {
    "enterprise_profile": "district",
    "stage_distribution": "district",
    "source_quality": "scope",
    "once_only": "district",
    "once_only_reason": "district",
    "fields_saved": "district",
    "honour_candidate": "district",
    "frozen_honours": "district",
    "honour_erratum": "district",
}
FOR_ALL = ("generation", "pointer", "once_only_indicator", "honour_roll")


def upgrade() -> None:
    """Forced, so that it holds for the owner too; the owner, who is the pipeline, has a policy of its own."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("""
        CREATE FUNCTION publish.may_see(area text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE RETURN
            area = 'city' OR area = ANY (string_to_array(current_setting('innopoints.districts', true), ','))
    """)
    for table in OF_AN_ENTERPRISE:
        own = f"p.generation_id = {table}.generation_id AND p.uscc = {table}.uscc"
        _secure(table, f"EXISTS (SELECT FROM publish.enterprise_profile AS p WHERE {own})")
    for table, area in OF_AN_AREA.items():
        _secure(table, f"publish.may_see({area})")
    for table in FOR_ALL:
        _secure(table, "true")
    op.execute("""
        DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'innopoints_reader')
                AND (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user)
            THEN CREATE ROLE innopoints_reader NOLOGIN; END IF;
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'innopoints_reader') THEN
                GRANT USAGE ON SCHEMA publish TO innopoints_reader;
                GRANT SELECT ON ALL TABLES IN SCHEMA publish TO innopoints_reader;
            END IF;
        END $$
    """)


def _secure(table: str, readable: str) -> None:
    op.execute(f"ALTER TABLE publish.{table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY pipeline ON publish.{table} TO CURRENT_USER USING (true) WITH CHECK (true)")
    op.execute(f"CREATE POLICY readers ON publish.{table} FOR SELECT USING ({readable})")
