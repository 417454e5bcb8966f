"""Why a version was activated although its stress test failed"""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table('student_versions', schema=None) as batch_op:
        batch_op.add_column(sa.Column('activation_note', sa.Text(), server_default='', nullable=False))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table('student_versions', schema=None) as batch_op:
        batch_op.drop_column('activation_note')
