"""The confusion matrix and its scores against counting by hand."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.metrics.confusion import ConfusionMatrix, f_scores, overall_f, segmentation_scores


def counted(prediction: list[int], mask: list[int], classes: int = 3) -> torch.Tensor:
    metric = ConfusionMatrix(classes)
    metric.update(torch.tensor([[prediction]]), torch.tensor([[mask]]))
    return metric.compute()


def test_rows_are_true_and_columns_predicted_and_255_counts_nowhere() -> None:
    matrix = counted([0, 1, 1, 2, 2], [0, 0, 1, 1, 255])
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]


def test_it_adds_up_over_batches_of_any_size() -> None:
    generator = torch.Generator().manual_seed(0)
    prediction, mask = (torch.randint(5, (7, 9, 8), generator=generator) for _ in range(2))
    whole, parts = ConfusionMatrix(5), ConfusionMatrix(5)
    whole.update(prediction, mask)
    for start, end in ((0, 3), (3, 4), (4, 7)):
        parts.update(prediction[start:end], mask[start:end])
    assert torch.equal(whole.compute(), parts.compute())
    expected = [[int(((mask == t) & (prediction == p)).sum()) for p in range(5)] for t in range(5)]
    assert whole.compute().tolist() == expected


def test_counts_stay_exact_beyond_single_precision() -> None:
    metric = ConfusionMatrix(2)
    metric.matrix += 2**24
    metric.update(torch.zeros(1, 1, 1, dtype=torch.long), torch.zeros(1, 1, 1, dtype=torch.long))
    assert metric.compute()[0, 0].item() == 2**24 + 1


@pytest.mark.parametrize(
    ("prediction", "mask", "sentence"),
    [
        ([0, 3], [0, 1], "predictions to be classes from 0 to 2, but got 3"),
        ([0, 1], [0, 7], "labels to be classes from 0 to 2, but got 7"),
        ([0, 1], [0, -1], "labels to be classes from 0 to 2, but got -1"),
    ],
)
def test_what_is_no_class_is_refused_and_not_counted_in_anothers_row(prediction: list[int], mask: list[int], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"Expected {sentence}"):
        counted(prediction, mask)
    assert counted([0, 3], [0, 255]).sum() == 1  # what counts nowhere may be anything


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"predictions in the shape of the labels, \(1, 4\), but got \(4,\)"):
        ConfusionMatrix(3).update(torch.zeros(4, dtype=torch.long), torch.zeros(1, 4, dtype=torch.long))


def test_scores_by_hand() -> None:
    scores = segmentation_scores(torch.tensor([[3, 1, 0], [2, 4, 0], [0, 0, 0]]))
    assert scores["pixel_accuracy"] == pytest.approx(7 / 10)
    assert scores["mean_accuracy"] == pytest.approx((3 / 4 + 4 / 6) / 2)
    assert scores["mean_iou"] == pytest.approx((3 / 6 + 4 / 7) / 2)
    assert scores["frequency_weighted_iou"] == pytest.approx((4 * 3 / 6 + 6 * 4 / 7) / 10)
    assert scores["classes_counted"] == 2


def test_a_class_that_is_only_predicted_counts_against_the_mean_iou() -> None:
    scores = segmentation_scores(torch.tensor([[3, 0, 1], [0, 4, 0], [0, 0, 0]]))
    assert scores["mean_iou"] == pytest.approx((3 / 4 + 1 + 0) / 3)
    assert scores["mean_accuracy"] == pytest.approx((3 / 4 + 1) / 2)


def test_f_of_a_group_forgives_confusion_inside_it() -> None:
    matrix = torch.tensor([[5, 0, 1], [0, 2, 3], [1, 1, 4]])
    assert f_scores(matrix, {"merged": (1, 2)})["merged"] == pytest.approx(2 * 10 / (11 + 11))
    assert f_scores(matrix, {"one": (1,)})["one"] == pytest.approx(2 * 2 / (5 + 3))


def test_overall_f_adds_up_true_and_false_positives_and_negatives() -> None:
    matrix = torch.tensor([[5, 0, 1], [0, 2, 3], [1, 1, 4]])
    assert overall_f(matrix, [(1,), (2,), (1, 2)]) == pytest.approx(2 * (2 + 4 + 10) / (5 + 3 + 6 + 8 + 11 + 11))
    # Over all classes alone it is pixel accuracy, which is why background, skin and hair stay out of Helen's.
    assert overall_f(matrix, [(0,), (1,), (2,)]) == pytest.approx(segmentation_scores(matrix)["pixel_accuracy"])


def test_nothing_to_divide_by_is_no_score() -> None:
    assert overall_f(torch.zeros(3, 3, dtype=torch.int64), [(1,)]) is None
    assert segmentation_scores(torch.zeros(3, 3, dtype=torch.int64))["mean_iou"] is None
