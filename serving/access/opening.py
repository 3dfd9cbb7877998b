"""The policy that the settings name."""

from __future__ import annotations

from serving.access.keys import KeyFile
from serving.access.known import KnownKeys
from serving.access.policy import Policy, is_loopback
from serving.access.rates import Rates
from serving.access.session import Sessions
from serving.receipts.keys import load_keys
from twofold.errors import SettingsError
from twofold.settings import Settings
from twofold.supervision.local_parts import split_address


def open_policy(settings: Settings) -> Policy:
    """Who is let in: whoever has a key, once there is one; without any, this machine alone.

    Raises:
        SettingsError: other machines can reach where serving is to listen, and there is no key.
    """
    host, _ = split_address(settings.serving_address)
    is_local = is_loopback(host)
    keys = KnownKeys(KeyFile(settings.api_key_file), must=not is_local and not settings.open_to_network)
    if keys.needed and not keys.any_valid and not is_local:
        raise SettingsError(
            f"Serving is to listen on {settings.serving_address}, where other machines can reach it, and there is no "
            f"API key in {settings.api_key_file}. Make one, which is shown once: `twofold keys create NAME`. Or listen "
            "for this machine alone: TWOFOLD_SERVING_ADDRESS=127.0.0.1:18080. Where the network keeps everyone else "
            "out, TWOFOLD_OPEN_TO_NETWORK=true does without keys."
        )
    return Policy(
        keys=keys,
        sessions=Sessions(load_keys(settings.receipt_key_file)),
        hosts=frozenset({"127.0.0.1", "localhost", "::1", host.lower()}) if is_local else frozenset(),
        origins=settings.origins,
        rates=Rates(settings.requests_per_s),
        most_streams=settings.streams_per_caller,
    )
