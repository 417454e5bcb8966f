"""The names under which web and worker meet in the job engine. Changing one strands queued work."""

from __future__ import annotations

APPLICATION_NAME = "evenhand"
APPLICATION_VERSION = "1"  # pinned: a worker resumes only the work of its own version
BULK_QUEUE = "bulk"  # score an upload, add a task, retrain
INTERACTIVE_QUEUE = "interactive"  # answer one person who waits
SCORE_UPLOAD = "score_upload"
POLLING_INTERVAL_S = 0.05
