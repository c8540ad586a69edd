// Package parquetfile writes rows as an Apache Parquet file, one at a time and
// in bounded memory. What a row is, its structure says by tags of parquet-go.
package parquetfile
