"""Writing to a table by Spark: one commit on exactly the parent that its writer knows, or an error."""

from __future__ import annotations

from uuid import uuid4

from pyspark.sql import DataFrame, SparkSession

from batch_layer.spark.columns import ddl
from batch_layer.spark.session import in_our_words
from twofold.errors import Superseded
from twofold.lake import TableWriter


class SparkTableWriter(TableWriter):
    """Writes frames of Spark beside those of Polars.

    Spark's own writer rebases an append on a newer parent in silence. Each commit bears a token, which is looked up in
    the table's history afterwards.
    """

    def append_rows(self, rows: DataFrame) -> None:
        """Add rows, in one commit.

        Raises:
            Superseded: someone else has committed to the table since this writer looked, before or after this commit.
            EngineError: Spark failed.
        """
        self._commit(rows, "append", {})

    def replace_rows(self, rows: DataFrame, where: str) -> None:
        """Replace the rows of whole partitions that a predicate names, in one commit.

        Raises:
            Superseded: someone else has committed to the table since this writer looked, before or after this commit.
            EngineError: Spark failed.
        """
        self._commit(rows, "overwrite", {"replaceWhere": where})

    def seen_by(self, spark: SparkSession) -> DataFrame:
        """The rows as this writer sees them, for Spark."""
        return spark.read.format("delta").option("versionAsOf", self.version).load(self.address)

    def added_since(self, spark: SparkSession, version: int) -> DataFrame:
        """The rows of data files that the table has and did not have at a version; it must not be parted."""
        files = sorted({*self._lake.files(self.spec.name, self.version)} - {*self._lake.files(self.spec.name, version)})
        columns = ddl(self.spec.schema)
        return spark.read.schema(columns).parquet(*files) if files else spark.createDataFrame([], columns)

    def _commit(self, rows: DataFrame, mode: str, options: dict[str, str]) -> None:
        parent, token = self.version, uuid4().hex
        writer = rows.select(*(f"`{name}`" for name in self.spec.schema)).write.format("delta").mode(mode)
        with in_our_words(f"writing to table {self.spec.name!r}"):
            writer.options(**options, userMetadata=token).save(self.address)
        self.refresh()
        self._look_for(token, parent)
        self.settle()

    def _look_for(self, token: str, parent: int) -> None:
        """See that the commit with the token, and no other, followed the parent."""
        since = self.commits(self.version - parent)
        versions = [commit["version"] for commit in since if commit.get("userMetadata") == token]
        if versions != [parent + 1] or self.version != parent + 1:
            found = f"as version {versions[0]}" if versions else "as no version at all"
            raise Superseded(
                f"Spark's commit on version {parent} of table {self.spec.name!r} stands in its history {found}, and "
                f"the table is at {self.version}: another writer is at work. Nothing of this cycle is public; the next "
                "starts again from the newest publication."
            )
