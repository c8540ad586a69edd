// Runs each argument as a query of DuckDB and prints all rows as JSON.
import { DuckDBInstance } from "@duckdb/node-api";

const db = await (await DuckDBInstance.create(":memory:", { threads: "1" })).connect();
const plain = (v) => (typeof v === "bigint" ? Number(v) : v);
const all = [];
for (const sql of process.argv.slice(2)) {
  const rows = await (await db.runAndReadAll(sql)).getRows();
  all.push(rows.map((row) => row.map(plain)));
}
process.stdout.write(JSON.stringify(all));
