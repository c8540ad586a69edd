// Package parquetexport writes what outlets reported and what was judged of it
// as Parquet files, a file a month, in folders that DuckDB, pandas and Spark
// read as one table ("hive" partitions):
//
//	records/kind=hour/month=2026-11/part-0.parquet
//	judged/level=day/month=2026-11/part-0.parquet
//
// Months are those of Beijing time (UTC+8), like the days of every standard.
// docs/parquet.md tells the columns. The package reads the store and writes
// files; it judges nothing and holds one stretch of one outlet in memory.
package parquetexport
