"""Audit events by object"""

from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index('ix_audit_events_object', 'audit_events', ['object_type', 'object_id'], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_index('ix_audit_events_object', table_name='audit_events')
