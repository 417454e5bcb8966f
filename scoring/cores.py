"""Imported before PyTorch, for its effect: threads that wait for each other sleep instead of spinning.

OpenMP reads the policy once, when its library is loaded. By default its threads spin at every
barrier, of which a small encoder has hundreds a pass. Where anything else wants a core, each spins
while the other can't run, and a pass takes five to ten times the processor time (`python -m bench
explain_speed` beside another busy process). On idle cores sleeping costs about a quarter more time.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
