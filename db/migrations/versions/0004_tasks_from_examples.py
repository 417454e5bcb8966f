"""Tasks from labelled examples: runs, candidates, previews"""

import sqlalchemy as sa
from alembic import op

import db.tables

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table('example_files',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('task_version_id', sa.Integer(), nullable=False),
    sa.Column('submit_token', sa.String(length=64), nullable=False),
    sa.Column('file_name', sa.String(length=300), nullable=False),
    sa.Column('file_sha256', sa.String(length=64), nullable=False),
    sa.Column('added', sa.Integer(), nullable=False),
    sa.Column('changed', sa.Integer(), nullable=False),
    sa.Column('left_out', sa.Integer(), nullable=False),
    sa.Column('added_by', sa.Integer(), nullable=False),
    sa.Column('added_at', db.tables.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['added_by'], ['users.id'], name=op.f('fk_example_files_added_by_users')),
    sa.ForeignKeyConstraint(['task_version_id'], ['task_versions.id'], name=op.f('fk_example_files_task_version_id_task_versions'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_example_files')),
    sa.UniqueConstraint('submit_token', name=op.f('uq_example_files_submit_token'))
    )
    with op.batch_alter_table('example_files', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_example_files_task_version_id'), ['task_version_id'], unique=False)

    op.create_table('adaptations',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('task_version_id', sa.Integer(), nullable=False),
    sa.Column('base_student_version_id', sa.Integer(), nullable=False),
    sa.Column('source_version_id', sa.Integer(), nullable=True),
    sa.Column('requested_by', sa.Integer(), nullable=False),
    sa.Column('submit_token', sa.String(length=64), nullable=False),
    sa.Column('job_id', sa.String(length=100), nullable=False),
    sa.Column('status', sa.String(length=20), nullable=False),
    sa.Column('quick', sa.Boolean(), nullable=False),
    sa.Column('examples', sa.Integer(), nullable=False),
    sa.Column('stage', sa.String(length=40), nullable=False),
    sa.Column('message', sa.Text(), nullable=False),
    sa.Column('done', sa.Integer(), nullable=False),
    sa.Column('total', sa.Integer(), nullable=False),
    sa.Column('parts', sa.JSON(), nullable=False),
    sa.Column('report', sa.JSON(), nullable=True),
    sa.Column('candidate_version_id', sa.Integer(), nullable=True),
    sa.Column('error', sa.Text(), nullable=False),
    sa.Column('created_at', db.tables.UtcDateTime(timezone=True), nullable=False),
    sa.Column('started_at', db.tables.UtcDateTime(timezone=True), nullable=True),
    sa.Column('finished_at', db.tables.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['base_student_version_id'], ['student_versions.id'], name=op.f('fk_adaptations_base_student_version_id_student_versions')),
    sa.ForeignKeyConstraint(['candidate_version_id'], ['student_versions.id'], name=op.f('fk_adaptations_candidate_version_id_student_versions')),
    sa.ForeignKeyConstraint(['requested_by'], ['users.id'], name=op.f('fk_adaptations_requested_by_users')),
    sa.ForeignKeyConstraint(['source_version_id'], ['student_versions.id'], name=op.f('fk_adaptations_source_version_id_student_versions')),
    sa.ForeignKeyConstraint(['task_version_id'], ['task_versions.id'], name=op.f('fk_adaptations_task_version_id_task_versions'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_adaptations')),
    sa.UniqueConstraint('submit_token', name=op.f('uq_adaptations_submit_token'))
    )
    with op.batch_alter_table('adaptations', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_adaptations_task_version_id'), ['task_version_id'], unique=False)

    op.create_table('previews',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('candidate_version_id', sa.Integer(), nullable=False),
    sa.Column('active_version_id', sa.Integer(), nullable=False),
    sa.Column('requested_by', sa.Integer(), nullable=False),
    sa.Column('submit_token', sa.String(length=64), nullable=False),
    sa.Column('job_id', sa.String(length=100), nullable=False),
    sa.Column('status', sa.String(length=20), nullable=False),
    sa.Column('cursor', sa.Integer(), nullable=False),
    sa.Column('done', sa.Integer(), nullable=False),
    sa.Column('total', sa.Integer(), nullable=False),
    sa.Column('others', sa.Integer(), nullable=False),
    sa.Column('moved', sa.Integer(), nullable=False),
    sa.Column('error', sa.Text(), nullable=False),
    sa.Column('created_at', db.tables.UtcDateTime(timezone=True), nullable=False),
    sa.Column('started_at', db.tables.UtcDateTime(timezone=True), nullable=True),
    sa.Column('finished_at', db.tables.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['active_version_id'], ['student_versions.id'], name=op.f('fk_previews_active_version_id_student_versions')),
    sa.ForeignKeyConstraint(['candidate_version_id'], ['student_versions.id'], name=op.f('fk_previews_candidate_version_id_student_versions'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['requested_by'], ['users.id'], name=op.f('fk_previews_requested_by_users')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_previews')),
    sa.UniqueConstraint('submit_token', name=op.f('uq_previews_submit_token'))
    )
    with op.batch_alter_table('previews', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_previews_candidate_version_id'), ['candidate_version_id'], unique=False)

    op.create_table('preview_changes',
    sa.Column('preview_id', sa.String(length=36), nullable=False),
    sa.Column('response_id', sa.Integer(), nullable=False),
    sa.Column('criterion_id', sa.Integer(), nullable=False),
    sa.Column('before', sa.Integer(), nullable=True),
    sa.Column('after', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['criterion_id'], ['criteria.id'], name=op.f('fk_preview_changes_criterion_id_criteria')),
    sa.ForeignKeyConstraint(['preview_id'], ['previews.id'], name=op.f('fk_preview_changes_preview_id_previews'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['response_id'], ['responses.id'], name=op.f('fk_preview_changes_response_id_responses'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('preview_id', 'response_id', 'criterion_id', name=op.f('pk_preview_changes'))
    )
    with op.batch_alter_table('preview_changes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_preview_changes_response_id'), ['response_id'], unique=False)

    with op.batch_alter_table('labelled_examples', schema=None) as batch_op:
        batch_op.add_column(sa.Column('source', sa.String(length=10), server_default='bank', nullable=False))
        batch_op.add_column(sa.Column('added_by', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('added_at', db.tables.UtcDateTime(timezone=True), nullable=True))
        batch_op.create_foreign_key(batch_op.f('fk_labelled_examples_added_by_users'), 'users', ['added_by'], ['id'])

    with op.batch_alter_table('student_versions', schema=None) as batch_op:
        batch_op.add_column(sa.Column('parent_id', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('task_version_id', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('created_by', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('activated_by', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('replaced_id', sa.Integer(), nullable=True))
        batch_op.create_index(batch_op.f('ix_student_versions_task_version_id'), ['task_version_id'], unique=False)
        batch_op.create_foreign_key(batch_op.f('fk_student_versions_parent_id_student_versions'), 'student_versions', ['parent_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_student_versions_task_version_id_task_versions'), 'task_versions', ['task_version_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_student_versions_activated_by_users'), 'users', ['activated_by'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_student_versions_created_by_users'), 'users', ['created_by'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_student_versions_replaced_id_student_versions'), 'student_versions', ['replaced_id'], ['id'])

    with op.batch_alter_table('tasks', schema=None) as batch_op:
        batch_op.add_column(sa.Column('submit_token', sa.String(length=64), nullable=True))
        batch_op.create_unique_constraint(batch_op.f('uq_tasks_submit_token'), ['submit_token'])


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table('tasks', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('uq_tasks_submit_token'), type_='unique')
        batch_op.drop_column('submit_token')

    with op.batch_alter_table('student_versions', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_student_versions_replaced_id_student_versions'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_student_versions_created_by_users'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_student_versions_activated_by_users'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_student_versions_task_version_id_task_versions'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_student_versions_parent_id_student_versions'), type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_student_versions_task_version_id'))
        batch_op.drop_column('replaced_id')
        batch_op.drop_column('activated_by')
        batch_op.drop_column('created_by')
        batch_op.drop_column('task_version_id')
        batch_op.drop_column('parent_id')

    with op.batch_alter_table('labelled_examples', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_labelled_examples_added_by_users'), type_='foreignkey')
        batch_op.drop_column('added_at')
        batch_op.drop_column('added_by')
        batch_op.drop_column('source')

    with op.batch_alter_table('preview_changes', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_preview_changes_response_id'))

    op.drop_table('preview_changes')
    with op.batch_alter_table('previews', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_previews_candidate_version_id'))

    op.drop_table('previews')
    with op.batch_alter_table('adaptations', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_adaptations_task_version_id'))

    op.drop_table('adaptations')
    with op.batch_alter_table('example_files', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_example_files_task_version_id'))

    op.drop_table('example_files')
