"""A comment without a text: nothing is told to this learner"""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table('comments', schema=None) as batch_op:
        batch_op.alter_column('text', existing_type=sa.Text(), nullable=True)


def downgrade() -> None:
    """Undo."""
    op.execute("UPDATE comments SET text = '' WHERE text IS NULL")
    with op.batch_alter_table('comments', schema=None) as batch_op:
        batch_op.alter_column('text', existing_type=sa.Text(), nullable=False)
