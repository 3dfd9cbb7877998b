"""The files that one embedded Kafka broker is started from, and what its logs say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

LOOPBACK = "127.0.0.1"

_LARGEST_RECORD_BYTES = 16 * 1024**2
_SHOWN_LINES = 12

_SERVER = """\
process.roles=broker,controller
node.id=1
listeners=BROKER://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=BROKER://{host}:{port},CONTROLLER://{host}:{controller_port}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers={host}:{controller_port}
log.dirs={data}
auto.create.topics.enable=false
message.max.bytes={largest}
replica.fetch.max.bytes={largest}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
"""
"""A broker that was killed is not let in again before the session that it had has timed out, which by default is
after 9 s."""

_LOGGING = """\
rootLogger.level=INFO
rootLogger.appenderRef.file.ref=file
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName={logs}/kafka.log
appender.file.filePattern={logs}/kafka.%i.log
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d{{ISO8601}} %p %c{{1}}: %m%n
appender.file.policies.type=Policies
appender.file.policies.start.type=OnStartupTriggeringPolicy
appender.file.policies.size.type=SizeBasedTriggeringPolicy
appender.file.policies.size.size=20MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=3
"""


class BrokerFiles:
    """Where a broker keeps what in its folder, which it has to itself.

    Attributes:
        data: Kafka's own files; absent until they are formatted.
        server: the broker's settings, `server.properties`.
        logging: the settings of its log, `log4j2.properties`.
        kafka_log: what Kafka says, rolled at each start and at 20 MB.
        java_log: what Java says outside of Kafka's log, since the last start.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.data = self.folder / "data"
        self.server = self.folder / "server.properties"
        self.logging = self.folder / "log4j2.properties"
        self.kafka_log = self.folder / "logs" / "kafka.log"
        self.java_log = self.folder / "logs" / "java.log"

    def write(self, *, data: Path, port: int, controller_port: int) -> None:
        """Write the settings for a broker with its files in `data`."""
        self.server.write_text(
            _SERVER.format(
                host=LOOPBACK, port=port, controller_port=controller_port, data=data, largest=_LARGEST_RECORD_BYTES
            )
        )
        self.logging.write_text(_LOGGING.format(logs=self.kafka_log.parent))

    def last_lines(self, since_s: float) -> str:
        """Return the end of the logs that were written to since `since_s` (Unix time), an indented line each."""
        return "\n".join(f"  {line}" for log in (self.kafka_log, self.java_log) for line in _tail(log, since_s))


def _tail(log: Path, since_s: float) -> Iterator[str]:
    if log.exists() and log.stat().st_mtime >= since_s:
        yield from log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:]
