"""The one settings object. Every value comes from an environment variable `TWOFOLD_<NAME>` or its default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import orjson
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from twofold.errors import SettingsError
from twofold.event_log.security import Mechanism, Protocol, Security
from twofold.source import HOLE_AGE_S, SHIPPED_SOURCES, Source

_ADDRESS = r"^[A-Za-z0-9._-]+:[0-9]{1,5}$"
"""`host:port`."""

_ORIGIN = r"https?://[a-z0-9.-]+(:[0-9]{1,5})?"


class Settings(BaseSettings):
    """Where things are and how much they may take. Sizes are in bytes, times in the unit that the name ends with."""

    model_config = SettingsConfigDict(env_prefix="TWOFOLD_", frozen=True, extra="ignore")

    data_folder: Path = Field(
        default=Path(".twofold"), description="Where the embedded Kafka, the local lake, logs and caches live."
    )
    lake: str = Field(
        default="",
        description="Root of the Delta tables: a folder or an object store address. Empty: `<data_folder>/lake`.",
    )
    bootstrap_servers: str = Field(
        default="", description="Kafka brokers, `host:port,…`. Empty: the embedded Kafka on `kafka_port`."
    )
    kafka_port: int = Field(default=19092, ge=1, le=65535, description="Loopback port of the embedded Kafka.")
    topic: str = Field(default="trades", pattern=r"^[a-zA-Z0-9._-]{1,249}$", description="The event log's topic.")
    partitions: int = Field(default=4, ge=1, le=10_000, description="Partitions of the topic when Twofold creates it.")
    sources: Annotated[dict[str, Source], NoDecode] = Field(
        default_factory=lambda: dict(SHIPPED_SOURCES), description="Known sources by name, as JSON."
    )
    default_source: str = Field(default="simulator", description="The source of records that carry no `source` header.")
    speed_address: str = Field(
        default="127.0.0.1:18815",
        description="Where the speed worker listens and serving asks. Several workers: `host:port,host:port`, by "
        "number; replicas of one: `host:port|host:port`.",
    )
    serving_address: str = Field(
        default="127.0.0.1:18080", pattern=_ADDRESS, description="Where the serving API listens."
    )
    prefect_port: int = Field(
        default=14200, ge=1, le=65535, description="Loopback port of the Prefect server of `twofold up`."
    )
    notification_block: str = Field(
        default="",
        pattern=r"^([a-z0-9-]+/[a-z0-9-]+)?$",
        description="The Prefect block that automations notify people by, `type/name`, such as `slack-webhook/desk`; "
        "`twofold prefect apply` takes it up. Empty: nobody is notified.",
    )
    cycle_interval_s: float = Field(
        default=15.0, gt=0, description="Seconds between batch cycles of the served deployment."
    )
    cycle_max_records: int = Field(
        default=2_000_000,
        ge=1,
        description="Records that one batch cycle takes in at most; the rest waits for the next.",
    )
    engine: Literal["polars", "spark"] = Field(
        default="polars",
        description="What batch cycles are done by, also per flow run: `polars`, on this machine, or `spark`, which "
        "needs the extra `spark` and Java 17 or 21.",
    )
    spark_master: str = Field(
        default="local[*]",
        description="Where Spark works: `local[*]`, a cluster such as `spark://host:7077`, or a Spark Connect server "
        "such as `sc://host:15002`, which needs no Java here.",
    )
    retention_s: float = Field(
        default=604_800.0,
        ge=0,
        description="Seconds for which maintenance keeps the table versions that a publication names. Answers can be "
        "made again for good: they need no old versions.",
    )
    hole_age_s: float = Field(
        default=HOLE_AGE_S,
        gt=0,
        description="Seconds, by arrival time, after which missing ids of a contiguous source are taken for lost.",
    )
    quality_price_factor: float = Field(
        default=10.0,
        gt=1,
        description="How many times as high, or as low, as any price that was published of its market within a day a "
        "trade's may be. A cycle with another one is held until a person has looked at it.",
    )
    positions: Path | None = Field(
        default=None, description="File of what is held, for the end of day: CSV with the head `venue,symbol,quantity`."
    )
    views: Path | None = Field(
        default=None,
        description="File of Python that defines views of your own, beside or in place of the shipped ones. A new lake "
        "is founded with them; in one that there is, `twofold view build` builds them.",
    )
    receipt_keys: str = Field(
        default="",
        description="File of the keys of receipts, one a line: the first signs, all of them verify. Made at first use; "
        "all serving processes of a deployment need the same. Empty: `<data_folder>/receipt-keys.txt`.",
    )
    verified_share: float = Field(
        default=0.001,
        ge=0,
        le=1,
        description="Part of the answers that are made again from their receipts, beside serving, and compared.",
    )
    speed_memory_bytes: int = Field(
        default=2 * 1024**3, ge=64 * 1024**2, description="Resident memory at which the speed worker pauses reading."
    )
    api_keys: str = Field(
        default="",
        description="File of the hashes of API keys, which `twofold keys` changes; where there is one, serving asks "
        "for a key. All serving processes of a deployment need the same. Empty: `<data_folder>/api-keys.json`.",
    )
    api_key: SecretStr = Field(
        default=SecretStr(""), description="The key that the clients of serving send: command line, flows and Python."
    )
    open_to_network: bool = Field(
        default=False,
        description="Whether serving does without keys also where other machines can reach it, which is refused else.",
    )
    allowed_origins: str = Field(
        default="",
        description="Origins whose pages may ask serving from a browser, `https://host:port,…`. Empty: only its own.",
    )
    requests_per_s: float = Field(
        default=1000.0,
        gt=0,
        description="Requests a second that one key, or one address where none is needed, may make in the long run.",
    )
    streams_per_caller: int = Field(
        default=1024, ge=1, description="Streams that one key, or one address where none is needed, may read at a time."
    )
    speed_metrics_address: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9._-]+:[0-9]{1,5})?$",
        description="Where the speed worker tells its metrics, `host:port`; of several workers and replicas each at "
        "the next port, in the order of `TWOFOLD_SPEED_ADDRESS`. Empty: nowhere.",
    )

    @field_validator("sources", mode="before")
    @classmethod
    def _parsed(cls, value: object) -> object:
        try:
            return orjson.loads(value) if isinstance(value, str) else value
        except orjson.JSONDecodeError as error:
            raise ValueError(f"this is not JSON: {error}") from None

    @field_validator("sources")
    @classmethod
    def _one_kind_of_ids(cls, value: dict[str, Source]) -> dict[str, Source]:
        """A venue has one space of ids: all of its sources tell repeats alike."""
        told_by: dict[str, set[float | None]] = {}
        for source in value.values():
            told_by.setdefault(source.venue, set()).add(source.horizon_s if source.is_opaque else None)
        if mixed := sorted(venue for venue, kinds in told_by.items() if len(kinds) > 1):
            raise ValueError(
                f"sources of one venue must all have opaque ids with one `horizon_s`, or none may; mixed: {mixed}"
            )
        return value

    @field_validator("speed_address")
    @classmethod
    def _addresses(cls, value: str) -> str:
        addresses = value.replace("|", ",").split(",")
        if wrong := [address for address in addresses if not re.fullmatch(_ADDRESS, address)]:
            raise ValueError(
                f"{wrong[0]!r} is not `host:port`; several workers are parted by commas, and replicas of one by bars"
            )
        if twice := sorted({address for address in addresses if addresses.count(address) > 1}):
            raise ValueError(f"each worker and each replica listens at an address of its own; more than one: {twice}")
        return value

    kafka_security_protocol: Protocol = Field(
        default="PLAINTEXT", description="How clients connect to `bootstrap_servers`, as Kafka names it; `SSL` is TLS."
    )
    kafka_ca_file: Path | None = Field(
        default=None,
        description="File of the certificates, as PEM, of those who sign those of the brokers. Without it: whom the "
        "system trusts.",
    )
    kafka_sasl_mechanism: Mechanism = Field(
        default="SCRAM-SHA-256", description="By which user name and password are told to the brokers."
    )
    kafka_user: str = Field(default="", description="User name at the brokers, with `SASL_SSL` or `SASL_PLAINTEXT`.")
    kafka_password: SecretStr = Field(default=SecretStr(""), description="The password that goes with it.")

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, value: str) -> str:
        if wrong := [each for each in _listed(value) if not re.fullmatch(_ORIGIN, each)]:
            raise ValueError(f"{wrong[0]!r} is no origin: write `https://host` or `https://host:port`, and no path")
        return value

    @field_validator("default_source")
    @classmethod
    def _named(cls, value: str) -> str:
        return value.strip()

    @property
    def speed_workers(self) -> list[list[str]]:
        """The addresses of the speed workers: for each, by its number, those of its replicas."""
        return [worker.split("|") for worker in self.speed_address.split(",")]

    def speed_listens_at(self, worker: int, replica: int) -> str:
        """The address of a replica of a speed worker.

        Raises:
            SettingsError: there is none of that number.
        """
        workers = self.speed_workers
        if not 0 <= worker < len(workers):
            raise SettingsError(
                f"There is no speed worker {worker}: TWOFOLD_SPEED_ADDRESS is {self.speed_address!r}, which has "
                f"{len(workers)}, numbered from 0. Add an address behind a comma, or take a number that it has."
            )
        replicas = workers[worker]
        if not 0 <= replica < len(replicas):
            raise SettingsError(
                f"There is no replica {replica} of speed worker {worker}: TWOFOLD_SPEED_ADDRESS is "
                f"{self.speed_address!r}, which has {len(replicas)} of it, numbered from 0. Add an address behind a "
                "bar, or take a number that it has."
            )
        return replicas[replica]

    def speed_tells_metrics_at(self, worker: int, replica: int) -> str:
        """The address of the metrics of a replica of a speed worker; empty if it tells none.

        Raises:
            SettingsError: there is none of that number.
        """
        listens_at = self.speed_listens_at(worker, replica)
        if not self.speed_metrics_address:
            return ""
        host, _, port = self.speed_metrics_address.rpartition(":")
        return f"{host}:{int(port) + [at for replicas in self.speed_workers for at in replicas].index(listens_at)}"

    @property
    def lake_root(self) -> str:
        """The lake's root, with the default filled in."""
        return self.lake or str(self.data_folder / "lake")

    @property
    def report_folder(self) -> Path:
        """Where reports go."""
        return self.data_folder / "reports"

    @property
    def receipt_key_file(self) -> Path:
        """The file of the keys of receipts, with the default filled in."""
        return Path(self.receipt_keys) if self.receipt_keys else self.data_folder / "receipt-keys.txt"

    @property
    def api_key_file(self) -> Path:
        """The file of the hashes of API keys, with the default filled in."""
        return Path(self.api_keys) if self.api_keys else self.data_folder / "api-keys.json"

    @property
    def origins(self) -> frozenset[str]:
        """The origins whose pages may ask serving."""
        return frozenset(_listed(self.allowed_origins))

    @property
    def brokers(self) -> str:
        """The brokers to talk to, with the embedded default filled in."""
        return self.bootstrap_servers or f"127.0.0.1:{self.kafka_port}"

    @property
    def kafka(self) -> Security:
        """How to connect to the brokers.

        Raises:
            SettingsError: what is said of it is contradictory.
        """
        return Security(
            self.kafka_security_protocol,
            self.kafka_ca_file,
            self.kafka_sasl_mechanism,
            self.kafka_user,
            self.kafka_password,
        )

    @property
    def embedded_kafka(self) -> bool:
        """Whether the event log is the embedded Kafka."""
        return not self.bootstrap_servers


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: a value does not fit; the message names each variable and what it takes.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        lines = [f"{_place(item['loc'])}: {item['msg']}" for item in error.errors()]
        raise SettingsError("Some settings do not fit:\n  " + "\n  ".join(lines)) from None
    if settings.default_source not in settings.sources:
        known = ", ".join(sorted(settings.sources))
        raise SettingsError(
            f"TWOFOLD_DEFAULT_SOURCE: no source {settings.default_source!r} is declared. Known: {known}."
        )
    if settings.kafka.protocol != "PLAINTEXT" and settings.embedded_kafka:
        raise SettingsError(
            "TWOFOLD_KAFKA_SECURITY_PROTOCOL is for brokers that TWOFOLD_BOOTSTRAP_SERVERS names, and that is empty: "
            "the embedded Kafka is open to this machine alone, without encryption. Name brokers, or leave it out."
        )
    return settings


def _place(parts: tuple[int | str, ...]) -> str:
    """Where a value does not fit: the variable, and the way to the part of it."""
    return ".".join([f"TWOFOLD_{str(parts[0]).upper()}", *(str(part) for part in parts[1:])])


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
