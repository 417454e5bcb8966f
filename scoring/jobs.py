"""The names under which web and worker meet in the job engine. Changing one strands queued work."""

from __future__ import annotations

APPLICATION_NAME = "evenhand"
APPLICATION_VERSION = "1"  # pinned: a worker resumes only the work of its own version
BULK_QUEUE = "bulk"  # score an upload
INTERACTIVE_QUEUE = "interactive"  # answer one person who waits
BACKGROUND_QUEUE = "background"  # what nobody waits for
TRAINING_QUEUE = "training"  # teach a task to a student
PREVIEW_QUEUE = "previews"  # what a new version would change; somebody waits, and training takes minutes
SCORE_UPLOAD = "score_upload"
EXPLAIN_RESPONSE = "explain_response"
EXPLAIN_UPLOAD = "explain_upload"
TRY_TEXT = "try_text"
ADD_TASK = "add_task"
BRING_UP_TO_DATE = "bring_up_to_date"
PREVIEW = "preview"
POLLING_INTERVAL_S = 0.05
