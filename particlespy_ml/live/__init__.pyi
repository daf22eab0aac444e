from .session import Session
from .watch import Watcher

__all__ = ["Session", "Watcher"]
