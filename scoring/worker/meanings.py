"""What texts mean, by the bundled encoder: for signs and for topics that no list of words holds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from scoring.checks.likeness import UrgentLikeness
from scoring.errors import ModelUnavailable
from scoring.inference.hardware import choose_device
from scoring.inference.sentences import SentenceEncoder
from scoring.student.encoder import locate_encoder
from scoring.worker.turns import Turns

logger = logging.getLogger(__name__)
_AT_ONCE = 256  # texts between two heartbeats


class Meanings:
    """The bundled encoder as it came, loaded on first use; whatever encoder the student stands on."""

    def __init__(self, turns: Turns, device: str = "auto") -> None:
        self._turns = turns
        self._device = device
        self._lock = threading.Lock()
        self._encoder: SentenceEncoder | None = None
        self._missing = False

    def available(self) -> bool:
        """Whether there is an encoder. Without one, the words alone are looked at, and the log says so."""
        return self._loaded() is not None

    def embed(self, texts: Sequence[str], heartbeat: Callable[[], None] = lambda: None) -> NDArray[np.float32]:
        """(N, D) embeddings of N texts, in their order; the same text is read once.

        Args:
            texts: the texts.
            heartbeat: called every few hundred texts; what it raises ends the work.

        Raises:
            ModelUnavailable: there is no encoder.
        """
        encoder = self._loaded()
        if encoder is None:
            raise ModelUnavailable("the bundled encoder is not installed")
        places: dict[str, int] = {}
        read = [places.setdefault(text, len(places)) for text in texts]
        different = list(places)
        parts = [encoder.embed([])]
        for start in range(0, len(different), _AT_ONCE):
            heartbeat()
            parts.append(encoder.embed(different[start : start + _AT_ONCE]))
        return np.concatenate(parts)[read]

    def _loaded(self) -> SentenceEncoder | None:
        with self._lock:
            if self._encoder is None and not self._missing:
                try:
                    self._encoder = SentenceEncoder(locate_encoder(), choose_device(self._device).type)
                    self._turns.share(self._encoder.encoder)
                    if UrgentLikeness.load().encoder != self._encoder.sha256:
                        raise ModelUnavailable("the weights of the urgent signs were made for another encoder")
                except ModelUnavailable as error:
                    self._encoder, self._missing = None, True
                    logger.warning("Urgent signs and topics are found by words alone: %s", error)
            return self._encoder
