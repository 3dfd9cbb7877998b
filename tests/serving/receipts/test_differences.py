"""How saved and made again are compared."""

from copy import deepcopy
from typing import Any

from serving.receipts.differences import differences

SAVED: dict[str, Any] = {
    "view": "bars",
    "rows": [
        {"venue": "v", "symbol": "S", "window_start": "t", "trades": 1},
        {"venue": "v", "symbol": "T", "trades": 2},
    ],
    "receipt": {"sequence": 3, "token": "x"},
    "freshness": {"lag_records": 1},
}


def test_equal_rows_and_receipt_have_no_differences_whatever_else_was_saved() -> None:
    assert differences(SAVED, {name: SAVED[name] for name in ("rows", "receipt")}) == []


def test_each_value_that_differs_is_told_with_its_row() -> None:
    again = deepcopy(SAVED)
    again["rows"][0]["trades"] = 2
    again["rows"][1]["more"] = None
    del again["receipt"]["sequence"]
    assert differences(SAVED, again) == [
        "row 1, v S t: trades is 1 in what was saved, and 2 again",
        "row 2, v T: more is only in what was made again",
        "the receipt: sequence is only in what was saved",
    ]


def test_rows_that_are_missing_or_in_another_order_are_told() -> None:
    again = deepcopy(SAVED)
    again["rows"].pop()
    assert differences(SAVED, again) == ["2 rows were saved, and 1 were made again"]
    again["rows"] = SAVED["rows"][::-1]
    assert differences(SAVED, again)
