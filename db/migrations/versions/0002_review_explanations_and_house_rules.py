"""Review, explanations and house rules"""

from collections import defaultdict
from math import log
from typing import Any

import sqlalchemy as sa
from alembic import op

import db.tables

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table('house_rules',
    sa.Column('name', sa.String(length=60), nullable=False),
    sa.Column('value', sa.JSON(), nullable=False),
    sa.Column('changed_by', sa.Integer(), nullable=True),
    sa.Column('changed_at', db.tables.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['changed_by'], ['users.id'], name=op.f('fk_house_rules_changed_by_users')),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_house_rules'))
    )
    op.create_table('comment_templates',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('task_id', sa.Integer(), nullable=False),
    sa.Column('criterion_key', sa.String(length=100), nullable=False),
    sa.Column('level', sa.Integer(), nullable=False),
    sa.Column('owner_id', sa.Integer(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('updated_at', db.tables.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['owner_id'], ['users.id'], name=op.f('fk_comment_templates_owner_id_users'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['task_id'], ['tasks.id'], name=op.f('fk_comment_templates_task_id_tasks'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_comment_templates')),
    sa.UniqueConstraint('task_id', 'criterion_key', 'level', 'owner_id', name=op.f('uq_comment_templates_task_id'))
    )
    op.create_table('claims',
    sa.Column('response_id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('until', db.tables.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['response_id'], ['responses.id'], name=op.f('fk_claims_response_id_responses'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_claims_user_id_users'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('response_id', name=op.f('pk_claims'))
    )
    op.create_table('comments',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('response_id', sa.Integer(), nullable=False),
    sa.Column('criterion_id', sa.Integer(), nullable=True),
    sa.Column('author_id', sa.Integer(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('nonce', sa.String(length=64), nullable=False),
    sa.Column('created_at', db.tables.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['author_id'], ['users.id'], name=op.f('fk_comments_author_id_users')),
    sa.ForeignKeyConstraint(['criterion_id'], ['criteria.id'], name=op.f('fk_comments_criterion_id_criteria')),
    sa.ForeignKeyConstraint(['response_id'], ['responses.id'], name=op.f('fk_comments_response_id_responses'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_comments')),
    sa.UniqueConstraint('nonce', name=op.f('uq_comments_nonce'))
    )
    with op.batch_alter_table('comments', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_comments_response_id'), ['response_id'], unique=False)

    op.create_table('explanations',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('response_id', sa.Integer(), nullable=False),
    sa.Column('student_version_id', sa.Integer(), nullable=False),
    sa.Column('settings_hash', sa.String(length=64), nullable=False),
    sa.Column('job_id', sa.String(length=100), nullable=False),
    sa.Column('status', sa.String(length=20), nullable=False),
    sa.Column('first', sa.JSON(), nullable=True),
    sa.Column('content', sa.JSON(), nullable=True),
    sa.Column('error', sa.Text(), nullable=False),
    sa.Column('created_at', db.tables.UtcDateTime(timezone=True), nullable=False),
    sa.Column('finished_at', db.tables.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['response_id'], ['responses.id'], name=op.f('fk_explanations_response_id_responses'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['student_version_id'], ['student_versions.id'], name=op.f('fk_explanations_student_version_id_student_versions')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_explanations')),
    sa.UniqueConstraint('response_id', 'student_version_id', 'settings_hash', name=op.f('uq_explanations_response_id'))
    )
    op.create_table('response_gates',
    sa.Column('response_id', sa.Integer(), nullable=False),
    sa.Column('student_version_id', sa.Integer(), nullable=False),
    sa.Column('weights', sa.JSON(), nullable=False),
    sa.Column('created_at', db.tables.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['response_id'], ['responses.id'], name=op.f('fk_response_gates_response_id_responses'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['student_version_id'], ['student_versions.id'], name=op.f('fk_response_gates_student_version_id_student_versions')),
    sa.PrimaryKeyConstraint('response_id', 'student_version_id', name=op.f('pk_response_gates'))
    )
    op.create_table('expert_profiles',
    sa.Column('student_version_id', sa.Integer(), nullable=False),
    sa.Column('examples', sa.Integer(), nullable=False),
    sa.Column('content', sa.JSON(), nullable=False),
    sa.Column('created_at', db.tables.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['student_version_id'], ['student_versions.id'], name=op.f('fk_expert_profiles_student_version_id_student_versions'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('student_version_id', name=op.f('pk_expert_profiles'))
    )
    op.create_table('review_flags',
    sa.Column('response_id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('created_at', db.tables.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['response_id'], ['responses.id'], name=op.f('fk_review_flags_response_id_responses'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_review_flags_user_id_users')),
    sa.PrimaryKeyConstraint('response_id', name=op.f('pk_review_flags'))
    )
    op.create_table('trials',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('response_id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('content', sa.JSON(), nullable=True),
    sa.Column('error', sa.Text(), nullable=False),
    sa.Column('created_at', db.tables.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['response_id'], ['responses.id'], name=op.f('fk_trials_response_id_responses'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_trials_user_id_users'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_trials'))
    )
    op.create_table('urgent_alerts',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('response_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('matched', sa.JSON(), nullable=False),
    sa.Column('created_at', db.tables.UtcDateTime(timezone=True), nullable=False),
    sa.Column('handled_by', sa.Integer(), nullable=True),
    sa.Column('handled_at', db.tables.UtcDateTime(timezone=True), nullable=True),
    sa.Column('note', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['handled_by'], ['users.id'], name=op.f('fk_urgent_alerts_handled_by_users')),
    sa.ForeignKeyConstraint(['response_id'], ['responses.id'], name=op.f('fk_urgent_alerts_response_id_responses'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_urgent_alerts')),
    sa.UniqueConstraint('response_id', 'kind', name=op.f('uq_urgent_alerts_response_id'))
    )
    with op.batch_alter_table('human_scores', schema=None, **_never_reused(
        sa.CheckConstraint("kind = 'retract' OR level IS NOT NULL", name=op.f('ck_human_scores_level_given')),
        sa.CheckConstraint("kind <> 'retract' OR retracts_id IS NOT NULL", name=op.f('ck_human_scores_retraction_named')),
    )) as batch_op:
        batch_op.add_column(sa.Column('reason_kind', sa.String(length=60), server_default='', nullable=False))
        batch_op.add_column(sa.Column('blind', sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column('batch', sa.String(length=64), nullable=True))
        batch_op.create_index(batch_op.f('ix_human_scores_batch'), ['batch'], unique=False)
        batch_op.create_index('ix_human_scores_rater', ['rater_id', 'id'], unique=False)

    with op.batch_alter_table('machine_scores', schema=None) as batch_op:
        batch_op.add_column(sa.Column('level_set', sa.JSON(), nullable=True))

    with op.batch_alter_table('responses', schema=None, **_never_reused()) as batch_op:
        batch_op.add_column(sa.Column('reviewed', sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column('blind', sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column('uncertainty', sa.Double(), nullable=True))
        batch_op.add_column(sa.Column('machine_total', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('alike_group', sa.String(length=64), nullable=True))
        batch_op.create_index('ix_responses_alike', ['upload_id', 'alike_group', 'id', 'reviewed', 'blind'], unique=False)
        batch_op.create_index('ix_responses_file', ['upload_id', 'reviewed', 'id'], unique=False)
        batch_op.create_index('ix_responses_queue', ['upload_id', 'reviewed', 'blind', 'uncertainty', 'id'], unique=False)
        batch_op.create_index('ix_responses_total', ['upload_id', 'reviewed', 'blind', 'machine_total', 'id'], unique=False)

    _number_machine_scores_by_time()
    _fill_reviewed()
    _fill_order()


def _never_reused(*checks: sa.CheckConstraint) -> dict[str, Any]:
    """How to rebuild a SQLite table so that the id of an erased row never comes back for another one.

    A screen that still shows the erased row would decide on the other. Checks are not read from the old table.
    """
    if op.get_bind().dialect.name != 'sqlite':
        return {}
    return {'recreate': 'always', 'table_args': checks, 'table_kwargs': {'sqlite_autoincrement': True}}


def _number_machine_scores_by_time() -> None:
    """The newest score of a response and criterion is from now on the one with the highest id."""
    bind, rows = op.get_bind(), sa.table('machine_scores', *map(sa.column, ('id', 'response_id', 'criterion_id', 'created_at')))
    older = rows.alias()
    late = sa.select(rows.c.id).where(sa.exists().where(
        older.c.response_id == rows.c.response_id, older.c.criterion_id == rows.c.criterion_id,
        older.c.id > rows.c.id, older.c.created_at < rows.c.created_at,
    )).order_by(rows.c.created_at, rows.c.id)
    next_id = (bind.scalar(sa.select(sa.func.max(rows.c.id))) or 0) + 1
    for number, row_id in enumerate(bind.scalars(late).all()):
        bind.execute(sa.update(rows).where(rows.c.id == row_id).values(id=next_id + number))


def _fill_reviewed() -> None:
    """A response is reviewed when every criterion of its task version has a human score that counts and stands."""
    op.execute("""
        UPDATE responses SET reviewed = true WHERE NOT EXISTS (
            SELECT 1 FROM uploads u JOIN criteria c ON c.task_version_id = u.task_version_id
            WHERE u.id = responses.upload_id AND NOT EXISTS (
                SELECT 1 FROM human_scores h
                WHERE h.response_id = responses.id AND h.criterion_id = c.id
                AND h.kind IN ('adjudicated', 'override', 'confirm', 'group', 'blind')
                AND NOT EXISTS (
                    SELECT 1 FROM human_scores r
                    WHERE r.response_id = h.response_id AND r.retracts_id = h.id AND r.kind = 'retract')))
    """)


def _fill_order() -> None:
    """Uncertainty and total of the newest machine scores. Of the signs of uncertainty only the entropy is known yet."""
    bind = op.get_bind()
    rows = sa.table('machine_scores', *map(sa.column, ('id', 'response_id', 'criterion_id', 'level')), sa.column('probabilities', sa.JSON))
    responses = sa.table('responses', *map(sa.column, ('id', 'upload_id', 'uncertainty', 'machine_total')))
    criteria: dict[str, int] = dict(bind.execute(sa.text(
        'SELECT u.id, count(*) FROM uploads u JOIN criteria c ON c.task_version_id = u.task_version_id GROUP BY u.id'
    )).all())
    for upload_id, wanted in criteria.items():
        newest: dict[int, dict[int, Any]] = defaultdict(dict)
        for row in bind.execute(
            sa.select(rows).join(responses, responses.c.id == rows.c.response_id)
            .where(responses.c.upload_id == upload_id).order_by(rows.c.id)
        ):
            newest[row.response_id][row.criterion_id] = row
        values = []
        for response_id, scores in newest.items():
            entropies = [
                -sum(p * log(p) for p in row.probabilities if p > 0) / log(len(row.probabilities)) for row in scores.values()
            ]
            values.append({
                'which': response_id,
                'uncertainty': round(sum(min(1.0, max(0.0, e)) for e in entropies) / len(entropies), 12),
                'machine_total': sum(row.level for row in scores.values()) if len(scores) == wanted else None,
            })
        if values:
            bind.execute(sa.update(responses).where(responses.c.id == sa.bindparam('which')).values(
                uncertainty=sa.bindparam('uncertainty'), machine_total=sa.bindparam('machine_total')), values)


def downgrade() -> None:
    """Undo."""

    with op.batch_alter_table('responses', schema=None) as batch_op:
        batch_op.drop_index('ix_responses_total')
        batch_op.drop_index('ix_responses_queue')
        batch_op.drop_index('ix_responses_file')
        batch_op.drop_index('ix_responses_alike')
        batch_op.drop_column('alike_group')
        batch_op.drop_column('machine_total')
        batch_op.drop_column('uncertainty')
        batch_op.drop_column('blind')
        batch_op.drop_column('reviewed')

    with op.batch_alter_table('machine_scores', schema=None) as batch_op:
        batch_op.drop_column('level_set')

    with op.batch_alter_table('human_scores', schema=None) as batch_op:
        batch_op.drop_index('ix_human_scores_rater')
        batch_op.drop_index(batch_op.f('ix_human_scores_batch'))
        batch_op.drop_column('batch')
        batch_op.drop_column('blind')
        batch_op.drop_column('reason_kind')

    op.drop_table('urgent_alerts')
    op.drop_table('trials')
    op.drop_table('review_flags')
    op.drop_table('expert_profiles')
    op.drop_table('response_gates')
    op.drop_table('explanations')
    with op.batch_alter_table('comments', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_comments_response_id'))

    op.drop_table('comments')
    op.drop_table('claims')
    op.drop_table('comment_templates')
    op.drop_table('house_rules')
