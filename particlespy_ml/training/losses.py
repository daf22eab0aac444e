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


class WeightedMapLoss(MapLoss):
    """Loss of the three maps of a finder of particles whose pixels count more or less, or not at all."""

    def __call__(self, logits: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        """Loss of logits, shape (n, 3, rows, columns), and maps and weights, shape (n, 4, rows, columns).

        To that of a `MapLoss` comes the cross-entropy of where one particle meets another, in particles and in what is
        taken for one.
        """
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

        logits, maps = logits.float(), maps.float()
        inside, depth, contact, weight = maps.unbind(1)
        probability = torch.sigmoid(logits[:, 0])
        right = (weight * probability * inside).sum()
        overlap = 1 - (2 * right + 1) / ((weight * probability).sum() + (weight * inside).sum() + 1)
        found = (cross_entropy(logits[:, 0], inside, reduction="none") * weight).sum() / (weight.sum() + 1)
        counted = weight * (inside + probability.detach()).clamp(max=1)
        others = torch.stack([depth, contact], 1)
        told = cross_entropy(logits[:, 1:], others, reduction="none") * counted[:, None]
        return found + 0.5 * overlap + told.sum() / (counted.sum() + 1)


class ColumnLoss:
    """Loss of the maps of a `ColumnMapper`: which column is at a pixel, and where its middle is.

    Parameters
    ----------
    outputs
        Number of kinds and heights of columns.
    place_weight
        Weight of the loss of the places.
    output_weight
        Weight of the loss of which column it is, once there is one.
    """

    def __init__(self, outputs: int, place_weight: float = 0.03, output_weight: float = 1.0):
        self.outputs, self.place_weight, self.output_weight = outputs, place_weight, output_weight

    def __call__(self, logits: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        """Loss of logits, shape (n, 1 + outputs + 3, rows, columns), and maps, shape (n, 4, rows, columns).

        Cross-entropy with a target that falls from the column to the background as a Gaussian does, and the negative
        logarithm of a radial Laplace distribution of the vector to the column, which outliers do not pull.
        """
        import torch

        n = 1 + self.outputs
        logits, maps = logits.float(), maps.float()
        peak, which, vector = maps[:, 0], maps[:, 1].long(), maps[:, 2:]
        log_probability = torch.log_softmax(logits[:, :n], 1)
        present = torch.logsumexp(log_probability[:, 1:], 1)
        own = present + self.output_weight * (log_probability.gather(1, which[:, None])[:, 0] - present)
        entropy = -(peak * own + (1 - peak) * log_probability[:, 0]).mean()
        spread = logits[:, n + 2].clamp(-4, 4)
        distance = torch.sqrt(((logits[:, n : n + 2] - vector) ** 2).sum(1) + 1e-6)
        place = (peak * (distance * torch.exp(-spread) + 2 * spread)).sum() / (peak.sum() + 1)
        return entropy + self.place_weight * place

    def right(self, logits: torch.Tensor, maps: torch.Tensor) -> float:
        """Share of the pixels at the middle of columns whose most probable output, but the background, is right."""
        middle = maps[:, 0] > 0.7
        found = logits[:, 1 : 1 + self.outputs].argmax(1) + 1
        return float(((found == maps[:, 1]) & middle).sum() / middle.sum().clamp(min=1))
