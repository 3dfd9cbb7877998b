import polars as pl

from twofold.account import Account, accounts_from_json, accounts_to_json, add_accounts, count_by_lane


def lanes(*names: str) -> pl.DataFrame:
    return pl.DataFrame({"lane": list(names)}, schema={"lane": pl.String})


def test_every_fate_is_counted_in_its_lane() -> None:
    accounts = count_by_lane({"t/0": 3, "t/1": 1}, lanes("t/0"), lanes("t/0", "t/1"), lanes("t/0"), {"t/1": 7})
    assert accounts == {
        "t/0": Account(read=3, folded=1, duplicates=1, dead_letters=1),
        "t/1": Account(read=8, duplicates=1, lost=7),
    }
    assert all(account.balanced for account in accounts.values())


def test_a_record_without_a_fate_leaves_the_account_unbalanced() -> None:
    assert not count_by_lane({"t/0": 2}, lanes("t/0"), lanes(), lanes(), {})["t/0"].balanced


def test_accounts_add_up_lane_by_lane() -> None:
    first, second = {"t/0": Account(read=1, folded=1)}, {"t/0": Account(read=2, duplicates=2), "t/1": Account()}
    assert add_accounts(first, second) == {"t/0": Account(read=3, folded=1, duplicates=2), "t/1": Account()}


def test_accounts_are_read_as_they_were_written() -> None:
    accounts = {"t/1": Account(1, 0, 0, 1, 0), "t/0": Account(5, 2, 1, 1, 1)}
    assert accounts_from_json(accounts_to_json(accounts)) == accounts
    assert accounts_to_json(accounts) == accounts_to_json(dict(sorted(accounts.items())))
