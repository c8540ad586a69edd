// Package indices turns measured values into the numbers and classes that the
// public knows: the individual air quality index (HJ 633), the class of
// surface water (GB 3838-2002) and the trophic level index of lakes.
//
// Like package quality, on whose comparison with limits and whose steps it
// stands, it takes values and dated rules and returns values with a trace. It
// does not know where values come from, and asks nothing of their validity.
package indices
