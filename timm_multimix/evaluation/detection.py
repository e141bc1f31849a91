"""Out-of-distribution detection by scores of the logits that are higher for known images."""

import numpy as np
from torch import Tensor


def max_softmax(logits: Tensor) -> Tensor:
    """The largest class probability [n] of logits [n, c] (Hendrycks & Gimpel 2017, arXiv:1610.02136)."""
    return logits.double().softmax(1).max(1).values


def negative_energy(logits: Tensor) -> Tensor:
    """The log-sum-exp [n] of logits [n, c] (Liu et al. 2020, arXiv:2010.03759, temperature 1)."""
    return logits.double().logsumexp(1)


SCORES = {"max_softmax": max_softmax, "energy": negative_energy}


def compare_scores(known: Tensor, unknown: Tensor) -> dict[str, float]:
    """Return how well a score separates known images [n] from unknown ones [m], in per cent.

    auroc; aupr_in, with the known images as positives; aupr_out, with the unknown ones and the score
    negated; fpr95: unknown images accepted at the highest threshold that accepts 95 % of the known;
    detection_accuracy: the best threshold's mean of known accepted and unknown rejected, both equally
    likely a priori (Liang et al. 2018, arXiv:1706.02690). Scores without any information have auroc 50,
    fpr95 at least 95 and detection_accuracy 50.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

    scores = np.concatenate([known.double().numpy(), unknown.double().numpy()])
    is_known = np.arange(len(scores)) < len(known)
    fpr, tpr, _ = roc_curve(is_known, scores, drop_intermediate=False)
    result = {
        "auroc": roc_auc_score(is_known, scores),
        "aupr_in": average_precision_score(is_known, scores),
        "aupr_out": average_precision_score(~is_known, -scores),
        "fpr95": fpr[tpr >= 0.95].min(),
        "detection_accuracy": ((tpr + 1 - fpr) / 2).max(),
    }
    return {name: 100 * float(value) for name, value in result.items()}


def compare_logits(known: Tensor, unknown: Tensor) -> dict[str, dict[str, float]]:
    """Return `compare_scores` for every score, from logits [n, c] of known and [m, c] of unknown images."""
    return {name: compare_scores(score(known), score(unknown)) for name, score in SCORES.items()}
