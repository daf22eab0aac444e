"""What training minimises, and the share of right answers that its log shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class ClassLoss:
    """Cross-entropy of classes.

    Parameters
    ----------
    label_smoothing
        See `torch.nn.CrossEntropyLoss`.
    """

    def __init__(self, label_smoothing: float = 0.0):
        self.label_smoothing = label_smoothing

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Loss of logits, shape (n, classes), and labels, shape (n,)."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits, labels, label_smoothing=self.label_smoothing)

    def right(self, logits: torch.Tensor, labels: torch.Tensor) -> float:
        """Share of the images whose most probable class is right."""
        return (logits.argmax(1) == labels).float().mean().item()


class MapLoss:
    """Loss of the two maps of a `ParticleFinder`: where particles are, and how deep inside of one."""

    def __call__(self, logits: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        """Loss of logits and maps, both of shape (n, 2, rows, columns).

        Cross-entropy and Dice's overlap for particles, cross-entropy for the depth, which counts in particles and in
        what is taken for one.
        """
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

        logits, maps = logits.float(), maps.float()
        inside, depth = maps[:, 0], maps[:, 1]
        probability = torch.sigmoid(logits[:, 0])
        overlap = 1 - (2 * (probability * inside).sum() + 1) / (probability.sum() + inside.sum() + 1)
        weight = (inside + probability.detach()).clamp(max=1)
        deep = (cross_entropy(logits[:, 1], depth, reduction="none") * weight).sum() / (weight.sum() + 1)
        return cross_entropy(logits[:, 0], inside) + 0.5 * overlap + deep

    def right(self, logits: torch.Tensor, maps: torch.Tensor) -> float:
        """Intersection over union of the particles' pixels."""
        found, inside = logits[:, 0] > 0, maps[:, 0] > 0.5
        return float((found & inside).sum() / (found | inside).sum().clamp(min=1))
