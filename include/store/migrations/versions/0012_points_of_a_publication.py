"""A publication names the points that it holds, by digest."""

from collections import defaultdict

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Of those of before it holds what was scored before it began, from its snapshots: so its moment was read."""
    op.add_column("run_publication", Column("points", sa.JSON, nullable=False, server_default="{}"))
    publication = sa.table("run_publication", Column("generation_id", sa.Integer), Column("points", sa.JSON))
    members = {name: set(map(tuple, found)) for name, found in op.get_bind().execute(_sets)}
    points: dict[int, dict[str, str]] = defaultdict(dict)
    for generation_id, publishes, district, stands_on, points_sha in op.get_bind().execute(_covered):
        if members[stands_on] <= members[publishes]:
            points[generation_id][district] = points_sha
    for generation_id, held in points.items():
        of_it = publication.c.generation_id == generation_id
        op.execute(sa.update(publication).where(of_it).values(points=held))


_sets = sa.select(sa.table("run_snapshot_set", Column("id", sa.Text), Column("members", sa.JSON)))
_covered = sa.text(
    "SELECT p.generation_id, p.snapshot_set, r.district, r.snapshot_set, r.points_sha FROM run_publication p"
    " JOIN run_result r ON r.as_of = p.as_of AND r.scheme = p.scheme AND r.scored_at <= p.covers_until"
)
