// Package supervise makes cases of alarms (emission-data rules, section 10): an
// exceedance that is evidence is put to the enterprise at once, with a copy to the
// county; what the county then finds to be a real excess goes to the regulator.
//
// Which alarms belong to which class is the dated rule supervise.class. One episode has
// one case, however often it is looked at: a row for each episode is written in the
// transaction of the alarm, and the case in that of the row. An episode that is joined
// to another, derived anew, withdrawn or called false keeps its case; the case is told,
// and people decide.
//
// The package owns which alarm has which case. It judges nothing, closes nothing, and
// leaves what a case may be and by when to case types.
package supervise
