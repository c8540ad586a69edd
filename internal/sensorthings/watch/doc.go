// Package watch derives alarms of Datastreams that clients made from their
// observations and from the rule that the client wrote into the Datastream:
//
//	"properties": {"alarm": {"above": 35, "below": 5, "silentAfter": "PT2H"}}
//
// It is pure: the same observations, rule and instant give the same episodes,
// and nothing is stored. These are thresholds of whoever runs the things; the
// limits of the law and their alarms are those of outlets (package alarm).
package watch
