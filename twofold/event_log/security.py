"""Security: how clients of Kafka keep others from listening (TLS), and say who they are (SASL)."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from twofold.errors import SettingsError

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

_MODULES = {"PLAIN": "plain.PlainLoginModule", "SCRAM": "scram.ScramLoginModule"}
_PREFIX = "TWOFOLD_KAFKA_"

NO_PASSWORD = SecretStr("")


@dataclass(frozen=True)
class Security:
    """What every client of the event log is given. Shown, it hides the password.

    Attributes:
        protocol: As Kafka names it; `SSL` stands for TLS.
        ca_file: Certificates, as PEM, of those who vouch for the brokers; None for those that the system trusts.
        mechanism: By which user name and password are told.
        user: The user name.
        password: The password.

    Raises:
        SettingsError: parts of it contradict each other.
    """

    protocol: Protocol = "PLAINTEXT"
    ca_file: Path | None = None
    mechanism: Mechanism = "SCRAM-SHA-256"
    user: str = ""
    password: SecretStr = NO_PASSWORD

    def __post_init__(self) -> None:
        named = bool(self.user), bool(self.password.get_secret_value())
        if self.has_sasl and not all(named):
            raise SettingsError(
                f"{_PREFIX}SECURITY_PROTOCOL is {self.protocol}, which takes a user name and a "
                f"password: set {_PREFIX}USER and {_PREFIX}PASSWORD."
            )
        if any(named) and not self.has_sasl:
            raise SettingsError(
                f"{_PREFIX}USER and {_PREFIX}PASSWORD are not sent while {_PREFIX}SECURITY_PROTOCOL is "
                f"{self.protocol}. Set it to SASL_SSL, or take them out."
            )
        if self.ca_file is not None and not self.has_tls:
            raise SettingsError(
                f"{_PREFIX}CA_FILE is of no use while {_PREFIX}SECURITY_PROTOCOL is {self.protocol}. Set it to SSL or "
                "SASL_SSL, or take the file out."
            )
        if self.ca_file is not None:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(self.ca_file)
            except OSError as error:  # an ssl.SSLError is one, too
                raise SettingsError(
                    f"{_PREFIX}CA_FILE: there are no certificates in {self.ca_file}, as PEM ({type(error).__name__})."
                ) from None

    @property
    def has_tls(self) -> bool:
        """Whether connections are encrypted and brokers known by their certificates."""
        return self.protocol in {"SSL", "SASL_SSL"}

    @property
    def has_sasl(self) -> bool:
        """Whether one says who one is."""
        return self.protocol in {"SASL_PLAINTEXT", "SASL_SSL"}

    def client_options(self) -> dict[str, object]:
        """What kafka-python's clients take."""
        options: dict[str, object] = {"security_protocol": self.protocol}
        if self.ca_file is not None:
            options["ssl_cafile"] = str(self.ca_file)
        if self.has_sasl:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password.get_secret_value(),
            }
        return options

    def java_options(self) -> dict[str, str]:
        """What Kafka's own clients in Java take; certificates go along whole, for executors elsewhere."""
        options: dict[str, str] = {"security.protocol": self.protocol}
        if self.ca_file is not None:
            options |= {"ssl.truststore.type": "PEM", "ssl.truststore.certificates": self.ca_file.read_text()}
        if self.has_sasl:
            module = f"org.apache.kafka.common.security.{_MODULES[self.mechanism.partition('-')[0]]}"
            user, password = _quoted(self.user), _quoted(self.password.get_secret_value())
            options |= {
                "sasl.mechanism": self.mechanism,
                "sasl.jaas.config": f"{module} required username={user} password={password};",
            }
        return options


PLAIN = Security()
"""Neither encryption nor names, as on one machine."""


def _quoted(text: str) -> str:
    """A value in a JAAS configuration."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
