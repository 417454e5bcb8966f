"""The errors a person can act on. Each carries one sentence: what, where, and the remedy."""


class EvenhandError(Exception):
    """Root of everything the program raises on purpose."""


class InvalidInput(EvenhandError):
    """A value, file or command line that can't be accepted as it is."""


class InvalidFile(InvalidInput):
    """A file that can't be read or used; nothing of it was kept."""


class NotAllowed(EvenhandError):
    """The actor may not do this, or not with this object."""


class NotSignedIn(NotAllowed):
    """The session is missing, expired or revoked."""


class NotFound(EvenhandError):
    """The object does not exist, or the actor may not know that it does."""


class Conflict(EvenhandError):
    """Somebody else changed the object first; reload and decide again."""


class ModelUnavailable(EvenhandError):
    """A student, encoder or checkpoint is missing, damaged or of the wrong kind."""


class StorageFull(EvenhandError):
    """The disk took no more bytes; the operation was rolled back."""
