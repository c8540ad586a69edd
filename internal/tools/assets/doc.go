// Command assets makes the browser files that the program embeds: it bundles
// the style sheet, the scripts and the npm packages they use (locked in
// web/package-lock.json), draws the base map, and writes everything with hashed
// names, compressed copies and a manifest into internal/web/dist.
//
// It runs at build time from the root of the repository ("make assets") and
// needs nothing but Go and web/node_modules. The same input gives the same
// bytes. It refuses to go on when a package or a source is missing, and says
// which.
//
// The base map is a sketch: prefecture outlines from the npm package echarts
// 4.9.0 (Apache-2.0), turned from GCJ-02 to WGS-84 and simplified; rivers and
// lakes from the simulator's hand-made sketch. It is no record of boundaries.
package main
