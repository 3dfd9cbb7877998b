"""What makes and checks receipts, as the settings say."""

from __future__ import annotations

from serving.receipts.above_cut import Declared
from serving.receipts.keys import load_keys
from serving.receipts.remaking import Remaker
from serving.receipts.token import TokenSigner
from serving.receipts.verification import Check, Verification
from serving.receipts.vouching import Receipts
from twofold.event_log.opening import log_opener
from twofold.lake import Lake
from twofold.settings import Settings
from twofold.views.declared import declared_views


def open_receipts(settings: Settings, check: Check) -> Receipts:
    """All that serving needs for receipts; samples are checked by `check`.

    Raises:
        SettingsError: there are no keys to sign with.
    """
    remaker = open_remaker(settings)
    return Receipts(remaker.signer, remaker, Verification(settings.verified_share, check))


def open_remaker(settings: Settings) -> Remaker:
    """What makes answers again, from the lake and the event log that the settings name.

    Raises:
        SettingsError: there are no keys to verify with.
    """
    declared = Declared(log_opener(settings), settings.sources, settings.default_source)
    signer = TokenSigner(load_keys(settings.receipt_key_file))
    return Remaker(Lake(settings.lake_root), declared, declared_views(settings.views), signer)
